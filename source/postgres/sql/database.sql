SELECT /*tocsin*/ xact_commit, xact_rollback, blks_read, blks_hit,
       temp_bytes, deadlocks,
       extract(epoch FROM stats_reset)::float8 AS stats_reset
FROM pg_stat_database WHERE datname = current_database()
