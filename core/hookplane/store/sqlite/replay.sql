-- name: find_subscription
-- The number of a subscription that is not deleted.
select subscription from subscription where uid = ? and deleted_at = 0;

-- name: insert_replay
-- Makes a job; nothing happens when it exists.
insert into replay (
  uid, namespace, name, subscription, created, received_from, received_to, states
) values (?, ?, ?, ?, ?, ?, ?, ?)
returning replay;

-- name: insert_log_ranges
-- The logs as far as they are settled now, with what a leave expired.
insert into replay_range (replay, after, upto)
select ?1, e.floor, coalesce(c.left_at, c.position) from cursor c join endpoint e using (endpoint)
where c.subscription = ?2 and coalesce(c.left_at, c.position) > e.floor;

-- name: insert_row_ranges
-- What has a row although its cursor has not passed it yet.
insert into replay_range (replay, after, upto)
select ?1, d.event - 1, d.event from delivery d
join cursor c on c.subscription = d.subscription and c.endpoint = d.event >> 40
where d.subscription = ?2 and d.event > coalesce(c.left_at, c.position);

-- name: insert_id_ranges
-- The events with these ids that were settled or have a row.
insert into replay_range (replay, after, upto)
select distinct ?1, e.number - 1, e.number from json_each(?3) ids
join event e on e.event_id = ids.value
join cursor c on c.subscription = ?2 and c.endpoint = e.number >> 40
where e.number <= coalesce(c.left_at, c.position) or exists (
  select 1 from delivery d where d.subscription = ?2 and d.event = e.number
);

-- name: note_not_found
-- Of ?2 ids a job found as many as it has ranges.
update replay set not_found = ?2 - (select count(*) from replay_range r where r.replay = ?1)
where replay = ?1;

-- name: cancel_replay
-- Ends a job that is running.
update replay set phase = 'Cancelled', finished = ? where uid = ? and phase = 'Running'
returning (select s.uid from subscription s where s.subscription = replay.subscription);

-- name: remove_ranges
-- Removes what a job that has ended would still have read.
delete from replay_range where replay = (select replay from replay where uid = ?);

-- name: find_replay
-- One job by its uid.
select
  r.uid, r.namespace, r.name, s.uid, r.created, r.phase, r.matched, r.delivered, r.failed,
  r.exhausted, r.finished, r.not_found
from replay r join subscription s using (subscription)
where r.uid = ?;

-- name: find_running
-- Running jobs of a subscription, the oldest first.
select
  r.uid, r.namespace, r.name, s.uid, r.created, r.phase, r.matched, r.delivered, r.failed,
  r.exhausted, r.finished, r.not_found
from replay r join subscription s using (subscription)
where s.uid = ? and r.phase = 'Running'
order by r.created, r.replay;

-- name: find_replays
-- Jobs, the newest first; those of one namespace if asked for.
select
  r.uid, r.namespace, r.name, s.uid, r.created, r.phase, r.matched, r.delivered, r.failed,
  r.exhausted, r.finished, r.not_found
from replay r join subscription s using (subscription)
where ?1 is null or r.namespace = ?1
order by r.created desc, r.replay desc;

-- name: find_job
-- What reading the candidates of a job needs.
select replay, subscription, position, received_from, received_to, states, phase, exhausted
from replay where uid = ?;

-- name: walk_ranges
-- The next events behind a position that a job may take, in order, whatever their state.
select e.number, e.event_id, e.received, e.type, e.size, e.key, 0
from replay_range r
cross join event e on e.number > max(r.after, ?2) and e.number <= r.upto
where r.replay = ?1 and r.upto > ?2
order by r.after, e.number limit ?3;

-- name: walk_row_ranges
-- The same, of events whose delivery has a row, with its state; without a time, of one that is gone.
select d.event, d.event_id, e.received, d.type, e.size, e.key, d.state
from replay_range r
cross join delivery d on d.subscription = ?4 and d.event > max(r.after, ?2) and d.event <= r.upto
left join event e on e.number = d.event
where r.replay = ?1 and r.upto > ?2
order by r.after, d.event limit ?3;
