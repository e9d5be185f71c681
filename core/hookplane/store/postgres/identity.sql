-- name: system
-- The server's identity and timeline, and whether our schema is there. Works without the schema.
select
  system_identifier,
  substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8),
  to_regclass('hookplane.store') is not null
from pg_control_system();

-- name: incarnation
-- A value made with the schema: another one after the schema was made anew.
select incarnation from store;
