-- name: find_holders
-- Namespaces, and each built-in endpoint alone.
select sum(bytes), json_group_array(endpoint) from endpoint where bytes > 0
group by namespace, case when namespace = '' then endpoint end;

-- name: find_old
-- For some logs that begin with what arrived before ?1, where their floor is to be. A log loses only
-- what comes before its first event that is younger, whatever time others behind that one tell. Events of
-- which nobody knows when they arrived go with an old one behind them: where a log begins with many of
-- those, a few further behind are looked at, each twice as far as the one before. ?3: now. An event
-- arrived when the store or its receiver told, whichever is later and not still to come.
with recursive seen as not materialized (
  select number, nullif(max(
      iif(received <= ?3, received, -1), iif(arrived between 1 and ?3, arrived, -1)
    ), -1) as arrived
  from event
),
distance (far) as (values (1) union all select far * 2 from distance where far < 1 << 39),
front as not materialized (
  select p.endpoint, p.floor, p.head, coalesce(
      (select v.arrived from seen v where v.number > p.floor and v.number <= p.head
       order by v.number limit 1),
      (select v.arrived from distance cross join seen v on v.number = p.floor + far
       where v.number <= p.head and v.arrived is not null order by far limit 1)
    ) as arrived
  from endpoint p
  where p.head > max(p.floor, p.endpoint << 40)
),
begun as materialized (
  select f.endpoint, f.floor, f.head, (
      select v.number from seen v
      where v.number > f.floor and v.number <= f.floor + ?2 and v.arrived >= ?1
      order by v.number limit 1
    ) as young
  from front f where f.arrived < ?1
),
ended as materialized (
  select b.endpoint, b.floor, coalesce((
      select v.number from seen v
      where v.number > b.floor and v.number < coalesce(b.young, b.floor + ?2 + 1) and v.arrived < ?1
      order by v.number desc limit 1
    ), iif(b.young is null, min(b.floor + ?2, b.head), null)) as upto
  from begun b
)
select endpoint, floor, upto from ended where upto > floor limit ?2;

-- name: oldest_of
-- The first events of the logs of ?1, those that arrived within ?3 ms of the first of all. A log begins
-- behind its floor, and little more is read than what is given. ?4: now, when all arrived of which
-- nobody knows.
with seen as not materialized (
  select number, event_id, size, coalesce(nullif(max(
      iif(received <= ?4, received, -1), iif(arrived between 1 and ?4, arrived, -1)
    ), -1), ?4) as arrived
  from event
),
front as materialized (
  select e.number - 1 as floor, e.arrived
  from json_each(?1) wanted
  cross join endpoint p on p.endpoint = wanted.value
  cross join seen e on e.number = (
    select v.number from event v where v.number > p.floor and v.number <= p.head
    order by v.number limit 1
  )
),
slice as (
  select floor, until, coalesce((
    select e.number from seen e
    where e.number > floor and e.number <= floor + ?2 and e.arrived > until
    order by e.number limit 1
  ), floor + ?2 + 1) as stop
  from (select floor, arrived, min(arrived) over () + ?3 as until from front)
  where arrived <= until
)
select e.arrived, e.event_id, e.number, e.size
from slice s cross join seen e on e.number > s.floor and e.number < s.stop
limit ?2;

-- name: find_floor
-- Where an endpoint's log begins.
select floor from endpoint where endpoint = ?;

-- name: expire_pending
-- What cursors skip; a row beyond the cursor is counted with the rows, not here.
update subscription set touched = touched + 1, expired = expired + (
  select ?2 - c.position - (
    select count(*) from delivery d
    where d.subscription = c.subscription and d.event > c.position and d.event <= ?2
  )
  from cursor c where c.subscription = subscription.subscription and c.endpoint = ?1
)
where subscription in (
  select c.subscription from cursor c
  where c.endpoint = ?1 and c.left_at is null and c.position < ?2
);

-- name: count_expired
-- Of all subscriptions; the difference of two reads is what expired between them.
select coalesce(sum(expired), 0) from subscription;

-- name: move_cursors
-- Moves cursors past what expires.
update cursor set position = ?2 where endpoint = ?1 and left_at is null and position < ?2;

-- name: expire_rows
-- What is not done yet ends here; what is dead just goes, and what was delivered once and was replayed.
update subscription set touched = touched + 1, expired = expired + (
  select count(*) from delivery d
  where d.subscription = subscription.subscription and d.event > ?1 and d.event <= ?2
    and d.state <> 'dead' and not (d.replay <> '' and exists (
      select 1 from attempt a
      where a.event_id = d.event_id and a.subscription = d.subscription and a.success
    ))
)
where subscription in (
  select distinct d.subscription from delivery d where d.event > ?1 and d.event <= ?2
);

