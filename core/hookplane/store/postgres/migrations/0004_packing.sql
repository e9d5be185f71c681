-- Retention by size hides most of a partition and leaves something of it: whoever has stored little
-- keeps that, and a partition goes only as a whole. Such a partition is packed: what is visible is copied in small steps into a table of
-- its own, which then takes its place. Both functions run with the owner's rights, so that the role of
-- the processes needs none on the new table.

-- What was hidden in an era since it was made or packed.
create table hidden (
  era bigint primary key,
  bytes bigint not null                        -- with headers, and about what a row costs besides
);

-- Hides the events of an endpoint behind `old` up to `new`.
create function raise_floor_1(of integer, old bigint, new bigint) returns void
language sql security definer set search_path from current as $$
  with gone as materialized (
    select e.era, sum(e.size) as bodies, sum(e.size + length(e.headers) + 128) as bytes
    from event e where e.number > old and e.number <= new group by e.era
  ),
  noted as (
    insert into hidden as h (era, bytes) select g.era, g.bytes from gone g order by g.era
    on conflict (era) do update set bytes = h.bytes + excluded.bytes
  )
  update endpoint set floor = new, bytes = bytes - (select coalesce(sum(bodies), 0) from gone)
  where endpoint = of
$$;

-- One step of packing: copies at most `rows` events and about `size` bytes of a partition of which
-- more than half, and more than `at_least` bytes, are hidden; when there is no more to copy, the copy
-- takes its place. `since`: eras that begin before are left alone, because they soon go as a whole.
-- True if another step may find more.
create function pack_partition_1(at_least bigint, since bigint, rows integer, size bigint)
returns boolean
language plpgsql security definer set search_path from current as $$
declare
  chosen bigint;
  name text;
  packed text;
  after bigint;
  upto bigint;
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
