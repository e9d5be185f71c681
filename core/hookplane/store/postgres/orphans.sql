-- name: add
-- Remembers objects to be deleted later; one that is known gets the new owner and time.
insert into orphan (namespace, name, owner, due)
select * from unnest($1::text[], $2::text[], $3::text[], $4::bigint[])
on conflict (namespace, name) do update set owner = excluded.owner, due = excluded.due;

-- name: find_due
-- Objects whose time has come, the oldest first; at most a hundred.
select namespace, name, owner, due from orphan where due <= $1 order by due limit 100;

-- name: remove
-- Forgets an object, unless it was added again for another owner.
delete from orphan where namespace = $1 and name = $2 and owner = $3;
