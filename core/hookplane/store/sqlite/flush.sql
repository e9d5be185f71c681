-- name: take_turn
-- The compare-and-set of a flush: changes a row only for the owner's epoch and the next number, and
-- only if nobody else has changed the subscription since this process wrote last.
update subscription set
  flush_number = ?1,
  delivered = delivered + ?2,
  filtered = filtered + ?3,
  filter_errors = filter_errors + ?4,
  dead = dead + ?5,
  expired = expired + ?6,
  attempts = attempts + ?7,
  failed_attempts = failed_attempts + ?8,
  state = coalesce(?9, state)
where subscription = ?10 and epoch = ?11 and flush_number = ?1 - 1 and touched = ?12;

-- name: find_touched
-- How often others have changed a subscription, if it is this flush's turn.
select touched from subscription where subscription = ? and epoch = ? and flush_number = ? - 1;

-- name: find_bounds
-- For each endpoint that a subscription reads or read: floor, where it left, and where it came back.
select e.uid, e.floor, c.left_at, c.skipped_upto from cursor c join endpoint e using (endpoint)
where c.subscription = ?;

-- name: find_expired
-- Which of these deliveries are counted as expired: those that retention took, and those without a row
-- that their endpoint left behind.
select g.value ->> 0 as event from json_each(?2) g
left join endpoint p on p.endpoint = (g.value ->> 0) >> 40
left join cursor c on c.subscription = ?1 and c.endpoint = p.endpoint
where g.value ->> 0 <= coalesce(p.floor, g.value ->> 0) or (
  not g.value ->> 1
  and (
    c.left_at is not null and g.value ->> 0 > c.position
    or g.value ->> 0 > c.skipped_after and g.value ->> 0 <= c.skipped_upto
  )
  and not exists (
    select 1 from delivery d where d.subscription = ?1 and d.event = g.value ->> 0
  )
);

-- name: was_written
-- A row when this very flush was written before.
select 1 from subscription where subscription = ? and epoch = ? and flush_number = ?;

-- name: shift_due
-- Moves what is retrying to a later time.
update delivery set due = due + ?1, deadline = deadline + ?1
where subscription = ?2 and state = 'retrying';

-- name: advance_cursor
-- Moves a cursor forward, never back.
update cursor set position = ?3
where subscription = ?1 and endpoint = ?2 and left_at is null and position < ?3;

-- name: count_passed
-- Counts as filtered what the cursors of many subscriptions are about to pass, for those whose epoch is
-- the one given: reckoned from where each cursor is now, so that nothing is counted twice.
update subscription as s set filtered = s.filtered + g.number
from (
  select o.subscription, sum((p.value ->> 3) - c.position) as number
  from json_each(?1) p
  cross join subscription o on o.subscription = p.value ->> 0 and o.epoch = p.value ->> 1
  cross join cursor c on c.subscription = o.subscription and c.endpoint = p.value ->> 2
  where c.left_at is null and c.position < p.value ->> 3
  group by o.subscription
) g
where s.subscription = g.subscription;

-- name: pass_over
-- Moves these cursors forward, never back.
update cursor as c set position = g.upto
from (
  select o.subscription, p.value ->> 2 as endpoint, p.value ->> 3 as upto
  from json_each(?1) p
  cross join subscription o on o.subscription = p.value ->> 0 and o.epoch = p.value ->> 1
) g
where c.subscription = g.subscription and c.endpoint = g.endpoint
  and c.left_at is null and c.position < g.upto;

-- name: find_lost
-- Which of these subscriptions have another epoch now.
select distinct p.value ->> 0 from json_each(?1) p
where not exists (
  select 1 from subscription o
  where o.subscription = p.value ->> 0 and o.epoch = p.value ->> 1
);

-- name: remove_delivery
-- Removes the row of a delivery that has ended well.
delete from delivery where subscription = ? and event = ?;

-- name: upsert_delivery
-- Retention may have removed the event meanwhile.
insert into delivery (
  subscription, event, event_id, type, state, attempts, due, deadline, status_code, error, replay,
  event_key, changed_at
)
select ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13
where exists (select 1 from event where number = ?2)
on conflict (subscription, event) do update set
  state = excluded.state, attempts = excluded.attempts, due = excluded.due,
  deadline = excluded.deadline, status_code = excluded.status_code, error = excluded.error,
  replay = excluded.replay, event_key = excluded.event_key, changed_at = excluded.changed_at;

-- name: insert_attempt
-- Adds an attempt to the history.
insert into attempt (
  subscription, event, event_id, at, number, duration, success, status_code, error, answer, replay
) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: advance_replay
-- Adds to the counts of a replay job and moves its position; one that is complete has counted all.
update replay set
  position = coalesce(?1, position),
  matched = matched + ?2,
  delivered = delivered + ?3,
  failed = failed + ?4,
  exhausted = max(exhausted, ?5)
where uid = ?6 and phase <> 'Complete';

-- name: complete_replay
-- Ends a job whose every delivery has ended; changes a row only the first time. Retention takes rows of a
-- job and tells nobody, and a row that it was ahead of was never written: when none is left, what has
-- not been delivered has failed.
update replay set phase = 'Complete', finished = ?1,
  failed = max(matched - delivered, 0)
