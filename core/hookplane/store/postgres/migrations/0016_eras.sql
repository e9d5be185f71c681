-- A log leaves an era that lies too far ahead: the database's clock told another time for a while. What was
-- stored meanwhile stays where it is until retention has hidden it, and then goes with its partition.

-- The first event that was stored after the log last went back to an earlier era: from there on its eras do not
-- go back. 0: it never did.
alter table endpoint add column back_at bigint not null default 0;

-- Appends a group as append_2 does, but for one thing: a log whose last event lies in an era further ahead than
-- partitions are made goes on in the era of now.
create function append_3(
  uids text[], ids text[], arrivals bigint[], types text[], all_headers bytea[], bodies bytea[],
  keys bytea[], prints bytea[], untils bigint[], spares bytea[]
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
    select g.*, e.endpoint, e.head, e.era > present + 4 as goes_back,
      case when e.era > present + 4 then present else greatest(e.era, present) end as era
    from unnest(uids, ids, arrivals, types, all_headers, bodies, keys, prints, untils, spares)
      with ordinality as g(uid, id, arrival, type, headers, body, key, print, until, spare, nth)
    left join endpoint e on e.uid = g.uid and e.deleted_at = 0
  ),
  held as materialized (
    -- What the key stands for, and the spare one. Looked up one by one: a plan that was made while the
    -- table was small would read all of it for each group.
    select g.nth, d.event_id, d.fingerprint <> g.print as other, d.key <> g.key as spared
    from given g cross join lateral (
      select * from dedup d where d.endpoint = g.endpoint and d.key = any(array[g.key, g.spare])
      offset 0
    ) d
    where g.key is not null and d.expires > g.arrival
  ),
  known as materialized (
    select distinct on (h.nth) h.nth, h.event_id, h.other or h.spared as conflict
    from held h join given g using (nth)
    where not h.other or g.spare is null
    order by h.nth, h.spared
  ),
  known_ids as materialized (
    -- the same id can come twice within seconds only: somebody did not hear back
    select g.nth, v.event_id, v.body <> g.body as conflict
    from given g join event v on v.event_id = g.id and v.era >= present - 1
      and v.number > g.endpoint::bigint << 40 and v.number < (g.endpoint::bigint + 1) << 40
    where g.key is null
  ),
  fresh as materialized (
    select g.*, g.head + row_number() over (partition by g.endpoint order by g.nth) as number,
      g.spare is not null and (
        exists (select 1 from held h where h.nth = g.nth)
        or row_number() over (partition by g.endpoint, g.key order by g.nth) > 1
      ) as spared
    from given g
    where g.endpoint is not null
      and not exists (select 1 from known k where k.nth = g.nth)
      and not exists (select 1 from known_ids k where k.nth = g.nth)
  ),
  stored as (
    insert into event (era, number, event_id, received, type, size, headers, body)
    select f.era, f.number, f.id, f.arrival, f.type, length(f.body), f.headers, f.body from fresh f
  ),
  keyed as (
    -- one that is still there has expired
    insert into dedup as d (endpoint, key, event_id, fingerprint, expires)
    select f.endpoint, case when f.spared then f.spare else f.key end as taken, f.id, f.print, f.until
    from fresh f where f.key is not null
    order by f.endpoint, taken
    on conflict (endpoint, key) do update set
      event_id = excluded.event_id, fingerprint = excluded.fingerprint, expires = excluded.expires
  ),
  raised as (
    update endpoint e set
      head = g.number, era = g.era, bytes = e.bytes + g.bytes,
      last_accepted = greatest(e.last_accepted, g.arrival),
      back_at = case when g.goes_back then g.first else e.back_at end
    from (
      select f.endpoint, max(f.number) as number, min(f.number) as first, max(f.era) as era,
        bool_or(f.goes_back) as goes_back,
        sum(length(f.body)) as bytes, max(f.arrival) as arrival
      from fresh f group by f.endpoint
    ) g
    where e.endpoint = g.endpoint
  )
  select k.nth, k.event_id, k.conflict from known k
  union all
  select k.nth, k.event_id, k.conflict from known_ids k
  union all
  select f.nth, null, true from fresh f where f.spared
  union all
  select g.nth, null, false from given g where g.endpoint is null;
end $$;

