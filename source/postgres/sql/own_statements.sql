SELECT /*tocsin*/ DISTINCT s.queryid
FROM pg_stat_statements(true) s
WHERE s.queryid IS NOT NULL
  AND s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND s.userid = (SELECT oid FROM pg_roles WHERE rolname = current_user)
  AND s.query LIKE '%/*tocsin*/%'
