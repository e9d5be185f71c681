-- Partitions are made by whoever misses one, and dropped only under their lock. Both functions promise
-- what they promised before and are only replaced, so that processes of the version before do right too.

-- Makes the partitions of this era and of the next `ahead`; gives the number of those it made. Who calls
-- while another makes them waits, because the caller may be about to store something there.
-- A process of the data plane may call it without owning the tables.
create or replace function make_partitions_1(ahead integer) returns integer
language plpgsql security definer set search_path from current as $$
declare
  made integer := 0;
  now_era bigint;
  parent text;
  name text;
begin
  perform pg_advisory_xact_lock(hashtext('hookplane.partitions'));
  now_era := current_era();
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

-- Whether something in the partition of an era is still visible.
create or replace function partition_in_use_1(parent text, name text) returns boolean
language plpgsql security definer set search_path from current as $$
declare
  in_use boolean;
begin
  if parent = 'event' then
    execute format(
      'select exists (select 1 from endpoint p where (
         select max(number) from %I where number > p.endpoint::bigint << 40
           and number < (p.endpoint::bigint + 1) << 40) > p.floor)', name) into in_use;
  else
    execute format('select exists (select 1 from %I where at >= (select attempts_floor from store))',
                   name) into in_use;
  end if;
  return in_use;
end $$;

-- Drops the partition of an era if everything in it lies below the floors; true if it is gone. A
-- transaction that took the era before may commit until the lock is there, so it is the answer under
-- the lock that counts; the one before spares appends the wait for a partition that stays.
create or replace function drop_partition_1(parent text, era bigint) returns boolean
language plpgsql security definer set search_path from current as $$
declare
  name text := format('%s_%s', parent, era);
begin
  if parent not in ('event', 'attempt') or era >= current_era() or to_regclass(name) is null
     or partition_in_use_1(parent, name) then
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
