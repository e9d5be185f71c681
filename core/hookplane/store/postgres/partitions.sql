-- name: make
-- Makes the partitions that will be needed soon; those that exist stay as they are.
select make_partitions_1($1);

-- name: find_past
-- The oldest partition of each table that may have had its time: events until floors say more,
-- attempts by the clock, but not before the events of their era; and the last one that lies further ahead
-- than partitions are made.
with found as (
  select p.relname as parent, substr(c.relname, length(p.relname) + 2)::bigint as era
  from pg_inherits i join pg_class c on c.oid = i.inhrelid join pg_class p on p.oid = i.inhparent
  where i.inhparent in ('event'::regclass, 'attempt'::regclass)
)
select parent, min(era) from found
where era < current_era()
  and (parent = 'event'
       or (era + 1) * (select era_millis from store) <= (select attempts_floor from store)
       and era < (select min(era) from found where parent = 'event'))
group by parent
union all
select parent, max(era) from found where era > current_era() + $1 group by parent;

-- name: drop
-- Drops a partition, if nothing in it is visible any more.
select drop_partition_1($1, $2);

-- name: pack
-- One step of copying what is visible out of a partition that is mostly hidden.
select pack_partition_1($1, $2, $3, $4);
