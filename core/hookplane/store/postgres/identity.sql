-- name: system
select
  system_identifier,
  substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8),
  to_regclass('hookplane.store') is not null
from pg_control_system();

-- name: incarnation
select incarnation from store;
