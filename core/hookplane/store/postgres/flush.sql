-- name: lock_one
-- By itself: a row that was waited for is read anew, but not what was joined to it. Two processes that
-- claimed at the same moment would both have found no owner.
select subscription, owner from subscription where uid = $1 and deleted_at = 0 for no key update;

-- name: judge
-- Whether a process may have a subscription, which is locked, from its owner.
select case
    when $2::bigint is null then 'take'
    when me.process is null then 'lost'
    when owner.process is null or owner.process = me.process or owner.ended then 'take'
    else 'alive'
  end
from (values (1)) as one
left join process owner on owner.process = $1
left join process me on me.process = $2 and not me.ended;

-- name: raise_epoch
-- Makes the process the owner; flushes of every earlier epoch are refused from now on.
update subscription set epoch = epoch + 1, owner = $2 where subscription = $1
returning epoch, flush_number, resume_requested, state;

-- name: find_cursors
-- How far the subscription has read each of its logs, and how far each log goes.
select e.uid, c.position, e.head from cursor c join endpoint e using (endpoint)
where c.subscription = $1 and c.left_at is null;

-- name: find_open_deliveries
-- Deliveries that a new owner goes on with, in the order in which they are due: the first ones, and all
-- that no cursor has passed, because the log is read from there.
select
  event, event_id, type, state, attempts, due, deadline, status_code, error, replay, event_key
from (
  select * from (
    select * from delivery
    where subscription = $1 and state in ('sending', 'retrying') order by due, event limit $2
  ) earliest
  union
  select d.* from cursor c
  join delivery d on d.subscription = c.subscription and d.event > c.position
    and d.event < (c.endpoint::bigint + 1) << 40
  where c.subscription = $1 and c.left_at is null and d.state <> 'dead'
) found
order by due, event;

-- name: find_rest
-- The first of the others, and how many they are.
select due, event, (
    select count(*) from delivery where subscription = $1 and state in ('sending', 'retrying')
  ) - $2
from delivery
where subscription = $1 and state in ('sending', 'retrying')
order by due, event limit 1 offset $2;

-- name: find_open_rows
-- Of these events the deliveries that are not done.
select
  event, event_id, type, state, attempts, due, deadline, status_code, error, replay, event_key
from delivery
where subscription = $1 and event = any($2::bigint[]) and state in ('sending', 'retrying');

-- name: find_waiting
-- Deliveries that are not done, from a place on by due time.
select
  event, event_id, type, state, attempts, due, deadline, status_code, error, replay, event_key
from delivery
where subscription = $1 and state in ('sending', 'retrying') and (due, event) >= ($2, $3)
order by due, event limit $4;

-- name: count_behind
-- How many deliveries wait for earlier ones with their key.
select count(*) from delivery where subscription = $1 and event_key <> '' and state = 'behind';

-- name: find_first_rows
-- Of each of these keys the earliest delivery that is not done.
select
  d.event, d.event_id, d.type, d.state, d.attempts, d.due, d.deadline, d.status_code, d.error,
  d.replay, d.event_key
from unnest($2::bigint[], $3::text[]) as w(endpoint, event_key)
cross join lateral (
  select * from delivery v
  where v.subscription = $1 and v.event_key = w.event_key and v.event_key <> ''
    and v.state in ('sending', 'retrying', 'behind')
    and v.event >= w.endpoint << 40 and v.event < (w.endpoint + 1) << 40
  order by v.event limit 1
) d;

-- name: walk_keys
-- The first delivery that is not done of each of so many keys, from a place on, and whether its turn has
-- come though it is behind: a cursor that has not passed it reads it from the log. Each step finds the
-- next key by the index, however many deliveries the last one has.
with recursive walk as (
  (
    select v.event, v.event_key, v.state from delivery v
    where v.subscription = $1 and v.event_key <> '' and v.state in ('sending', 'retrying', 'behind')
      and (v.event_key, v.event) >= ($2::text, $3::bigint)
    order by v.event_key, v.event limit 1
  )
  union all
  select n.event, n.event_key, n.state from walk w
  cross join lateral (
    select v.event, v.event_key, v.state from delivery v
    where v.subscription = $1 and v.event_key <> '' and v.state in ('sending', 'retrying', 'behind')
      and (v.event_key, v.event) >= (w.event_key, ((w.event >> 40) + 1) << 40)
    order by v.event_key, v.event limit 1
  ) n
)
select w.event, w.event_key, w.state = 'behind' and w.event <= coalesce(c.position, w.event)
from (select * from walk limit $4) w
left join cursor c on c.subscription = $1 and c.endpoint = (w.event >> 40)::int
  and c.left_at is null
