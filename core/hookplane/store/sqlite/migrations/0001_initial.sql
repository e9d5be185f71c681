-- Numbers: an endpoint and a subscription have a small integer besides their uid; it is never used
-- again for another. An event's number is (endpoint << 40) + sequence, so that the log is the table
-- itself and needs no second index. Heads, floors and cursors are event numbers as well.
-- Times are milliseconds since the epoch.

create table store (
  one integer primary key check (one = 1),
  config_version integer not null
) strict;

insert into store (one, config_version) values (1, 0);

create table config (
  kind text not null,
  uid text not null,
  document blob,                            -- null: a tombstone
  version integer not null,
  changed_at integer not null,
  primary key (kind, uid)
) strict;

create index config_by_version on config (version);

create table endpoint (
  endpoint integer primary key autoincrement,
  uid text not null unique,
  deleted_at integer not null default 0,    -- 0: configured
  head integer not null default 0,          -- number of the last event
  floor integer not null default 0,         -- retention has removed everything up to here
  bytes integer not null default 0,         -- bodies that are stored
  last_accepted integer not null default 0,
  duplicates integer not null default 0,
  conflicts integer not null default 0,
  last_rejected integer not null default 0,
  last_rejected_reason text not null default '',
  last_rejected_detail text not null default ''
) strict;

create table rejection (
  endpoint integer not null,
  reason text not null,
  count integer not null,
  primary key (endpoint, reason)
) strict, without rowid;

create table event (
  number integer primary key,
  event_id text not null unique check (length(event_id) between 1 and 64),
  received integer not null check (received >= 0),
  type text not null,
  size integer not null,
  content integer not null
) strict;

-- Apart from `event`, so that reading metadata does not page through bodies, and numbered over all
-- endpoints, so that a group of events for many endpoints fills few pages.
create table content (
  content integer primary key,
  headers blob not null,
  body blob not null
) strict;

create table dedup (
  endpoint integer not null,
  key blob not null check (length(key) <= 64),
  event_id text not null,
  fingerprint blob not null,
  expires integer not null,
  primary key (endpoint, key)
) strict, without rowid;

create index dedup_by_expiry on dedup (expires);

create table subscription (
  subscription integer primary key autoincrement,
  uid text not null unique,
  deleted_at integer not null default 0,    -- 0: configured
  planned integer not null default 0,       -- 1: its cursors have been created once
  epoch integer not null default 0,
  flush_number integer not null default 0,
  resume_requested integer not null default 0,
  delivered integer not null default 0,
  filtered integer not null default 0,
  filter_errors integer not null default 0,
  dead integer not null default 0,
  expired integer not null default 0,
  attempts integer not null default 0,
  failed_attempts integer not null default 0,
  state blob not null default x'7b7d'       -- JSON; what is absent has its default
) strict;

create table cursor (
  subscription integer not null,
  endpoint integer not null,
  start integer not null,                   -- where it was created
  position integer not null,                -- everything up to here is settled
  left_at integer,                          -- head when the endpoint left; null: it is read
  primary key (subscription, endpoint)
) strict, without rowid;

create index cursor_by_endpoint on cursor (endpoint);

create table delivery (
  subscription integer not null,
  event integer not null,
  event_id text not null,
  type text not null,
  state text not null check (state in ('sending', 'retrying', 'dead')),
  attempts integer not null,
  due integer not null,
  deadline integer not null,
  status_code integer not null,
  error text not null,
  replay text not null,
  changed_at integer not null,
  primary key (subscription, event)
) strict, without rowid;

create index delivery_by_event on delivery (event);

create table attempt (
  attempt integer primary key,
  subscription integer not null,
  event integer not null,
  event_id text not null,
  at integer not null,
  number integer not null,
  duration integer not null,
  success integer not null,
  status_code integer not null,
  error text not null,
  answer blob not null,
  replay text not null
) strict;

-- By event id and not by event number: ids grow with time, so that inserts for many subscriptions
-- stay in the same few pages, and the listing is newest event first.
create index attempt_by_event on attempt (event_id, subscription, success);

create table replay (
  replay integer primary key autoincrement,
  uid text not null unique,
  namespace text not null,
  name text not null,
  subscription integer not null,
  created integer not null,
  received_from integer not null,
  received_to integer not null,
  states text not null,                     -- JSON
  phase text not null default 'Running',
  position integer not null default 0,      -- candidates up to this event were taken
  matched integer not null default 0,
  delivered integer not null default 0,
  failed integer not null default 0,
  exhausted integer not null default 0,
  finished integer not null default 0
) strict;

create index replay_by_subscription on replay (subscription);

-- Events after `after` up to `upto` belong to the job; one asked for by id is a range of its own.
create table replay_range (
  replay integer not null,
  after integer not null,
  upto integer not null,
  primary key (replay, after)
) strict, without rowid;

-- What became of each event for each subscription that reads its endpoint or did so once.
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
      where a.event_id = e.event_id and a.subscription = c.subscription and a.success = 1
    ) then 'delivered'
    else 'filtered'
  end as state
from event e
cross join cursor c on c.endpoint = e.number >> 40
left join delivery d on d.subscription = c.subscription and d.event = e.number;
