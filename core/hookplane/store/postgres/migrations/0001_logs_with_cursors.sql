-- Numbers: an endpoint and a subscription have a small integer besides their uid; it is never used
-- again for another. An event's number is (endpoint << 40) + sequence, as on SQLite; heads, floors
-- and cursors are event numbers as well. Times are milliseconds since the epoch.
--
-- Eras: events and attempts lie in partitions by the database's time. An era is that time divided
-- by `store.era_millis`. What retention removed is first hidden (floors), then goes with its
-- partition. All functions carry a number in their name: a later migration adds the next one beside
-- it, so that processes of the version before go on.

create table store (
  one integer primary key check (one = 1),
  config_version bigint not null default 0,
  incarnation uuid not null default gen_random_uuid(),
  era_millis bigint not null default 21600000, -- 6 hours; never changed once events are stored
  swept_id text not null default '',           -- retention has looked at all event ids up to here
  attempts_floor bigint not null default 0     -- attempts before this time are gone
);

insert into store (one) values (1);

create table config (
  kind text not null,
  uid text not null,
  document bytea,                              -- null: a tombstone
  version bigint not null,
  changed_at bigint not null,
  primary key (kind, uid)
);

create index config_by_version on config (version);

-- Numbers of endpoints change with every group of events: room on the page keeps updates in place.
create table endpoint (
  endpoint integer generated always as identity primary key,
  uid text not null unique,
  deleted_at bigint not null default 0,        -- 0: configured
  head bigint not null default 0,              -- number of the last event
  floor bigint not null default 0,             -- retention has removed everything up to here
  era bigint not null default 0,               -- of the last event; never goes back
  bytes bigint not null default 0,             -- bodies that are stored
  last_accepted bigint not null default 0
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

-- Apart from `endpoint`, so that reports of receivers do not wait for appends.
create table endpoint_report (
  endpoint integer primary key,
  duplicates bigint not null default 0,
  conflicts bigint not null default 0,
  last_rejected bigint not null default 0,
  last_rejected_reason text not null default '',
  last_rejected_detail text not null default ''
) with (fillfactor = 50);

create table rejection (
  endpoint integer not null,
  reason text not null,
  count bigint not null,
  primary key (endpoint, reason)
) with (fillfactor = 50);

create table event (
  era bigint not null,
  number bigint not null,
  event_id text not null check (length(event_id) between 1 and 64),
  received bigint not null check (received >= 0),
  type text not null,
  size integer not null,
  headers bytea not null,
  body bytea not null
) partition by range (era);

create index event_by_number on event (number);
create index event_by_id on event (event_id);

create table dedup (
  endpoint integer not null,
  key bytea not null check (length(key) <= 64),
  event_id text not null,
  fingerprint bytea not null,
  expires bigint not null,
  primary key (endpoint, key)
);

create index dedup_by_expiry on dedup (expires);

create table process (
  process bigint generated always as identity primary key,
  role text not null,
  instance text not null,
  registered_at bigint not null,
  expires_at bigint not null,                  -- its lease; by the database's clock
  ended boolean not null default false,        -- left, replaced, or found dead: for ever
  ready boolean not null default false,
  version bigint not null default 0,           -- of the config that is in force there
  refused text not null default '{}'           -- JSON: uid -> why its newest document was not taken
) with (fillfactor = 50);

create unique index process_alive on process (role, instance) where not ended;

create table subscription (
  subscription integer generated always as identity primary key,
  uid text not null unique,
  deleted_at bigint not null default 0,        -- 0: configured
  planned boolean not null default false,      -- its cursors have been created once
  owner bigint,                                -- process; null: released
  epoch bigint not null default 0,
  flush_number bigint not null default 0,
  resume_requested bigint not null default 0,
  delivered bigint not null default 0,
  filtered bigint not null default 0,
  filter_errors bigint not null default 0,
  dead bigint not null default 0,
  expired bigint not null default 0,
  attempts bigint not null default 0,
  failed_attempts bigint not null default 0,
  state text not null default '{}'             -- JSON; what is absent has its default
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

create table cursor (
  subscription integer not null,
  endpoint integer not null,
  start bigint not null,                       -- where it was created
  position bigint not null,                    -- everything up to here is settled
  left_at bigint,                              -- head when the endpoint left; null: it is read
  primary key (subscription, endpoint)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

create index cursor_by_endpoint on cursor (endpoint);

create table delivery (
  subscription integer not null,
  event bigint not null,
  event_id text not null,
  type text not null,
  state text not null check (state in ('sending', 'retrying', 'dead')),
  attempts integer not null,
  due bigint not null,
  deadline bigint not null,
  status_code integer not null,
  error text not null,
  replay text not null,
  changed_at bigint not null,
  primary key (subscription, event)
) with (fillfactor = 70);

create index delivery_by_event on delivery (event);

create table attempt (
  era bigint not null,
  attempt bigint not null,                     -- grows with time
  subscription integer not null,
  event bigint not null,
  event_id text not null,
  at bigint not null,
  number integer not null,
  duration bigint not null,
  success boolean not null,
  status_code integer not null,
  error text not null,
  answer bytea not null,
  replay text not null
) partition by range (era);

create sequence attempt_number owned by attempt.attempt cache 512;
alter table attempt alter attempt set default nextval('attempt_number');

-- By event id and not by event number: ids grow with time, so that inserts for many subscriptions
-- stay in the same few pages, and the listing is newest event first.
create index attempt_by_event on attempt (event_id, subscription, success);
-- A few bytes for a hundred pages: enough to count what retention hides.
create index attempt_by_time on attempt using brin (at);

create table replay (
  replay integer generated always as identity primary key,
  uid text not null unique,
  namespace text not null,
  name text not null,
  subscription integer not null,
  created bigint not null,
  received_from bigint not null,
  received_to bigint not null,
  states text[] not null,
  phase text not null default 'Running',
  position bigint not null default 0,          -- candidates up to this event were taken
  matched bigint not null default 0,
  delivered bigint not null default 0,
  failed bigint not null default 0,
  exhausted boolean not null default false,
  finished bigint not null default 0
);

create index replay_by_subscription on replay (subscription);

-- Events after `after` up to `upto` belong to the job; one asked for by id is a range of its own.
create table replay_range (
  replay integer not null,
  after bigint not null,
  upto bigint not null,
  primary key (replay, after)
);

-- What became of each event for each subscription that reads its endpoint or did so once. Events
-- and attempts that retention has hidden are not here.
create view outcome as
select
  c.subscription, c.start, e.number, e.event_id, e.received, e.type, e.size,
  d.attempts, d.due, d.status_code, d.error,
  case
    when d.state is not null then d.state
    when e.number > c.position and c.left_at is null then 'pending'
    when e.number > c.position and e.number <= c.left_at then 'expired'
    when e.number > c.position then null
    when exists (
      select 1 from attempt a
      where a.event_id = e.event_id and a.subscription = c.subscription and a.success
        and a.at >= (select attempts_floor from store)
    ) then 'delivered'
    else 'filtered'
  end as state
from event e
join endpoint p on p.endpoint = (e.number >> 40)::integer and e.number > p.floor
join cursor c on c.endpoint = p.endpoint
left join delivery d on d.subscription = c.subscription and d.event = e.number;

create function now_millis() returns bigint language sql volatile as
$$ select (extract(epoch from clock_timestamp()) * 1000)::bigint $$;

create function current_era() returns bigint language sql volatile as
$$ select now_millis() / era_millis from store $$;

-- Makes the partitions of this era and of the next `ahead`; gives the number of those it made.
-- A process of the data plane may call it without owning the tables.
create function make_partitions_1(ahead integer) returns integer
language plpgsql security definer set search_path from current as $$
declare
  made integer := 0;
  now_era bigint := current_era();
  parent text;
  name text;
begin
  if not pg_try_advisory_xact_lock(hashtext('hookplane.partitions')) then
    return 0;
  end if;
  foreach parent in array array['event', 'attempt'] loop
    for era in now_era .. now_era + ahead loop
      name := format('%s_%s', parent, era);
      if to_regclass(name) is null then
        -- made alone and attached: that takes no lock that appends would wait for
        execute format('create table %I (like %I including defaults including constraints)', name, parent);
        execute format('alter table %I add constraint in_era check (era = %s)', name, era);
        execute format('alter table %I attach partition %I for values from (%s) to (%s)',
                       parent, name, era, era + 1);
        execute format('alter table %I drop constraint in_era', name);
        made := made + 1;
      end if;
    end loop;
  end loop;
  return made;
end $$;

-- Drops the partition of an era if everything in it lies below the floors; true if it is gone.
create function drop_partition_1(parent text, era bigint) returns boolean
language plpgsql security definer set search_path from current as $$
declare
  name text := format('%s_%s', parent, era);
  in_use boolean;
begin
  if parent not in ('event', 'attempt') or era >= current_era() or to_regclass(name) is null then
    return false;
  end if;
  perform set_config('lock_timeout', '200ms', true);
  if parent = 'event' then
    execute format(
      'select exists (select 1 from endpoint p where (
         select max(number) from %I where number > p.endpoint::bigint << 40
           and number < (p.endpoint::bigint + 1) << 40) > p.floor)', name) into in_use;
  else
    execute format('select exists (select 1 from %I where at >= (select attempts_floor from store))',
                   name) into in_use;
  end if;
  if not in_use then
    execute format('alter table %I detach partition %I', parent, name);
    execute format('drop table %I', name);
  end if;
  return not in_use;
exception when lock_not_available then
  return false;
end $$;

-- Appends a group. The arrays are one event each, in their order; a key of null means that the
-- event id is the key. Within a group every (endpoint, key) is there once. Gives a row only for an
-- event that was not appended: `original` null: no such endpoint; else the id of the event that was
-- there before, which is the event's own id when an earlier call that nobody heard back from had
-- appended it.
create function append_1(
  uids text[], ids text[], arrivals bigint[], types text[], all_headers bytea[], bodies bytea[],
  keys bytea[], prints bytea[], untils bigint[]
) returns table (ordinal bigint, original text, conflict boolean)
language plpgsql as $$
declare
  present bigint := current_era();
begin
  -- Heads stay locked through the commit: sequence order is commit order. The statement after this
  -- one has a snapshot of its own, so it sees all that the former holders of the locks wrote.
  perform 1 from endpoint e where e.uid = any(uids) and e.deleted_at = 0
  order by e.endpoint for no key update;
  return query
  with given as materialized (
    select g.*, e.endpoint, e.head, greatest(e.era, present) as era
    from unnest(uids, ids, arrivals, types, all_headers, bodies, keys, prints, untils)
      with ordinality as g(uid, id, arrival, type, headers, body, key, print, until, nth)
    left join endpoint e on e.uid = g.uid and e.deleted_at = 0
  ),
  known as materialized (
    select g.nth, d.event_id, d.fingerprint <> g.print as conflict
    from given g join dedup d on d.endpoint = g.endpoint and d.key = g.key
    where g.key is not null and d.expires > g.arrival
    union all
    -- the same id can come twice within seconds only: somebody did not hear back
    select g.nth, v.event_id, v.body <> g.body
    from given g join event v on v.event_id = g.id and v.era >= present - 1
      and v.number > g.endpoint::bigint << 40 and v.number < (g.endpoint::bigint + 1) << 40
    where g.key is null
  ),
  fresh as materialized (
    select g.*, g.head + row_number() over (partition by g.endpoint order by g.nth) as number
    from given g
    where g.endpoint is not null and not exists (select 1 from known k where k.nth = g.nth)
  ),
  stored as (
    insert into event (era, number, event_id, received, type, size, headers, body)
    select f.era, f.number, f.id, f.arrival, f.type, length(f.body), f.headers, f.body from fresh f
  ),
  keyed as (
    -- one that is still there has expired
    insert into dedup as d (endpoint, key, event_id, fingerprint, expires)
    select f.endpoint, f.key, f.id, f.print, f.until from fresh f where f.key is not null
    order by f.endpoint, f.key
    on conflict (endpoint, key) do update set
      event_id = excluded.event_id, fingerprint = excluded.fingerprint, expires = excluded.expires
  ),
  raised as (
    update endpoint e set
      head = g.number, era = g.era, bytes = e.bytes + g.bytes,
      last_accepted = greatest(e.last_accepted, g.arrival)
    from (
      select f.endpoint, max(f.number) as number, max(f.era) as era,
        sum(length(f.body)) as bytes, max(f.arrival) as arrival
      from fresh f group by f.endpoint
    ) g
    where e.endpoint = g.endpoint
  )
  select k.nth, k.event_id, k.conflict from known k
  union all
  select g.nth, null, false from given g where g.endpoint is null;
end $$;