order by w.event_key, w.event;

-- name: release
-- Gives the subscription up, unless somebody has claimed it since.
update subscription set owner = null where uid = $1 and epoch = $2;

-- name: request_resume
-- Counts a request to close the circuit; the owner compares the count with the one it knows.
update subscription set resume_requested = resume_requested + 1 where uid = $1 and deleted_at = 0
returning resume_requested;

-- name: find_asked
-- Resumes and running replays of all subscriptions, a line for each replay.
select s.uid, s.resume_requested, r.uid from subscription s
left join replay r on r.subscription = s.subscription and r.phase = 'Running'
where s.deleted_at = 0 and (s.resume_requested > 0 or r.uid is not null);

-- name: resume_requested
-- How often a resume was asked for.
select resume_requested from subscription where uid = $1;

-- name: write
-- Everything of a group of flushes in one statement. `turn` is the compare-and-set: what follows
-- joins it, so nothing of a stale flush is written, nor of one that somebody has been ahead of: of the
-- rows here only those that are locked are as they are after a wait. Rows are locked in the order in
-- which all who lock several do it.
with given as materialized (
  select g.* from unnest(
    $1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],
    $8::bigint[], $9::bigint[], $10::bigint[], $11::text[], $41::bigint[]
  ) with ordinality as g(
    uid, epoch, number, delivered, filtered, filter_errors, dead, expired, attempts,
    failed_attempts, state, touched, nth
  )
),
locked as materialized (
  select s.subscription, s.uid, s.epoch, s.flush_number, s.touched from subscription s
  where s.uid = any($1) order by s.subscription for no key update
),
turn as materialized (
  update subscription s set
    flush_number = g.number,
    delivered = s.delivered + g.delivered,
    filtered = s.filtered + g.filtered,
    filter_errors = s.filter_errors + g.filter_errors,
    dead = s.dead + g.dead,
    expired = s.expired + g.expired,
    attempts = s.attempts + g.attempts,
    failed_attempts = s.failed_attempts + g.failed_attempts,
    state = coalesce(g.state, s.state)
  from given g join locked l on l.uid = g.uid and l.epoch = g.epoch and l.flush_number = g.number - 1
    and l.touched = g.touched
  where s.subscription = l.subscription
  returning g.nth, s.subscription
),
advanced as (
  update cursor c set position = g.position
  from unnest($12::bigint[], $13::int[], $14::bigint[]) as g(nth, endpoint, position)
  join turn t using (nth)
  where c.subscription = t.subscription and c.endpoint = g.endpoint and c.left_at is null
    and c.position < g.position
),
removed as (
  delete from delivery d
  using unnest($15::bigint[], $16::bigint[]) as g(nth, event) join turn t using (nth)
  where d.subscription = t.subscription and d.event = g.event
),
held as (
  -- retention may have removed the event meanwhile
  insert into delivery (
    subscription, event, event_id, type, state, attempts, due, deadline, status_code, error,
    replay, event_key, changed_at
  )
  select
    t.subscription, g.event, g.event_id, g.type, g.state, g.attempts, g.due, g.deadline,
    g.status_code, g.error, g.replay, g.event_key, $29
  from unnest(
    $17::bigint[], $18::bigint[], $19::text[], $20::text[], $21::text[], $22::int[], $23::bigint[],
    $24::bigint[], $25::int[], $26::text[], $27::text[], $28::text[]
  ) as g(
    nth, event, event_id, type, state, attempts, due, deadline, status_code, error, replay,
    event_key
  )
  join turn t using (nth)
  join endpoint p on p.endpoint = (g.event >> 40)::int and g.event > p.floor
  on conflict (subscription, event) do update set
    state = excluded.state, attempts = excluded.attempts, due = excluded.due,
    deadline = excluded.deadline, status_code = excluded.status_code, error = excluded.error,
    replay = excluded.replay, event_key = excluded.event_key, changed_at = excluded.changed_at
),
logged as (
  insert into attempt (
    era, subscription, event, event_id, at, number, duration, success, status_code, error, answer,
    replay
  )
  select
    (select current_era()), t.subscription, g.event, g.event_id, g.at, g.number, g.duration,
    g.success, g.status_code, g.error, g.answer, g.replay
  from unnest(
    $30::bigint[], $31::bigint[], $32::text[], $33::bigint[], $34::int[], $35::bigint[],
    $36::bool[], $37::int[], $38::text[], $39::bytea[], $40::text[]
  ) with ordinality as g(
    nth, event, event_id, at, number, duration, success, status_code, error, answer, replay, place
  )
  join turn t using (nth)
  order by g.place
)
select nth, true as is_new from turn
union all
select g.nth, false from given g
join locked l on l.uid = g.uid and l.epoch = g.epoch and l.flush_number = g.number;

