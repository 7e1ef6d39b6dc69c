SELECT /*tocsin*/ s.userid::int8 AS userid, s.queryid, /*14+*/ s.toplevel, s.calls, s.total_exec_time, s.max_exec_time
FROM pg_stat_statements(false) s
WHERE s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND ($1 OR s.userid <> (SELECT oid FROM pg_roles WHERE rolname = current_user))
