SELECT /*tocsin*/ current_setting('server_version_num')::int AS version_num,
       current_database() AS datname,
       pg_is_in_recovery() AS in_recovery,
       extract(epoch FROM pg_postmaster_start_time())::float8 AS postmaster_start,
       extract(epoch FROM clock_timestamp())::float8 AS server_now,
       current_setting('max_connections')::int AS max_connections,
       current_setting('superuser_reserved_connections')::int AS su_reserved,
       coalesce(current_setting('reserved_connections', true), '0')::int AS reserved,
       pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS can_read_all_stats,
       (SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
         WHERE e.extname = 'pg_stat_statements') AS pss_schema,
       (SELECT extversion FROM pg_extension WHERE extname = 'pg_stat_statements') AS pss_version,
       current_setting('pg_stat_statements.track', true) AS pss_track,
       (SELECT oid FROM pg_roles WHERE rolname = current_user)::int8 AS role_id,
       EXISTS (SELECT FROM pg_stat_activity WHERE usename = current_user AND pid <> pg_backend_pid()
                  AND application_name <> 'tocsin') AS role_shared