-- name: end_replays
-- Ends the jobs that have found all their events and of which no row is left: retention took the last.
update replay set phase = 'Complete', finished = ?, failed = max(matched - delivered, 0)
where phase = 'Running' and exhausted and not exists (
  select 1 from delivery d where d.replay = replay.uid and d.replay <> ''
);

-- name: remove_ended_ranges
-- Removes what jobs that are complete would still have read.
delete from replay_range where replay in (select replay from replay where phase = 'Complete');

-- name: remove_rows
-- Removes the deliveries of what expires.
delete from delivery where event > ? and event <= ?;

-- name: remove_contents
-- Removes the headers and bodies of what expires, before its events go.
delete from content where content in (
  select content from event where number > ? and number <= ?
);

-- name: lower_bytes
-- Raises the floor of a log and takes what lies below it from the endpoint's bytes.
update endpoint set
  floor = ?3,
  bytes = bytes - (select coalesce(sum(size), 0) from event where number > ?2 and number <= ?3)
where endpoint = ?1;

-- name: remove_events
-- Removes what expires from its log.
delete from event where number > ? and number <= ?;

-- name: remove_attempts
-- Looks at the oldest only, so that finding nothing costs nothing. An attempt stays as long as its event. One
-- whose time is still to come by more than a day (?3), because a clock was wrong, goes with it.
delete from attempt where attempt in (
  select attempt from (select attempt, event, at from attempt order by attempt limit ?2) a
  where (at < ?1 or at > ?3) and not exists (select 1 from event e where e.number = a.event)
);

-- name: remove_keys
-- Removes some expired keys, the oldest first.
delete from dedup where (endpoint, key) in (
  select endpoint, key from dedup where expires <= ? order by expires limit ?
);

-- name: find_deleted_subscription
-- One subscription that was deleted long enough ago to be removed.
select subscription from subscription where deleted_at > 0 and deleted_at <= ? limit 1;

-- name: expire_some_rows
-- Of the next rows those that are not done; not what was delivered once and was replayed.
update subscription set expired = expired + (
  select count(*) from (select * from delivery where subscription = ?1 order by event limit ?2) d
  where d.state <> 'dead' and not (d.replay <> '' and exists (
    select 1 from attempt a
    where a.event_id = d.event_id and a.subscription = d.subscription and a.success
  ))
)
where subscription = ?1;

-- name: remove_some_rows
-- Removes at most so many deliveries, the same ones, so that no transaction gets long.
delete from delivery where (subscription, event) in (
  select subscription, event from delivery where subscription = ?1 order by event limit ?2
);

-- name: expired_of
-- How much of one subscription has expired.
select expired from subscription where subscription = ?;

-- name: remove_ranges
-- Removes the ranges of all jobs of a subscription.
delete from replay_range where replay in (select replay from replay where subscription = ?);

-- name: remove_replays
-- Removes the jobs of a subscription.
delete from replay where subscription = ?;

-- name: remove_cursors
-- Removes the cursors of a subscription.
delete from cursor where subscription = ?;

-- name: remove_absences
-- Removes when a subscription was away from its endpoints.
delete from absence where subscription = ?;

-- name: remove_subscription
-- Removes the subscription itself, after all that refers to it.
delete from subscription where subscription = ?;

-- name: remove_tombstones
-- Forgets objects that were deleted so long ago that every reader knows.
delete from config where document is null and changed_at <= ?;

-- name: find_empty_endpoint
-- One endpoint that was deleted long enough ago, has no events left and is read by nobody.
select endpoint from endpoint e
where deleted_at > 0 and deleted_at <= ? and head = floor and not exists (
  select 1 from cursor c where c.endpoint = e.endpoint and c.left_at is null
)
limit 1;

-- name: remove_left_cursors
-- Removes the cursors that subscriptions left at an endpoint.
delete from cursor where endpoint = ?;

-- name: remove_absences_there
-- Removes when subscriptions were away from an endpoint.
delete from absence where after >> 40 = ?;

-- name: remove_rejections
-- Removes an endpoint's counts of rejections.
delete from rejection where endpoint = ?;

-- name: remove_endpoint
-- Removes the endpoint itself, after all that refers to it.
delete from endpoint where endpoint = ?;

-- name: free_pages
-- Pages of the file that are free, and all pages.
select freelist_count, page_count from pragma_freelist_count, pragma_page_count;
