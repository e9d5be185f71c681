-- name: end_predecessor
-- Ends the process that had this role and instance before.
update process set ended = true where role = $1 and instance = $2 and not ended;

-- name: forget_old
-- Removes processes that ended more than a day ago and own nothing. What somebody holds is left for
-- another time.
delete from process where process in (
  select process from process p where ended and expires_at < now_millis() - 86400000
    and not exists (select 1 from subscription s where s.owner = p.process)
  for update skip locked
);

-- name: hold
-- Takes a lock that ends with this connection, under the number of the process that serves it.
select pg_advisory_lock(hashtext('hookplane.session'), pg_backend_pid());

-- name: insert
-- Registers a process that is as long alive as this connection holds its lock. `expires_at` is by the
-- clock of the database, and only for those who do not observe the process.
insert into process (role, instance, registered_at, expires_at, ready, version, refused, session, server)
select $1, $2, now, now + $3, $4, $5, $6, pg_backend_pid(), pg_postmaster_start_time()
from now_millis() as now
returning process;

-- name: bind
-- Another connection holds the lock of a process from now on.
update process set session = pg_backend_pid(), server = pg_postmaster_start_time()
where process = $1 and not ended;

-- name: beat
-- All that have not ended, the oldest first; the caller as it says now. It is not among them if it has
-- ended: then it is never revived.
with beaten as (
  update process set expires_at = now_millis() + $2, ready = $3, version = $4, refused = $5
  where process = $1 and not ended
  returning process, role, instance, registered_at, ready, version, refused
)
select * from beaten
union all
select process, role, instance, registered_at, ready, version, refused from process
where not ended and process <> $1
order by process;

-- name: look
-- All that have not ended. Each write of a row gives it another pulse, also when a process of the version
-- before writes it. Whose lock is free has lost its connection, if it took the lock in the life of this
-- server: after a restart all locks are free, and that says nothing.
select process, xmin::text::bigint as pulse, case
    when server = pg_postmaster_start_time() and session <> pg_backend_pid()
      then pg_try_advisory_xact_lock_shared(hashtext('hookplane.session'), session)
    else false
  end as gone
from process where not ended;

-- name: declare_dead
-- Ends those that are still as they were seen. A row that somebody holds is left for the next look: who
-- waited for it would lose the session that tells others that he is alive.
update process set ended = true where process in (
  select p.process from process p join unnest($1::bigint[], $2::bigint[]) as g(process, pulse)
    on p.process = g.process and p.xmin::text::bigint = g.pulse
  where not p.ended for update of p skip locked
)
returning process;

-- name: find_alive
-- Processes that have not ended and said so within their lease, the oldest first.
select process, role, instance, registered_at, ready, version, refused from process
where not ended and expires_at > now_millis() order by process;

-- name: end
-- Ends a process: it can neither beat nor claim any more.
update process set ended = true where process = $1;

-- name: release_all
-- Gives up all subscriptions of a process, locked in the order in which flushes lock them.
update subscription set owner = null where subscription in (
  select subscription from subscription where owner = $1 order by subscription for no key update
)
returning uid;
