SELECT /*tocsin*/ count(*) FILTER (WHERE in_pool) AS total,
       count(*) FILTER (WHERE in_pool AND state IN ('active','fastpath function call')) AS running,
       count(*) FILTER (WHERE in_pool AND state LIKE 'idle in transaction%') AS idle_in_txn,
       count(*) FILTER (WHERE in_pool AND state = 'idle') AS idle,
       count(*) FILTER (WHERE in_pool AND (state IS NULL OR state = 'disabled')) AS hidden,
       count(*) FILTER (WHERE state IS NULL OR state = 'disabled') AS hidden_anywhere,
       count(*) FILTER (WHERE wait_event_type = 'Lock') AS lock_waiting,
       coalesce(max(extract(epoch FROM clock_timestamp() - query_start)) FILTER (WHERE state = 'active'), 0)::float8 AS oldest_query_s,
       coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)), 0)::float8 AS oldest_txn_s,
       (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' OR (backend_type IS NULL AND datid IS NOT NULL)) AS server_client_backends
FROM (SELECT *, ($1 = '' OR application_name LIKE $1) AND ($2 = '' OR usename = $2) AS in_pool
        FROM pg_stat_activity
       WHERE datname = current_database()
         AND pid <> pg_backend_pid()
         AND (backend_type = 'client backend' OR backend_type IS NULL)) a
