-- name: lock_version
-- Writers of config come one after the other, so versions commit in order. With the time by which what is
-- deleted gets old: the later one of the writer's and the database's.
select config_version, greatest($1, now_millis()) from store for no key update;

-- name: set_version
-- The number that the rows of this commit carry.
update store set config_version = $1;

-- name: find_different
-- The documents among those given that differ from what is stored; new ones are among them.
select g.kind, g.uid
from unnest($1::text[], $2::text[], $3::bytea[]) as g(kind, uid, document)
left join config c on c.kind = g.kind and c.uid = g.uid
where c.document is distinct from g.document;

-- name: write_rows
-- Writes documents and tombstones, each with the version that brings it to readers.
insert into config (kind, uid, document, version, changed_at)
select g.kind, g.uid, g.document, $4, $5
from unnest($1::text[], $2::text[], $3::bytea[]) as g(kind, uid, document)
on conflict (kind, uid) do update set
  document = excluded.document, version = excluded.version, changed_at = excluded.changed_at;

-- name: set_places
-- Where objects live; their tombstones keep it.
update config c set place = g.place
from unnest($1::text[], $2::text[], $3::text[]) as g(kind, uid, place)
where c.kind = g.kind and c.uid = g.uid and c.place <> g.place;

-- name: find_joined
-- Endpoints that plans join before their head. Their floors must stand still until we commit.
select distinct e.uid
from unnest($1::text[], $2::text[], $3::text[]) as g(subscription, endpoint, start)
join endpoint e on e.uid = g.endpoint
left join subscription s on s.uid = g.subscription
where case when s.planned then e.endpoint > s.known_endpoint else g.start <> 'Latest' end
  and not exists (
    select 1 from cursor c where c.subscription = s.subscription and c.endpoint = e.endpoint
  );

-- name: find_moved
-- Endpoints among those given that are new, come back, or have another namespace.
select g.uid from unnest($1::text[], $2::text[]) as g(uid, namespace)
left join endpoint e on e.uid = g.uid
where e.uid is null or e.deleted_at <> 0 or e.namespace <> g.namespace;

-- name: lock_endpoints
-- In the order in which appends lock them.
select 1 from endpoint where uid = any($1::text[]) order by endpoint for no key update;

-- name: take_over_endpoints
-- Endpoints that are made again have the logs of their predecessors, unless they are known themselves.
update endpoint e set uid = g.uid
from unnest($1::text[], $2::text[]) as g(uid, predecessor)
where e.uid = g.predecessor and not exists (select 1 from endpoint x where x.uid = g.uid)
returning e.endpoint;

-- name: refuse_owners
-- Owners that know endpoints by the uids of their predecessors claim anew, and anybody may: an owner that gives
-- up just then can release nothing any more.
update subscription set
  owner = null, epoch = epoch + 1, flush_number = flush_number + 1, touched = touched + 1
where subscription in (select c.subscription from cursor c where c.endpoint = any($1::int[]));

-- name: take_over_subscriptions
-- Subscriptions that are made again have the rows of their predecessors, unless they are known themselves.
-- What the predecessors' owners still write is refused, and anybody may claim. Whether they were seen to go or
-- not, they come back from now on.
update subscription s set
  uid = g.uid, deleted_at = greatest(deleted_at, 1), owner = null,
  epoch = epoch + 1, flush_number = flush_number + 1, touched = touched + 1
from unnest($1::text[], $2::text[]) as g(uid, predecessor)
where s.uid = g.predecessor and not exists (select 1 from subscription x where x.uid = g.uid);

-- name: endpoints_of
-- What a subscription reads, whether it is deleted or not.
select e.uid from subscription s join cursor c using (subscription) join endpoint e using (endpoint)
where s.uid = $1 and c.left_at is null order by e.uid;

-- name: keep_endpoints
-- Adds endpoints; one that was deleted and not yet removed comes back with its log.
insert into endpoint (uid, namespace)
select g.uid, g.namespace from unnest($1::text[], $2::text[]) as g(uid, namespace)
on conflict (uid) do update set deleted_at = 0, namespace = excluded.namespace;

-- name: open_logs
-- An endpoint that is new has its first number only now.
update endpoint set head = endpoint::bigint << 40, floor = endpoint::bigint << 40
where uid = any($1::text[]) and head = 0;

-- name: delete_endpoints
-- Marks endpoints as deleted; retention removes them later. A second mark changes nothing.
update endpoint set deleted_at = $2 where uid = any($1::text[]) and deleted_at = 0;

-- name: lock_subscriptions
-- These, and all that read these endpoints, in the order in which flushes lock them; cursors stand still
-- until we commit.
select 1 from subscription where subscription in (
  select s.subscription from subscription s where s.uid = any($1::text[])
  union
  select c.subscription from cursor c join endpoint e using (endpoint) where e.uid = any($2::text[])
)
order by subscription for no key update;

