-- name: read_log
-- Events between two numbers, in order.
select number, event_id, received, type, size, key from event
where number > ? and number <= ? order by number limit ?;

-- name: read_events
-- The same, with headers and body where the body has at most ?4 bytes.
select e.number, e.event_id, e.received, e.type, e.size, e.key, c.headers, c.body from event e
left join content c on c.content = e.content and e.size <= ?4
where e.number > ?1 and e.number <= ?2 order by e.number limit ?3;

-- name: find_bounds
-- Where the logs of these endpoints begin and end.
select uid, floor, head from endpoint where uid in (select value from json_each(?));

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
select e.number, e.event_id, e.received, e.type, e.size, e.key, c.headers, c.body
from event e join content c using (content) where e.event_id = ?;

-- name: find_number
-- The number of an event.
select number from event where event_id = ?1;

-- name: find_newest
-- Events of all endpoints behind an id, the newest first; all are visible.
select number, event_id, received, type, size, key, 1 from event
where event_id < ?1 order by event_id desc limit ?2;

-- name: find_log
-- One endpoint, and the number behind which it is listed.
select endpoint, floor from endpoint where endpoint = ?1;

-- name: find_logs
-- The logs of a subscription, and the number behind which each is listed. What came before the
-- subscription can have been delivered by a replay alone.
select c.endpoint, case
    when exists (select 1 from replay r where r.subscription = c.subscription) then p.floor
    else max(p.floor, c.start)
  end
from cursor c join endpoint p using (endpoint)
where c.subscription = ?1;

-- name: walk_events
-- Of each piece of a log the newest events, at most so many.
select e.number, e.event_id, e.received, e.type, e.size, e.key, 0
from json_each(?1) above
cross join json_each(?2) below on below.key = above.key
cross join event e on e.number < below.value and e.number > above.value
  and e.number >= coalesce((
    select v.number from event v where v.number > above.value and v.number < below.value
    order by v.number desc limit 1 offset ?3 - 1
  ), 0);

-- name: walk_rows
-- Of each piece of a log the deliveries that have a row, the newest first, at most so many.
select d.event, d.event_id, d.state
from json_each(?1) above
cross join json_each(?2) below on below.key = above.key
cross join delivery d on d.subscription = ?4 and d.event < below.value and d.event > above.value
  and d.event >= coalesce((
    select v.event from delivery v
    where v.subscription = ?4 and v.event > above.value and v.event < below.value
    order by v.event desc limit 1 offset ?3 - 1
  ), 0);

-- name: find_outcomes
-- What became of each of these events for a subscription; the last column says whether the event came
-- before the subscription, or while it did not read the endpoint. The last list helps databases with
-- partitions.
select
  e.number,
  case
    when d.state = 'behind' then 'pending'
    when d.state is not null then d.state
    when e.number > c.position and c.left_at is null then 'pending'
    when e.number > c.position and e.number > c.left_at then null
    when exists (
      select 1 from attempt a
      where a.event_id = i.value and a.subscription = ?1 and a.success = 1
    ) then 'delivered'
    when e.number > c.position or e.number <= b.left_at then 'expired'
    else 'filtered'
  end,
  d.attempts, d.due, d.status_code, d.error,
  e.number <= c.start or coalesce(e.number > b.left_at and e.number <= b.upto, 0)
from json_each(?2) w
cross join json_each(?3) i on i.key = w.key
cross join event e on e.number = w.value
cross join cursor c on c.subscription = ?1 and c.endpoint = e.number >> 40
left join delivery d on d.subscription = ?1 and d.event = e.number
left join absence b on b.subscription = ?1 and b.after = (
  select max(a.after) from absence a
  where a.subscription = ?1 and a.after < e.number and a.after >= c.endpoint << 40
)
where ?4 is not null;

-- name: find_results
-- Of each of these events how often it was tried for a subscription, and the last result; as far as
-- attempts are kept.
select l.event_id, l.times, a.status_code, a.error
from (
  select t.event_id, count(*) filter (where t.number > 0) as times, max(t.attempt) as last
  from json_each(?2) w
  cross join attempt t on t.event_id = w.value and t.subscription = ?1
  group by t.event_id
) l
cross join attempt a on a.attempt = l.last;

-- name: find_rows
-- Deliveries that have a row, with their events.
select
  e.number, e.event_id, e.received, e.type, e.size, e.key, d.state, d.attempts, d.due, d.status_code,
  d.error
from json_each(?2) w
cross join delivery d on d.subscription = ?1 and d.event = w.value
cross join event e on e.number = d.event;

-- name: scan_attempts
-- Events behind an id that were tried, the newest first, and how often for some subscriptions, out of
-- so many attempts.
select
  s.event_id,
  count(*) filter (where ?3 is null or s.subscription in (select value from json_each(?3))),
  count(*)
from (
  select event_id, subscription from attempt
  where event_id < ?1 order by event_id desc limit ?2
) s
group by s.event_id order by s.event_id desc;

-- name: find_attempts
-- Attempts of these events that are kept, the newest event first and its last attempt first.
select
  subscription, event, event_id, at, number, duration, success, status_code, error, answer, replay
from attempt
where event_id in (select value from json_each(?1))
  and (?2 is null or subscription in (select value from json_each(?2)))
order by event_id desc, attempt desc;

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
-- Events that wait for a subscription: they have no row, or it says that they come behind others.
select coalesce(sum(e.head - c.position - (
  select count(*) from delivery d
  where d.subscription = c.subscription and d.event > c.position and d.event <= e.head
)), 0) + (
  select count(*) from delivery where subscription = ?1 and event_key <> '' and state = 'behind'
)
from cursor c join endpoint e using (endpoint)
where c.subscription = ?1 and c.left_at is null;

-- name: oldest_pending
-- When the oldest of those arrived; 0: none waits.
select coalesce(min(received), 0) from (
  select (
    select v.received from event v
    where v.number > c.position and v.number <= e.head and not exists (
      select 1 from delivery d where d.subscription = c.subscription and d.event = v.number
    )
    order by v.number limit 1
  ) as received
  from cursor c join endpoint e using (endpoint)
  where c.subscription = ?1 and c.left_at is null
  union all
  select v.received from event v where v.number in (
    select min(event) from delivery
    where subscription = ?1 and event_key <> '' and state = 'behind'
    group by event >> 40
  )
);

-- name: recent_failures
-- The five deliveries that failed last.
select event_id, type, attempts, status_code, error, due, state from delivery
where subscription = ? and state in ('retrying', 'dead')
order by changed_at desc, event desc limit 5;
