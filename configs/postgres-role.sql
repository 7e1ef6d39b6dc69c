-- The role that Tocsin watches a PostgreSQL database with. Run it as a
-- superuser in the database to be watched:
--
--   psql -d app -v password="$TOCSIN_PG_PASSWORD" -f postgres-role.sql
--
-- It may be run again: it brings an existing role up to date, the password
-- included. PostgreSQL 13 to 18.

\set ON_ERROR_STOP on
\if :{?password}
\else
  \echo 'missing: -v password=…'
  \quit
\endif

-- The password never reaches the server's log in clear.
SET log_statement = 'none';
SET log_min_duration_statement = -1;
SET log_min_error_statement = 'panic';

SELECT NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'tocsin') AS is_new \gset
\if :is_new
  CREATE ROLE tocsin NOLOGIN;
\endif

-- Three connections: the monitor keeps one, and two are left for a second
-- replica of the daemon and for a person.
ALTER ROLE tocsin LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION
  CONNECTION LIMIT 3 PASSWORD :'password';

-- See the sessions and statements of all roles, and sizes of all tables. It
-- reads no table's rows.
GRANT pg_monitor TO tocsin;

-- Whatever happens, the role does no harm: it cannot write, and waits for
-- nobody.
ALTER ROLE tocsin SET default_transaction_read_only = on;
ALTER ROLE tocsin SET statement_timeout = '5s';
ALTER ROLE tocsin SET lock_timeout = '250ms';
ALTER ROLE tocsin SET idle_in_transaction_session_timeout = '10s';

-- Statements and their times. The library must be preloaded once, which takes
-- a restart: shared_preload_libraries = 'pg_stat_statements' in
-- postgresql.conf. Without it the rest works, and rates are of transactions.
SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pg_stat_statements') AS has_statements,
       current_setting('shared_preload_libraries') LIKE '%pg_stat_statements%' AS is_preloaded \gset
\if :has_statements
  CREATE EXTENSION IF NOT EXISTS pg_stat_statements;
\else
  \echo 'note: pg_stat_statements is not installed on this server (package postgresql-contrib)'
\endif
\if :is_preloaded
  -- The monitor's own statements stay out of the statistics.
  ALTER ROLE tocsin SET pg_stat_statements.track = 'none';
\else
  \echo 'note: pg_stat_statements is not in shared_preload_libraries; add it and restart, then run this again'
\endif