-- Drops the partition of an era if everything in it lies below the floors; true if it is gone. Of eras that
-- are to come those for which partitions are made ahead stay. A transaction that took the era before may
-- commit until the lock is there, so it is the answer under the lock that counts; the one before spares
-- appends the wait for a partition that stays.
create or replace function drop_partition_1(parent text, era bigint) returns boolean
language plpgsql security definer set search_path from current as $$
declare
  name text := format('%s_%s', parent, era);
begin
  if parent not in ('event', 'attempt') or era between current_era() and current_era() + 4
     or to_regclass(name) is null or partition_in_use_1(parent, name) then
    return false;
  end if;
  perform set_config('lock_timeout', '200ms', true);
  -- the parent first, as whoever writes does
  execute format('lock table only %I in access exclusive mode', parent);
  execute format('lock table only %I in access exclusive mode', name);
  if partition_in_use_1(parent, name) then
    return false;
  end if;
  execute format('alter table %I detach partition %I', parent, name);
  execute format('drop table %I', name);
  return true;
exception when lock_not_available or undefined_table then
  return false;
end $$;

-- One step of packing, as in migration 0004. A log may go back into an era that is being packed, so the copy
-- takes the place of the partition only if it has the last event of each log, which is looked at under the
-- lock; otherwise it is made anew.
create or replace function pack_partition_1(at_least bigint, since bigint, rows integer, size bigint)
returns boolean
language plpgsql security definer set search_path from current as $$
declare
  chosen bigint;
  name text;
  packed text;
  after bigint;
  upto bigint;
  late boolean;
begin
  for chosen in select era from hidden where to_regclass('event_' || era) is null loop
    execute format('drop table if exists %I', 'event_' || chosen || '_packed');
    delete from hidden where era = chosen;
  end loop;
  -- an era ago, so that nothing is on its way there any more
  select h.era into chosen from hidden h, store s
  where h.era < current_era() - 1 and h.era * s.era_millis > since and h.bytes > at_least
    and h.bytes * 2 > pg_total_relation_size(to_regclass('event_' || h.era))
  order by h.era limit 1;
  if chosen is null then
    return false;
  end if;
  name := 'event_' || chosen;
  packed := name || '_packed';
  if to_regclass(packed) is null then
    execute format('create table %I (like event including defaults including constraints
                   including indexes)', packed);
    execute format('alter table %I add constraint in_era check (era = %s)', packed, chosen);
  end if;
  execute format('select coalesce(max(number), 0) from %I', packed) into after;
  -- log by log, so that what is hidden is not read
  select max(t.number) into upto from (
    select v.number, sum(v.size) over (order by v.number) - v.size as before from (
      select e.number, e.size
      from (
        select greatest(p.floor, after) as start, p.head from endpoint p
        where p.head > greatest(p.floor, after) order by p.endpoint
      ) l
      cross join lateral (
        select v.number, v.size from event v
        where v.era = chosen and v.number > l.start and v.number <= l.head
        order by v.number limit rows
      ) e
      limit rows
    ) v
  ) t where t.before < size;
  if upto is not null then
    execute format(
      'insert into %I select e.* from endpoint p cross join lateral (
         select v.* from event v where v.era = $1
           and v.number > greatest(p.floor, $2) and v.number <= least(p.head, $3)
         order by v.number
       ) e where p.head > $2 and p.floor < $3', packed) using chosen, after, upto;
    return true;
  end if;
  perform set_config('lock_timeout', '200ms', true);
  -- the parent first, as whoever writes does
  lock table only event in access exclusive mode;
  execute format('lock table only %I in access exclusive mode', name);
  execute format(
    'select exists (select 1 from endpoint p where coalesce((
       select max(number) from %I where number > p.floor and number <= p.head), 0) > coalesce((
       select max(number) from %I where number > p.floor and number <= p.head), 0))',
    name, packed) into late;
  if late then
    execute format('drop table %I', packed);
    return true;
  end if;
  execute format('alter table event detach partition %I', name);
  execute format('drop table %I', name);
  execute format('alter table %I rename to %I', packed, name);
  execute format('alter table event attach partition %I for values from (%s) to (%s)',
                 name, chosen, chosen + 1);
  execute format('alter table %I drop constraint in_era', name);
  delete from hidden where era = chosen;
  return true;
exception when lock_not_available then
  return false;
end $$;
