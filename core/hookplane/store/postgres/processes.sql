-- name: end_predecessor
-- Ends the process that had this role and instance before.
update process set ended = true where role = $1 and instance = $2 and not ended;

-- name: forget_old
-- Removes processes that ended more than a day ago and own nothing.
delete from process p where ended and expires_at < now_millis() - 86400000
  and not exists (select 1 from subscription s where s.owner = p.process);

-- name: insert
-- Registers a process with a lease that begins now, by the clock of the database.
insert into process (role, instance, registered_at, expires_at, ready, version, refused)
select $1, $2, now, now + $3, $4, $5, $6 from now_millis() as now
returning process;

-- name: beat
-- An expired lease is never revived.
update process set expires_at = now_millis() + $2, ready = $3, version = $4, refused = $5
where process = $1 and not ended and expires_at > now_millis()
returning process;

-- name: find_alive
-- Processes whose lease is running, the oldest first.
select process, role, instance, registered_at, ready, version, refused from process
where not ended and expires_at > now_millis()
order by registered_at, process;

-- name: end
-- Ends a process: it can neither beat nor claim any more.
update process set ended = true where process = $1;

-- name: release_all
-- Gives up all subscriptions of a process, locked in the order in which flushes lock them.
update subscription set owner = null where subscription in (
  select subscription from subscription where owner = $1 order by subscription for no key update
)
returning uid;
