-- name: read_log
-- `era`: at least $3, that of the event $5 before, unless the log went back to an earlier era since. $1 is
-- raised to the floor, because what lies below it is hidden although its partition may still be there. With
-- headers and body where the body has at most $6 bytes.
select number, era, event_id, received, type, size, key,
  case when size <= $6 then headers end, case when size <= $6 then body end
from event
where number > greatest($1, (select floor from endpoint where endpoint = ($2::bigint >> 40)::int))
  and number <= $2 and era >= case
    when $5 >= (select back_at from endpoint where endpoint = ($2::bigint >> 40)::int) then $3
    else 0
  end
order by number limit $4;

-- name: find_bounds
-- Where the logs of these endpoints begin and end.
select uid, floor, head from endpoint where uid = any($1::text[]);

-- name: find_floor
-- Where the log of an endpoint begins.
select floor from endpoint where uid = $1;

-- name: read_contents
-- Headers and bodies of the events that are still visible, as far as they lie in era $3 or later.
select e.number, e.headers, e.body from event e
join endpoint p on p.endpoint = $1 and e.number > p.floor
where e.number = any($2::bigint[]) and e.era >= $3;

-- name: find_event
-- One visible event with its content, by its id.
select e.number, e.event_id, e.received, e.type, e.size, e.key, e.headers, e.body
from event e join endpoint p on p.endpoint = (e.number >> 40)::int and e.number > p.floor
where e.event_id = $1;

-- name: find_number
-- The number of an event, visible or not.
select number from event where event_id = $1 limit 1;

-- name: find_newest
-- Events of all endpoints behind an id, the newest first, and whether each is still visible.
select e.number, e.event_id, e.received, e.type, e.size, e.key, coalesce(e.number > p.floor, false)
from (
  select v.number, v.event_id, v.received, v.type, v.size, v.key from event v
  where v.event_id < $1 order by v.event_id desc limit $2
) e
left join endpoint p on p.endpoint = (e.number >> 40)::int
order by e.event_id desc;

-- name: find_log
-- One endpoint, and the number behind which it is listed.
select endpoint, floor from endpoint where endpoint = $1;

-- name: find_logs
-- The logs of a subscription, and the number behind which each is listed. What came before the
-- subscription can have been delivered by a replay alone.
select c.endpoint, case
    when exists (select 1 from replay r where r.subscription = c.subscription) then p.floor
    else greatest(p.floor, c.start)
  end
from cursor c join endpoint p using (endpoint)
where c.subscription = $1;

-- name: walk_events
-- Of each piece of a log the newest events, at most so many.
select e.number, e.event_id, e.received, e.type, e.size, e.key, e.era
from unnest($1::bigint[], $2::bigint[]) as piece(above, below)
cross join lateral (
  select v.number, v.event_id, v.received, v.type, v.size, v.key, v.era from event v
  where v.number > piece.above and v.number < piece.below order by v.number desc limit $3
) e;

-- name: walk_rows
-- Of each piece of a log the deliveries that have a row, the newest first, at most so many.
select d.event, d.event_id, d.state
from unnest($1::bigint[], $2::bigint[]) as piece(above, below)
cross join lateral (
  select v.event, v.event_id, v.state from delivery v
  where v.subscription = $4 and v.event > piece.above and v.event < piece.below
  order by v.event desc limit $3
) d;

-- name: find_outcomes
-- What became of each of these events for a subscription; the last column says whether the event came
-- before the subscription, or while it did not read the endpoint. Attempts are made after their event was stored: only what the newer
-- partitions do not have is looked for in the older ones, where a clock that jumped may have put it.
select
  w.number,
  case
    when d.state = 'behind' then 'pending'
    when d.state is not null then d.state
    when w.number > c.position and c.left_at is null then 'pending'
    when w.number > c.position and w.number > c.left_at then null
    when exists (
      select 1 from attempt a
      where a.event_id = w.event_id and a.subscription = $1 and a.success and a.era >= w.era
    ) or exists (
      select 1 from attempt a
      where a.event_id = w.event_id and a.subscription = $1 and a.success and a.era < w.era
    ) then 'delivered'
    when w.number > c.position or w.number <= b.left_at then 'expired'
    else 'filtered'
  end,
  d.attempts, d.due, d.status_code, d.error,
  w.number <= c.start or coalesce(w.number > b.left_at and w.number <= b.upto, false)
