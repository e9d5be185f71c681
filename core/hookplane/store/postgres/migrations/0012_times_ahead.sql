-- Whether something in the partition of an era is still visible. An attempt whose time lies more than a day
-- behind the end of its era was written by a process whose clock was ahead: it stays as long as its event,
-- or it would keep its partition, and all that are younger, until that time has come.
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
    execute format(
      'select exists (select 1 from %I a cross join store s where a.at >= s.attempts_floor and (
         a.at <= (a.era + 1) * s.era_millis + 86400000
         or exists (select 1 from endpoint p
                    where p.endpoint = (a.event >> 40)::integer and a.event > p.floor)))',
      name) into in_use;
  end if;
  return in_use;
end $$;
