-- name: insert_replay
-- Makes a job; no row when it exists or its subscription does not.
insert into replay (
  uid, namespace, name, subscription, created, received_from, received_to, states
)
select $1, $2, $3, subscription, $5, $6, $7, $8 from subscription where uid = $4 and deleted_at = 0
on conflict (uid) do nothing
returning replay, subscription;

-- name: insert_log_ranges
-- The logs as far as they are settled now, with what a leave expired.
insert into replay_range (replay, after, upto)
select $1, e.floor, coalesce(c.left_at, c.position) from cursor c join endpoint e using (endpoint)
where c.subscription = $2 and coalesce(c.left_at, c.position) > e.floor;

-- name: insert_row_ranges
-- What has a row although its cursor has not passed it yet.
insert into replay_range (replay, after, upto)
select $1, d.event - 1, d.event from delivery d
join cursor c on c.subscription = d.subscription and c.endpoint = (d.event >> 40)::int
where d.subscription = $2 and d.event > coalesce(c.left_at, c.position)
on conflict (replay, after) do nothing;

-- name: insert_id_ranges
-- The events with these ids that were settled or have a row.
insert into replay_range (replay, after, upto)
select distinct $1::int, e.number - 1, e.number from event e
join endpoint p on p.endpoint = (e.number >> 40)::int and e.number > p.floor
join cursor c on c.subscription = $2 and c.endpoint = p.endpoint
where e.event_id = any($3::text[]) and (e.number <= coalesce(c.left_at, c.position) or exists (
  select 1 from delivery d where d.subscription = $2 and d.event = e.number
));

-- name: note_not_found
-- Of $2 ids a job found as many as it has ranges.
update replay set not_found = $2 - (select count(*) from replay_range r where r.replay = $1)
where replay = $1;

-- name: cancel_replay
-- Ends a job that is running; no row when it is not.
update replay r set phase = 'Cancelled', finished = $1 where uid = $2 and phase = 'Running'
returning r.replay, (select s.uid from subscription s where s.subscription = r.subscription);

-- name: remove_ranges
-- Removes what a job that has ended would still have read.
delete from replay_range where replay = $1;

-- name: find_replay
-- One job by its uid.
select
  r.uid, r.namespace, r.name, s.uid, r.created, r.phase, r.matched, r.delivered, r.failed,
  r.exhausted, r.finished, r.not_found
from replay r join subscription s using (subscription)
where r.uid = $1;

-- name: find_running
-- Running jobs of a subscription, the oldest first.
select
  r.uid, r.namespace, r.name, s.uid, r.created, r.phase, r.matched, r.delivered, r.failed,
  r.exhausted, r.finished, r.not_found
from replay r join subscription s using (subscription)
where s.uid = $1 and r.phase = 'Running'
order by r.created, r.replay;

-- name: find_replays
-- Jobs, the newest first; those of one namespace if asked for.
select
  r.uid, r.namespace, r.name, s.uid, r.created, r.phase, r.matched, r.delivered, r.failed,
  r.exhausted, r.finished, r.not_found
from replay r join subscription s using (subscription)
where $1::text is null or r.namespace = $1
order by r.created desc, r.replay desc;

-- name: find_job
-- What reading the candidates of a job needs.
select replay, subscription, position, received_from, received_to, states, phase, exhausted
from replay where uid = $1;

-- name: walk_ranges
-- The next events behind a position that a job may take, in order, whatever their state. Numbers are
-- dense, so the sizes of ranges tell how many of them are needed, and the others are not read.
select e.number, e.event_id, e.received, e.type, e.size, e.key, e.era
from (
  select
    g.above, g.upto, sum(g.upto - g.above) over (order by g.above) - (g.upto - g.above) as before
  from (
    select greatest(r.after, $2, p.floor) as above, r.upto
    from replay_range r join endpoint p on p.endpoint = (r.upto >> 40)::int
    where r.replay = $1 and r.upto > greatest($2, p.floor)
  ) g
) r
cross join lateral (
  select v.number, v.event_id, v.received, v.type, v.size, v.key, v.era from event v
  where v.number > r.above and v.number <= r.upto order by v.number limit $3
) e
where r.before < $3
order by e.number limit $3;

-- name: walk_row_ranges
-- The same, of events whose delivery has a row, with its state; without a time, of one that is gone.
select d.event, d.event_id, e.received, d.type, e.size, e.key, d.state
from (
  select n.* from replay_range r
  cross join lateral (
    select v.event, v.event_id, v.type, v.state from delivery v
    where v.subscription = $4 and v.event > greatest(r.after, $2) and v.event <= r.upto
    order by v.event limit $3
  ) n
  where r.replay = $1 and r.upto > $2
  order by n.event limit $3
) d
left join lateral (
  select v.received, v.size, v.key from event v where v.number = d.event limit 1
) e on true
order by d.event;
