-- What an event is about, such as a customer; empty: it has no key. Not the key of `dedup`.
alter table event add column key text not null default '';

-- A copy of a partition that has begun lacks the column: packing begins it anew.
do $$
declare
  copy text;
begin
  for copy in
    select c.relname from pg_class c
    where c.relnamespace = current_schema()::regnamespace and c.relkind = 'r'
      and c.relname ~ '^event_-?[0-9]+_packed$'
  loop
    execute format('drop table %I', copy);
  end loop;
end $$;

-- Appends a group as append_4 does, and stores what each event is about.
create function append_5(
  uids text[], ids text[], arrivals bigint[], types text[], all_headers bytea[], bodies bytea[],
  keys bytea[], prints bytea[], spans bigint[], spares bytea[], event_keys text[]
) returns table (ordinal bigint, original text, conflict boolean)
language plpgsql as $$
declare
  present bigint := current_era();
  present_millis bigint := now_millis();
begin
  -- Heads stay locked through the commit: sequence order is commit order. The statement after this
  -- one has a snapshot of its own, so it sees all that the former holders of the locks wrote.
  perform 1 from endpoint e where e.uid = any(uids) and e.deleted_at = 0
  order by e.endpoint for no key update;
  return query
  with given as materialized (
    select g.*, e.endpoint, e.head, e.era > present + 4 as goes_back,
      case when e.era > present + 4 then present else greatest(e.era, present) end as era
    from unnest(uids, ids, arrivals, types, all_headers, bodies, keys, prints, spans, spares, event_keys)
      with ordinality as g(uid, id, arrival, type, headers, body, key, print, span, spare, event_key, nth)
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
    where g.key is not null and d.expires > present_millis
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
    insert into event (era, number, event_id, received, type, size, headers, body, key)
    select f.era, f.number, f.id, f.arrival, f.type, length(f.body), f.headers, f.body, f.event_key
    from fresh f
  ),
  keyed as (
    -- one that is still there has expired
    insert into dedup as d (endpoint, key, event_id, fingerprint, expires)
    select f.endpoint, case when f.spared then f.spare else f.key end as taken, f.id, f.print, present_millis + f.span
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
