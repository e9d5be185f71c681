-- name: clock
-- The time by the database's clock, and how long an era is.
select now_millis(), era_millis from store;

-- name: lock
-- One process at a time tidies up; the lock ends with the connection, however that ends.
select pg_try_advisory_lock(hashtext('hookplane.retention'));

-- name: unlock
-- Lets another process tidy up.
select pg_advisory_unlock(hashtext('hookplane.retention'));

-- name: find_holders
-- Namespaces, and each built-in endpoint alone. No more than a thousand logs lose something in one
-- step, those with most bytes.
select sum(bytes)::bigint, (array_agg(endpoint order by bytes desc, endpoint))[:1000]
from endpoint where bytes > 0
group by namespace, case when namespace = '' then endpoint end;

-- name: find_old
-- For some logs that begin with what arrived before $1, where their floor is to be. A log loses only
-- what comes before its first event that is younger, whatever time others behind that one tell. Its
-- first event is the one behind the floor; where that is missing, it is looked for. Events of which nobody
-- knows when they arrived go with an old one behind them: where a log begins with many of those, a few
-- further behind are looked at, each twice as far as the one before. $3: now; $4: how long an era is.
with seen as not materialized (
  select number, arrived_1(received, era, $4, $3) as arrived from event
),
front as not materialized (
  select p.endpoint, p.floor, p.head, coalesce(
      (select v.arrived from seen v where v.number = p.floor + 1 limit 1),
      (select v.arrived from seen v where v.number > p.floor and v.number <= p.head
       order by v.number limit 1),
      (select v.arrived from generate_series(0, 39) as k join seen v on v.number = p.floor + (1::bigint << k)
       where v.number <= p.head and v.arrived is not null order by k limit 1)
    ) as arrived
  from endpoint p
  where p.head > greatest(p.floor, p.endpoint::bigint << 40)
  offset 0
),
begun as not materialized (
  select f.*, (
      select v.number from seen v
      where v.number > f.floor and v.number <= f.floor + $2 and v.arrived >= $1
      order by v.number limit 1
    ) as young
  from front f where f.arrived < $1
  offset 0
),
ended as not materialized (
  select b.endpoint, b.floor, coalesce((
      select v.number from seen v
      where v.number > b.floor and v.number < coalesce(b.young, b.floor + $2 + 1) and v.arrived < $1
      order by v.number desc limit 1
    ), case when b.young is null then least(b.floor + $2, b.head) end) as upto
  from begun b
  offset 0
)
select endpoint, floor, upto from ended where upto > floor limit $2::int;

-- name: oldest_of
-- The first events of the logs of $1, those that arrived within $3 ms of the first of all. A log begins
-- right behind its floor, and little more is read than what is given; where that event is missing, the
-- first one is looked for. $4: now, when all arrived of which nobody knows; $5: how long an era is.
with seen as not materialized (
  select number, event_id, size, coalesce(arrived_1(received, era, $5, $4), $4) as arrived from event
),
front as materialized (
  select e.number - 1 as floor, e.arrived
  from endpoint p
  cross join lateral (
    select coalesce(
      (select v.number from event v where v.number = p.floor + 1 limit 1),
      (select v.number from event v where v.number > p.floor and v.number <= p.head
       order by v.number limit 1)
    ) as number
    offset 0
  ) f
  join seen e using (number)
  where p.endpoint = any($1::int[])
)
select e.arrived, e.event_id, e.number, e.size
from (
  select floor, coalesce((
    select v.number from seen v
    where v.number > floor and v.number <= floor + $2 and v.arrived > until
    order by v.number limit 1
  ), floor + $2 + 1) as stop
  from (select floor, arrived, min(arrived) over () + $3::bigint as until from front) f
  where arrived <= until
  offset 0 -- once for each log, and not again in each partition
) s
cross join lateral (
  select v.arrived, v.event_id, v.number, v.size from seen v
  where v.number > s.floor and v.number < s.stop order by v.number
) e
limit $2::int;

-- name: wait_briefly
-- For the rest of this transaction.
set local lock_timeout = '200ms';

-- name: lock_endpoint
-- The endpoint's floor. Appends and other sweeps of it wait until this transaction ends.
select floor from endpoint where endpoint = $1 for no key update;

-- name: lock_subscriptions
-- Locks all that lose something, in the order in which flushes lock them.
select 1 from subscription where subscription in (
  select c.subscription from cursor c
  where c.endpoint = $1 and c.left_at is null and c.position < $2
  union
  select d.subscription from delivery d where d.event > $1::bigint << 40 and d.event <= $2
)
order by subscription for no key update;

