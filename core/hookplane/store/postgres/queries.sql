-- name: read_log
-- `era`: at least that of the event before. $1 is raised to the floor, because what lies below it is
-- hidden although its partition may still be there.
select number, era, event_id, received, type, size from event
where number > greatest($1, (select floor from endpoint where endpoint = ($2::bigint >> 40)::int))
  and number <= $2 and era >= $3
order by number limit $4;

-- name: find_floor
-- Where the log of an endpoint begins.
select floor from endpoint where uid = $1;

-- name: read_contents
-- Headers and bodies of the events that are still visible.
select e.number, e.headers, e.body from event e
join endpoint p on p.endpoint = $1 and e.number > p.floor
where e.number = any($2::bigint[]) and e.era >= $3;

-- name: find_event
-- One visible event with its content, by its id.
select e.number, e.event_id, e.received, e.type, e.size, e.headers, e.body
from event e join endpoint p on p.endpoint = (e.number >> 40)::int and e.number > p.floor
where e.event_id = $1;

-- name: find_events
-- Visible events, the newest first, before an id; by endpoint and type if asked for.
select e.number, e.event_id, e.received, e.type, e.size
from event e join endpoint p on p.endpoint = (e.number >> 40)::int and e.number > p.floor
where ($1 = '' or e.event_id < $1) and ($2::int is null or p.endpoint = $2)
  and ($3::text is null or e.type = $3)
order by e.event_id desc limit $4;

-- name: find_deliveries
-- Deliveries in any state, the newest event first. What is missing in a row is taken from the
-- attempts that are kept.
select
  o.number, o.event_id, o.received, o.type, o.size, o.state,
  coalesce(o.attempts, (
    select count(*) from attempt a
    where a.event_id = o.event_id and a.subscription = o.subscription and a.number > 0
      and a.at >= (select attempts_floor from store)
  ))::int,
  coalesce(o.due, 0),
  coalesce(o.status_code, last.status_code, 0),
  coalesce(o.error, last.error, '')
from outcome o
left join lateral (
  select a.status_code, a.error from attempt a
  where a.event_id = o.event_id and a.subscription = o.subscription
    and a.at >= (select attempts_floor from store)
  order by a.at desc, a.attempt desc limit 1
) last on true
where o.subscription = $1 and ($2 = '' or o.event_id < $2) and o.state = any($3::text[])
  and not (o.state = 'filtered' and o.number <= o.start)
order by o.event_id desc limit $4;

-- name: find_rows
-- Deliveries in states that have a row of their own.
select
  e.number, e.event_id, e.received, e.type, e.size, d.state, d.attempts, d.due, d.status_code,
  d.error
from delivery d
join endpoint p on p.endpoint = (d.event >> 40)::int and d.event > p.floor
join event e on e.number = d.event
where d.subscription = $1 and ($2 = '' or d.event_id < $2) and d.state = any($3::text[])
order by d.event_id desc limit $4;

-- name: find_attempts
-- Attempts that are kept, the newest event first and its last attempt first.
select
  subscription, event, event_id, at, number, duration, success, status_code, error, answer, replay
from attempt
where ($1::int is null or subscription = $1) and ($2::text is null or event_id = $2)
  and ($3 = '' or event_id < $3) and at >= (select attempts_floor from store)
order by event_id desc, at desc, attempt desc limit $4;

-- name: endpoint_stats
-- Numbers of the endpoints that exist, in the order in which they were asked for.
select
  e.uid, e.head, e.floor, e.last_accepted, coalesce(r.duplicates, 0), coalesce(r.conflicts, 0),
  coalesce(r.last_rejected, 0), coalesce(r.last_rejected_reason, ''),
  coalesce(r.last_rejected_detail, ''),
  coalesce((
    select json_object_agg(j.reason, j.count) from rejection j where j.endpoint = e.endpoint
  ), '{}')::text
from unnest($1::text[]) with ordinality as wanted(uid, nth)
join endpoint e on e.uid = wanted.uid
left join endpoint_report r on r.endpoint = e.endpoint
order by wanted.nth;

-- name: stored_bytes
-- Bytes of visible bodies for each namespace of users.
select namespace, sum(bytes)::bigint from endpoint where namespace <> '' group by namespace;

-- name: subscription_stats
-- Numbers of the subscriptions that exist, in the order in which they were asked for.
select
  s.uid, s.delivered, s.filtered, s.filter_errors, s.dead, s.expired, s.attempts,
  s.failed_attempts, s.state,
  rows.sending, rows.retrying, rows.dead, rows.next_due, waiting.pending, waiting.oldest,
  (
    select json_agg(f) from (
      select d.event_id, d.type, d.attempts, d.status_code, d.error, d.due, d.state
      from delivery d
      where d.subscription = s.subscription and d.state in ('retrying', 'dead')
      order by d.changed_at desc, d.event desc limit 5
    ) f
  )::text
from unnest($1::text[]) with ordinality as wanted(uid, nth)
join subscription s on s.uid = wanted.uid
cross join lateral (
  select
    count(*) filter (where d.state = 'sending') as sending,
    count(*) filter (where d.state = 'retrying') as retrying,
    count(*) filter (where d.state = 'dead') as dead,
    coalesce(min(d.due) filter (where d.state = 'retrying'), 0) as next_due
  from delivery d where d.subscription = s.subscription
) rows
cross join lateral (
  select
    coalesce(sum(e.head - c.position - (
      select count(*) from delivery d
      where d.subscription = c.subscription and d.event > c.position and d.event <= e.head
    )), 0)::bigint as pending,
    coalesce(min((
      select v.received from event v
      where e.head > c.position and v.number > c.position and v.number <= e.head and not exists (
        select 1 from delivery d where d.subscription = c.subscription and d.event = v.number
      )
      order by v.number limit 1
    )), 0) as oldest
  from cursor c join endpoint e using (endpoint)
  where c.subscription = s.subscription and c.left_at is null
) waiting
order by wanted.nth;

-- name: activity
-- Numbers of which one is another whenever anything that statuses tell is another.
select
  s.config_version, s.attempts_floor,
  (select sum(head) from endpoint), (select sum(floor) from endpoint),
  (select sum(duplicates + conflicts + last_rejected) from endpoint_report),
  (select sum(count) from rejection),
  (select sum(epoch + flush_number + resume_requested + expired) from subscription),
  (select count(*) from delivery),
  (select sum(matched + delivered + failed + finished + 1) from replay)
from store s;
