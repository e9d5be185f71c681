-- name: add
-- Remembers objects to be deleted a while later, counted from the later of our time and the caller's; one that
-- is known gets the new owner and time.
insert into orphan (namespace, name, owner, due)
select g.*, greatest(now_millis(), $4::bigint) + $5::bigint
from unnest($1::text[], $2::text[], $3::text[]) as g
on conflict (namespace, name) do update set owner = excluded.owner, due = excluded.due;

-- name: find_due
-- Objects whose time has come by our time and by the caller's, the oldest first; at most a hundred.
select namespace, name, owner from orphan where due <= least(now_millis(), $1::bigint)
order by due limit 100;

-- name: remove
-- Forgets an object, unless it was added again for another owner.
delete from orphan where namespace = $1 and name = $2 and owner = $3;
