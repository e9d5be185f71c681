-- name: lock
select owner, term from store for no key update;

-- name: take
update store set owner = $1, term = $2;