from unnest($2::bigint[], $3::text[], $4::bigint[]) as w(number, event_id, era)
join cursor c on c.subscription = $1 and c.endpoint = (w.number >> 40)::int
left join delivery d on d.subscription = $1 and d.event = w.number
left join lateral (
  select a.left_at, a.upto from absence a
  where a.subscription = $1 and a.after < w.number and a.after >= c.endpoint::bigint << 40
  order by a.after desc limit 1
) b on true;

-- name: find_results
-- Of each of these events, which are visible, how often it was tried for a subscription, and the last
-- result.
select w.event_id, t.times, t.codes[1], t.errors[1]
from unnest($2::text[]) as w(event_id)
cross join lateral (
  select
    count(*) filter (where a.number > 0) as times,
    array_agg(a.status_code order by a.at desc, a.attempt desc) as codes,
    array_agg(a.error order by a.at desc, a.attempt desc) as errors
  from attempt a
  where a.event_id = w.event_id and a.subscription = $1
) t
where t.codes is not null;

-- name: find_rows
-- Deliveries that have a row, with their events.
select
  e.number, e.event_id, e.received, e.type, e.size, e.key, d.state, d.attempts, d.due, d.status_code,
  d.error
from unnest($2::bigint[]) as w(number)
join delivery d on d.subscription = $1 and d.event = w.number
cross join lateral (
  select v.number, v.event_id, v.received, v.type, v.size, v.key from event v
  where v.number = w.number limit 1
) e;

-- name: scan_attempts
-- Events behind an id that were tried, the newest first, and how often for some subscriptions, out of
-- so many attempts.
select
  s.event_id, count(*) filter (where $3::int[] is null or s.subscription = any($3)), count(*)
from (
  select event_id, subscription from attempt
  where event_id < $1 order by event_id desc limit $2
) s
group by s.event_id order by s.event_id desc;

-- name: find_attempts
-- Attempts of these events that are kept, the newest event first and its last attempt first: those that are
-- not too old, and all of an event that is visible.
select
  t.subscription, t.event, t.event_id, t.at, t.number, t.duration, t.success, t.status_code, t.error,
  t.answer, t.replay
from unnest($1::text[]) as w(event_id)
cross join lateral (
  select * from attempt a
  where a.event_id = w.event_id and ($2::int[] is null or a.subscription = any($2))
    and (
      a.at >= (select attempts_floor from store)
      or a.event > (select floor from endpoint p where p.endpoint = (a.event >> 40)::int)
    )
  offset 0
) t
order by t.event_id desc, t.at desc, t.attempt desc;

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
  rows.sending, rows.retrying, rows.dead, rows.next_due, waiting.pending + rows.behind,
  coalesce(least(nullif(waiting.oldest, 0), rows.oldest_behind), 0),
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
    count(*) filter (where d.state = 'behind') as behind,
    coalesce(min(d.due) filter (where d.state = 'retrying'), 0) as next_due,
    (
      select min(v.received) from event v where v.number in (
        select min(b.event) from delivery b
        where b.subscription = s.subscription and b.event_key <> '' and b.state = 'behind'
        group by b.event >> 40
      )
    ) as oldest_behind
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
  (select sum(epoch + flush_number + resume_requested + expired + filtered) from subscription),
  (select count(*) from delivery),
  (select sum(matched + delivered + failed + finished + 1) from replay)
from store s;

-- name: number_of_endpoint
-- Of one that may be gone by now.
select endpoint from endpoint where uid = $1;

-- name: number_of_subscription
-- Likewise.
select subscription from subscription where uid = $1;
