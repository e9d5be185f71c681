-- name: lock
-- Who wrote config last. Other writers wait until this transaction ends.
select owner, term, holder from store for no key update;

-- name: take
-- Makes the caller the writer; one with an earlier term sees it and stops.
update store set owner = $1, term = $2, holder = $3;
