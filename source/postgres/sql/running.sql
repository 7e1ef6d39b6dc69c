SELECT /*tocsin*/ a.pid, extract(epoch FROM a.query_start)::float8 AS started,
       (extract(epoch FROM clock_timestamp() - a.query_start) * 1000)::float8 AS duration_ms,
       /*14+*/ a.query_id, left(a.query, 500) AS query
FROM pg_stat_activity a
WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()
  AND a.backend_type = 'client backend' AND a.state = 'active'
  AND clock_timestamp() - a.query_start > make_interval(secs => $1::float8 / 1000)
ORDER BY a.query_start LIMIT $2