where uid = ?2 and phase = 'Running' and exhausted and (
  delivered + failed >= matched
  or not exists (select 1 from delivery d where d.replay = ?2 and d.replay <> '')
);

-- name: raise_epoch
-- Makes the caller the owner; flushes of every earlier epoch are refused from now on.
update subscription set epoch = epoch + 1 where uid = ? and deleted_at = 0
returning subscription, epoch, flush_number, resume_requested, state;

-- name: find_epoch
-- The epoch of the last claim.
select epoch from subscription where uid = ?;

-- name: find_cursors
-- How far the subscription has read each of its logs, and how far each log goes.
select e.uid, c.position, e.head from cursor c join endpoint e using (endpoint)
where c.subscription = ? and c.left_at is null;

-- name: find_open_deliveries
-- Deliveries that a new owner goes on with, in the order in which they are due: the first ones, and all
-- that no cursor has passed, because the log is read from there.
select
  event, event_id, type, state, attempts, due, deadline, status_code, error, replay, event_key
from (
  select * from (
    select * from delivery
    where subscription = ?1 and state in ('sending', 'retrying') order by due, event limit ?2
  ) earliest
  union
  select d.* from cursor c
  join delivery d on d.subscription = c.subscription and d.event > c.position
    and d.event < (c.endpoint + 1) << 40
  where c.subscription = ?1 and c.left_at is null and d.state <> 'dead'
) found
order by due, event;

-- name: find_rest
-- The first of the others, and how many they are.
select due, event, (
    select count(*) from delivery where subscription = ?1 and state in ('sending', 'retrying')
  ) - ?2
from delivery
where subscription = ?1 and state in ('sending', 'retrying')
order by due, event limit 1 offset ?2;

-- name: find_open_rows
-- Of these events the deliveries that are not done.
select
  event, event_id, type, state, attempts, due, deadline, status_code, error, replay, event_key
from delivery
where subscription = ?1 and event in (select value from json_each(?2)) and state in ('sending', 'retrying');

-- name: find_waiting
-- Deliveries that are not done, from a place on by due time.
select
  event, event_id, type, state, attempts, due, deadline, status_code, error, replay, event_key
from delivery
where subscription = ?1 and state in ('sending', 'retrying') and (due, event) >= (?2, ?3)
order by due, event limit ?4;

-- name: count_behind
-- How many deliveries wait for earlier ones with their key.
select count(*) from delivery where subscription = ? and event_key <> '' and state = 'behind';

-- name: find_first_rows
-- Of each of these keys the earliest delivery that is not done.
select
  d.event, d.event_id, d.type, d.state, d.attempts, d.due, d.deadline, d.status_code, d.error,
  d.replay, d.event_key
from json_each(?2) w
cross join delivery d on d.subscription = ?1 and d.event = (
  select v.event from delivery v
  where v.subscription = ?1 and v.event_key = w.value ->> 1 and v.event_key <> ''
    and v.state in ('sending', 'retrying', 'behind')
    and v.event >= (w.value ->> 0) << 40 and v.event < ((w.value ->> 0) + 1) << 40
  order by v.event limit 1
);

-- name: walk_keys
-- The first delivery that is not done of each of so many keys, from a place on, and whether its turn has
-- come though it is behind: a cursor that has not passed it reads it from the log. Each step finds the
-- next key by the index, however many deliveries the last one has.
with recursive walk(event) as (
  select (
    select v.event from delivery v
    where v.subscription = ?1 and v.event_key <> '' and v.state in ('sending', 'retrying', 'behind')
      and (v.event_key, v.event) >= (?2, ?3)
    order by v.event_key, v.event limit 1
  )
  union all
  select (
    select v.event from delivery v
    where v.subscription = ?1 and v.event_key <> '' and v.state in ('sending', 'retrying', 'behind')
      and (v.event_key, v.event) >= (d.event_key, ((d.event >> 40) + 1) << 40)
    order by v.event_key, v.event limit 1
  )
  from walk w cross join delivery d on d.subscription = ?1 and d.event = w.event
  limit ?4
)
select d.event, d.event_key, d.state = 'behind' and d.event <= coalesce(c.position, d.event)
from walk w cross join delivery d on d.subscription = ?1 and d.event = w.event
left join cursor c on c.subscription = ?1 and c.endpoint = d.event >> 40 and c.left_at is null
order by d.event_key, d.event;

-- name: request_resume
-- Counts a request to close the circuit; the owner compares the count with the one it knows.
update subscription set resume_requested = resume_requested + 1 where uid = ? and deleted_at = 0
returning resume_requested;

-- name: find_asked
-- Resumes and running replays of all subscriptions, a line for each replay.
select s.uid, s.resume_requested, r.uid from subscription s
left join replay r on r.subscription = s.subscription and r.phase = 'Running'
where s.deleted_at = 0 and (s.resume_requested > 0 or r.uid is not null);

-- name: resume_requested
-- How often a resume was asked for.
select resume_requested from subscription where subscription = ?;

-- name: remove_ranges
-- Removes what a job that has ended would still have read.
delete from replay_range where replay = (select replay from replay where uid = ?);
