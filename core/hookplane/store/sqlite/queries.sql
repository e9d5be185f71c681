-- name: read_log
-- Events between two numbers, in order.
select number, event_id, received, type, size from event
where number > ? and number <= ? order by number limit ?;

-- name: find_floor
-- Where the log of an endpoint begins.
select floor from endpoint where uid = ?;

-- name: read_contents
-- Headers and bodies of the events that are still there.
select e.number, c.headers, c.body from json_each(?) wanted
cross join event e on e.number = wanted.value
cross join content c using (content);

-- name: find_event
-- One event with its content, by its id.
select e.number, e.event_id, e.received, e.type, e.size, c.headers, c.body
from event e join content c using (content) where e.event_id = ?;

-- name: find_events
-- Events, the newest first, before an id; by endpoint and type if asked for.
select number, event_id, received, type, size from event
where (?1 = '' or event_id < ?1) and (?2 is null or number >> 40 = ?2) and (?3 is null or type = ?3)
order by event_id desc limit ?4;

-- name: find_deliveries
-- Deliveries in any state, the newest event first. What is missing in a row is taken from the
-- attempts that are kept.
select
  o.number, o.event_id, o.received, o.type, o.size, o.state,
  coalesce(o.attempts, (
    select count(*) from attempt a
    where a.event_id = o.event_id and a.subscription = o.subscription and a.number > 0
  )),
  coalesce(o.due, 0),
  coalesce(o.status_code, (
    select a.status_code from attempt a
    where a.event_id = o.event_id and a.subscription = o.subscription
    order by a.attempt desc limit 1
  ), 0),
  coalesce(o.error, (
    select a.error from attempt a
    where a.event_id = o.event_id and a.subscription = o.subscription
    order by a.attempt desc limit 1
  ), '')
from outcome o
where o.subscription = ?1 and (?2 = '' or o.event_id < ?2)
  and o.state in (select value from json_each(?3))
  and not (o.state = 'filtered' and o.number <= o.start)
order by o.event_id desc limit ?4;

-- name: find_rows
-- Deliveries in states that have a row of their own.
select
  e.number, e.event_id, e.received, e.type, e.size, d.state, d.attempts, d.due, d.status_code,
  d.error
from delivery d join event e on e.number = d.event
where d.subscription = ?1 and (?2 = '' or d.event_id < ?2)
  and d.state in (select value from json_each(?3))
order by d.event_id desc limit ?4;

-- name: find_attempts
-- Attempts that are kept, the newest event first and its last attempt first.
select
  subscription, event, event_id, at, number, duration, success, status_code, error, answer, replay
from attempt
where (?1 is null or subscription = ?1) and (?2 is null or event_id = ?2)
  and (?3 = '' or event_id < ?3)
order by event_id desc, attempt desc limit ?4;

-- name: endpoint_stats
-- Numbers of the endpoints that exist, in the order in which they were asked for.
select
  e.uid, e.head, e.floor, e.last_accepted, e.duplicates, e.conflicts,
  e.last_rejected, e.last_rejected_reason, e.last_rejected_detail,
  (select json_group_object(reason, count) from rejection r where r.endpoint = e.endpoint)
from json_each(?) wanted cross join endpoint e on e.uid = wanted.value;

-- name: stored_bytes
-- Bytes of bodies for each namespace of users.
select namespace, sum(bytes) from endpoint where namespace <> '' group by namespace;

-- name: subscription_stats
-- Counters of the subscriptions that exist, in the order in which they were asked for.
select
  subscription, uid, delivered, filtered, filter_errors, dead, expired, attempts, failed_attempts,
  state
from json_each(?) wanted cross join subscription s on s.uid = wanted.value;

-- name: count_rows
-- Deliveries of a subscription by state, and when the next one is due.
select
  count(*) filter (where state = 'sending'),
  count(*) filter (where state = 'retrying'),
  count(*) filter (where state = 'dead'),
  coalesce(min(due) filter (where state = 'retrying'), 0)
from delivery where subscription = ?;

-- name: count_pending
-- Events that wait for a subscription and have no row.
select coalesce(sum(e.head - c.position - (
  select count(*) from delivery d
  where d.subscription = c.subscription and d.event > c.position and d.event <= e.head
)), 0)
from cursor c join endpoint e using (endpoint)
where c.subscription = ? and c.left_at is null;

-- name: oldest_pending
-- When the oldest of those arrived; 0: none waits.
select coalesce(min((
  select v.received from event v
  where v.number > c.position and v.number <= e.head and not exists (
    select 1 from delivery d where d.subscription = c.subscription and d.event = v.number
  )
  order by v.number limit 1
)), 0)
from cursor c join endpoint e using (endpoint)
where c.subscription = ? and c.left_at is null;

-- name: recent_failures
-- The five deliveries that failed last.
select event_id, type, attempts, status_code, error, due, state from delivery
where subscription = ? and state in ('retrying', 'dead')
order by changed_at desc, event desc limit 5;