-- name: expire_deliveries
-- What cursors skip, but for what has a row beyond them; then the rows, of which the dead just go, and
-- what was delivered once and was replayed.
with skipped as (
  select c.subscription, $2 - c.position - (
    select count(*) from delivery d
    where d.subscription = c.subscription and d.event > c.position and d.event <= $2
  ) as number
  from cursor c where c.endpoint = $1 and c.left_at is null and c.position < $2
  union all
  select d.subscription, count(*) filter (where d.state <> 'dead' and not (d.replay <> '' and exists (
    select 1 from attempt a
    where a.event_id = d.event_id and a.subscription = d.subscription and a.success
  )))
  from delivery d where d.event > $1::bigint << 40 and d.event <= $2
  group by d.subscription
),
counted as (
  update subscription s set expired = s.expired + g.number, touched = s.touched + 1
  from (select subscription, sum(number) as number from skipped group by subscription) g
  where s.subscription = g.subscription
  returning g.number
)
select coalesce(sum(number), 0)::bigint from counted;

-- name: move_cursors
-- Moves cursors past what expires.
update cursor set position = $2 where endpoint = $1 and left_at is null and position < $2;

-- name: remove_rows
-- Removes the deliveries of what expires.
delete from delivery where event > $1::bigint << 40 and event <= $2;

-- name: end_replays
-- Ends the jobs that have found all their events and of which no row is left: retention took the last.
with ended as (
  update replay r set phase = 'Complete', finished = $1, failed = greatest(matched - delivered, 0)
  where phase = 'Running' and exhausted and not exists (
    select 1 from delivery d where d.replay = r.uid and d.replay <> ''
  )
  returning replay
)
delete from replay_range where replay in (select replay from ended);

-- name: raise_floor
-- Hides events behind the old floor up to the new one and lowers the endpoint's bytes.
select raise_floor_1($1, $2, $3);

-- name: find_attempts_floor
-- The time before which attempts are hidden.
select attempts_floor from store;

-- name: count_attempts
-- How many are hidden that were not before; those of events that are visible go with these. Bounded, so that a
-- long pause does not make it last for ever.
select count(*) from (
  select 1 from attempt a left join endpoint p on p.endpoint = (a.event >> 40)::int
  where a.at >= $1 and a.at < $2 and (p.endpoint is null or a.event <= p.floor) limit 1000000
) hidden;

-- name: set_attempts_floor
-- Hides all attempts before a time, but for those of events that are visible.
update store set attempts_floor = $1;

-- name: remove_keys
-- Removes some expired keys, the oldest first; one that an append holds waits for the next time.
delete from dedup where (endpoint, key) in (
  select endpoint, key from dedup where expires <= $1 order by expires limit $2
  for update skip locked
);

-- name: remove_tombstones
-- Forgets objects that were deleted so long ago that every reader knows.
delete from config where document is null and changed_at <= $1;

-- name: find_deleted_subscription
-- One subscription that was deleted long enough ago to be removed.
select subscription, uid from subscription where deleted_at > 0 and deleted_at <= $1 limit 1
for no key update skip locked;

-- name: remove_some_rows
-- Removes at most so many deliveries, so that no transaction gets long: how many, and how many of them expire
-- because they are not done. What was delivered once and was replayed is not among these.
with gone as (
  delete from delivery where (subscription, event) in (
    select subscription, event from delivery where subscription = $1 limit $2
  )
  returning *
),
lost as materialized (
  select count(*) as number from gone d
  where d.state <> 'dead' and not (d.replay <> '' and exists (
    select 1 from attempt a
    where a.event_id = d.event_id and a.subscription = d.subscription and a.success
  ))
),
counted as (
  update subscription set expired = expired + (select number from lost), touched = touched + 1
  where subscription = $1
)
select (select count(*) from gone), (select number from lost);

-- name: remove_ranges
-- Removes the ranges of all jobs of a subscription.
delete from replay_range where replay in (select replay from replay where subscription = $1);

-- name: remove_replays
-- Removes the jobs of a subscription.
delete from replay where subscription = $1;

-- name: remove_cursors
-- Removes the cursors of a subscription.
delete from cursor where subscription = $1;

-- name: remove_absences
-- Removes when a subscription was away from its endpoints.
delete from absence where subscription = $1;

-- name: remove_subscription
-- Removes the subscription itself, after all that refers to it.
delete from subscription where subscription = $1;

-- name: find_empty_endpoint
-- What is hidden in partitions stays invisible without its endpoint.
select endpoint from endpoint e
where deleted_at > 0 and deleted_at <= $1 and head = floor and not exists (
  select 1 from cursor c where c.endpoint = e.endpoint and c.left_at is null
)
limit 1 for no key update skip locked;

-- name: remove_left_cursors
-- Removes the cursors that subscriptions left at an endpoint.
delete from cursor where endpoint = $1;

-- name: remove_absences_there
-- Removes when subscriptions were away from an endpoint.
delete from absence where (after >> 40)::integer = $1;

-- name: remove_rejections
-- Removes an endpoint's counts of rejections.
delete from rejection where endpoint = $1;

-- name: remove_report
-- Removes an endpoint's counts of duplicates and conflicts.
delete from endpoint_report where endpoint = $1;

-- name: remove_endpoint
-- Removes the endpoint itself, after all that refers to it.
delete from endpoint where endpoint = $1;