-- name: find_held
-- Subscriptions whose row is locked. Those that are free are locked for the time of this statement.
with free as materialized (
  select uid from subscription where uid = any($1::text[]) for no key update skip locked
)
select uid from subscription where uid = any($1::text[]) and uid not in (select uid from free);

-- name: lock_owned
-- Locks those of these subscriptions that nobody else has locked and whose epoch is the one given, in
-- the order in which all who lock several do it.
select s.uid, s.subscription from subscription s
join unnest($1::text[], $2::bigint[]) as g(uid, epoch) on s.uid = g.uid and s.epoch = g.epoch
order by s.subscription for no key update of s skip locked;

-- name: find_owned
-- Those of these subscriptions whose epoch is the one given, locked or not.
select s.uid from subscription s
join unnest($1::text[], $2::bigint[]) as g(uid, epoch) on s.uid = g.uid and s.epoch = g.epoch;

-- name: pass_over
-- Moves cursors of subscriptions that are locked forward, never back, and counts what they pass as
-- filtered: reckoned from where each cursor is now, so that nothing is counted twice.
with passing as materialized (
  select c.subscription, c.endpoint, c.position, g.upto
  from unnest($1::int[], $2::int[], $3::bigint[]) as g(subscription, endpoint, upto)
  join cursor c on c.subscription = g.subscription and c.endpoint = g.endpoint
  where c.left_at is null and c.position < g.upto
),
counted as (
  update subscription s set filtered = s.filtered + g.number
  from (
    select subscription, sum(upto - position)::bigint as number from passing group by subscription
  ) g
  where s.subscription = g.subscription
)
update cursor c set position = p.upto from passing p
where c.subscription = p.subscription and c.endpoint = p.endpoint;

-- name: lock
-- Locks the subscriptions of a group in the order in which all who lock several do it. A statement that
-- comes after it sees all that those wrote who had the locks before.
select uid, subscription, touched from subscription where uid = any($1::text[]) order by subscription for no key update;

-- name: find_bounds
-- For each endpoint that a subscription reads or read: floor, where it left, and where it came back.
select e.uid, e.floor, c.left_at, c.skipped_upto from cursor c join endpoint e using (endpoint)
where c.subscription = $1;

-- name: find_expired
-- Which of these deliveries are counted as expired: those that retention took, and those without a row
-- that their endpoint left behind.
select g.event from unnest($2::bigint[], $3::bool[]) as g(event, replayed)
left join endpoint p on p.endpoint = (g.event >> 40)::int
left join cursor c on c.subscription = $1 and c.endpoint = p.endpoint
where g.event <= coalesce(p.floor, g.event) or (
  not g.replayed
  and (
    c.left_at is not null and g.event > c.position
    or g.event > c.skipped_after and g.event <= c.skipped_upto
  )
  and not exists (select 1 from delivery d where d.subscription = $1 and d.event = g.event)
);

-- name: shift_due
-- Moves what is retrying to a later time, for flushes whose turn it is.
update delivery d set due = d.due + g.shift, deadline = d.deadline + g.shift
from unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[]) as g(uid, epoch, number, shift)
join subscription s on s.uid = g.uid and s.epoch = g.epoch and s.flush_number = g.number - 1
where d.subscription = s.subscription and d.state = 'retrying' and g.shift <> 0;

-- name: advance_replay
-- Adds to the counts of a replay job and moves its position; one that is complete has counted all.
update replay set
  position = coalesce($1, position),
  matched = matched + $2,
  delivered = delivered + $3,
  failed = failed + $4,
  exhausted = exhausted or $5
where uid = $6 and phase <> 'Complete';

-- name: complete_replay
-- Ends a job whose every delivery has ended; changes a row only the first time. Retention takes rows of a
-- job and tells nobody, and a row that it was ahead of was never written: when none is left, what has
-- not been delivered has failed.
update replay set phase = 'Complete', finished = $1,
  failed = greatest(matched - delivered, 0)
where uid = $2 and phase = 'Running' and exhausted and (
  delivered + failed >= matched
  or not exists (select 1 from delivery d where d.replay = $2 and d.replay <> '')
)
returning replay;

-- name: remove_ranges
-- Removes what a job that has ended would still have read.
delete from replay_range where replay = $1;
