SELECT /*tocsin*/ s.queryid, left(s.query, 500) AS query
FROM pg_stat_statements(true) s
WHERE s.queryid = ANY($1::int8[])
  AND s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
