WITH /*tocsin*/ locked AS (
  SELECT DISTINCT relation FROM pg_locks
  WHERE locktype = 'relation' AND mode = 'AccessExclusiveLock' AND granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())),
top AS (
  SELECT c.oid, n.nspname, c.relname, c.reltuples, c.relpages, c.reltoastrelid
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r','m') AND c.relpersistence <> 't'
    AND n.nspname NOT LIKE 'pg\_%' AND n.nspname <> 'information_schema'
    AND (cardinality($2::text[]) = 0 OR c.relname = ANY($2::text[]) OR n.nspname||'.'||c.relname = ANY($2::text[]))
  ORDER BY c.relpages DESC, c.oid LIMIT $1)
SELECT t.nspname, t.relname,
       CASE WHEN greatest(pg_stat_get_last_vacuum_time(t.oid), pg_stat_get_last_autovacuum_time(t.oid),
                          pg_stat_get_last_analyze_time(t.oid), pg_stat_get_last_autoanalyze_time(t.oid)) IS NOT NULL
              OR t.reltuples < 0 THEN pg_stat_get_live_tuples(t.oid)
            ELSE greatest(t.reltuples::int8 + pg_stat_get_tuples_inserted(t.oid) - pg_stat_get_tuples_deleted(t.oid), 0)
       END AS rows,
       CASE WHEN l.relation IS NULL THEN pg_total_relation_size(t.oid) END AS size_bytes,
       coalesce(i.hit, 0) AS idx_blks_hit, coalesce(i.fetched - i.hit, 0) AS idx_blks_read
FROM top t
LEFT JOIN locked l ON l.relation = t.oid
LEFT JOIN LATERAL (
  SELECT sum(pg_stat_get_blocks_fetched(x.indexrelid))::int8 AS fetched,
         sum(pg_stat_get_blocks_hit(x.indexrelid))::int8 AS hit
  FROM pg_index x WHERE x.indrelid = t.oid) i ON true