-- name: keep_subscriptions
-- Adds subscriptions; one that was deleted and not yet removed comes back with its counters. If it was
-- disabled it is resumed: who deletes it and makes it again has acted.
insert into subscription as s (uid) select unnest($1::text[])
on conflict (uid) do update set
  deleted_at = 0,
  resume_requested = s.resume_requested + (
    s.deleted_at > 0 and coalesce((s.state::json ->> 'disabled_at')::bigint, 0) > 0
  )::int;

-- name: delete_subscriptions
-- Marks subscriptions as deleted; retention removes them later.
update subscription set deleted_at = $2 where uid = any($1::text[]) and deleted_at = 0;

-- name: find_unknown
-- One uid that the plan names and the store does not have; no row: all are known.
select 'subscription', g.uid from unnest($1::text[]) as g(uid)
where not exists (select 1 from subscription s where s.uid = g.uid and s.deleted_at = 0)
union all
select 'endpoint', g.uid from unnest($2::text[]) as g(uid)
where not exists (select 1 from endpoint e where e.uid = g.uid)
limit 1;

-- name: join_cursors
-- A plan's first endpoints start where the plan says; later ones at their floor if they are younger
-- than the subscription, so that it gets all that they ever accepted, else at their head. One that was
-- here before goes on at the head, and was away if anything came meanwhile or had expired; earlier
-- absences are forgotten as far as the log does not go back to them.
with wanted as materialized (
  select s.subscription, e.endpoint,
    case
      when s.planned and e.endpoint > s.known_endpoint then e.floor
      when s.planned or g.start = 'Latest' then e.head
      when g.start = 'Earliest' then e.floor
      else coalesce(
        (select v.number - 1 from event v
         where v.number > e.floor and v.number <= e.head and v.received >= g.start::bigint
         order by v.number limit 1),
        e.head)
    end as position
  from unnest($1::text[], $2::text[], $3::text[]) as g(subscription, endpoint, start)
  join subscription s on s.uid = g.subscription
  join endpoint e on e.uid = g.endpoint
  where not exists (
    select 1 from cursor c
    where c.subscription = s.subscription and c.endpoint = e.endpoint and c.left_at is null
  )
),
away as materialized (
  select c.subscription, c.endpoint, c.position, c.left_at, e.head, e.floor
  from wanted w join cursor c using (subscription, endpoint) join endpoint e using (endpoint)
),
forgotten as (
  delete from absence a using away w
  where a.subscription = w.subscription and a.upto <= w.floor and a.after >= w.endpoint::bigint << 40
),
kept as (
  insert into absence (subscription, after, left_at, upto)
  select subscription, position, left_at, head from away where position < head
)
insert into cursor (subscription, endpoint, start, position)
select subscription, endpoint, position, position from wanted
on conflict (subscription, endpoint) do update set
  skipped_after =
    case when cursor.position = cursor.skipped_upto then cursor.skipped_after else cursor.position end,
  skipped_upto = (select head from endpoint e where e.endpoint = excluded.endpoint),
  position = (select head from endpoint e where e.endpoint = excluded.endpoint),
  left_at = null;

-- name: leave_cursors
-- These subscriptions read no log any more but the given ones. What has no row of its own and is not settled
-- will not be delivered any more: how much that is.
with leaving as materialized (
  select c.subscription, c.endpoint, e.head, e.head - c.position - (
    select count(*) from delivery d
    where d.subscription = c.subscription and d.event > c.position and d.event <= e.head
  ) as skipped
  from cursor c
  join subscription s using (subscription)
  join endpoint e using (endpoint)
  where c.left_at is null and s.uid = any($1::text[]) and not exists (
    select 1 from unnest($2::text[], $3::text[]) as g(subscription, endpoint)
    where g.subscription = s.uid and g.endpoint = e.uid
  )
),
counted as (
  update subscription s set expired = s.expired + g.skipped, touched = s.touched + 1
  from (select subscription, sum(skipped) as skipped from leaving group by subscription) g
  where s.subscription = g.subscription
),
left_now as (
  update cursor c set left_at = l.head from leaving l
  where c.subscription = l.subscription and c.endpoint = l.endpoint
)
select coalesce(sum(skipped), 0)::bigint from leaving;

-- name: set_planned
-- Endpoints that there are by now and that a later plan adds start at their head; without any, all that
-- come are younger. The owner looks what is counted already before it writes again.
update subscription set
  planned = true,
  known_endpoint = case
    when planned then known_endpoint else coalesce((select max(endpoint) from endpoint), 0)
  end,
  touched = touched + 1
where uid = any($1::text[]);

-- name: load_rows
-- All that changed after a version, oldest first. One row without a document: nothing changed.
select s.config_version, c.kind, c.uid, c.document, c.version, c.place
from store s left join config c on c.version > $1
order by c.version, c.kind, c.uid;
