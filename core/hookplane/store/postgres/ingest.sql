-- name: append
-- Gives numbers without gaps to the events of a group, all in one transaction, and a row only for an
-- event that was not appended as the first one of its key: with `original`, the id of the event that was
-- there before; null: a conflict that was appended all the same, else there is no such endpoint. The function (migration 0019) locks the heads in one statement and writes in a second
-- one, which sees all that earlier holders of the locks wrote; so the two need one round trip.
select ordinal, original, conflict from append_5($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11);

-- name: find_held
-- Logs whose head is locked. Those that are free are locked for the time of this statement.
with free as materialized (
  select uid from endpoint where uid = any($1::text[]) and deleted_at = 0
  for no key update skip locked
)
select uid from endpoint where uid = any($1::text[]) and deleted_at = 0
  and uid not in (select uid from free);
