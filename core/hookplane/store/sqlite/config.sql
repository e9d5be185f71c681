-- name: find_version
-- The version of the last commit.
select config_version from store;

-- name: set_version
-- The number that the rows of this commit carry.
update store set config_version = ?;

-- name: find_document
-- The stored document of one object; null is a tombstone.
select document from config where kind = ? and uid = ?;

-- name: write_row
-- Writes a document or a tombstone with the version that brings it to readers.
insert into config (kind, uid, document, version, changed_at) values (?, ?, ?, ?, ?)
on conflict (kind, uid) do update set
  document = excluded.document, version = excluded.version, changed_at = excluded.changed_at;

-- name: load_rows
-- All that changed after a version, oldest first.
select kind, uid, document, version from config where version > ?
order by version, kind, uid;

-- name: keep_endpoint
-- Adds an endpoint; one that was deleted and not yet removed comes back with its log.
insert into endpoint (uid, namespace) values (?, ?)
on conflict (uid) do update set deleted_at = 0, namespace = excluded.namespace;

-- name: open_logs
-- An endpoint that is new has its first number only now.
update endpoint set head = endpoint << 40, floor = endpoint << 40 where head = 0;

-- name: keep_subscription
-- Adds a subscription; one that was deleted and not yet removed comes back with its counters.
insert into subscription (uid) values (?)
on conflict (uid) do update set deleted_at = 0;

-- name: delete_endpoint
-- Marks an endpoint as deleted; retention removes it later.
update endpoint set deleted_at = ? where uid = ? and deleted_at = 0;

-- name: delete_subscription
-- Marks a subscription as deleted; retention removes it later.
update subscription set deleted_at = ? where uid = ? and deleted_at = 0;

-- name: find_subscription
-- A subscription that is not deleted, whether it was planned before, and which endpoints it is older than.
select subscription, planned, known_endpoint from subscription where uid = ? and deleted_at = 0;

-- name: find_endpoint
-- Where an endpoint's log begins and ends.
select endpoint, head, floor from endpoint where uid = ?;

-- name: set_planned
-- Endpoints that there are by now and that a later plan adds start at their head; without any, all that
-- come are younger. The owner looks what is counted already before it writes again.
update subscription set
  planned = 1,
  known_endpoint = case
    when planned then known_endpoint else coalesce((select max(endpoint) from endpoint), 0)
  end,
  touched = touched + 1
where subscription = ?;

-- name: find_cursors
-- The endpoints of a subscription, and whether it still reads each.
select endpoint, left_at is null from cursor where subscription = ?;

-- name: first_since
-- The last event before a time, seen from the start of a log.
select number - 1 from event where number > ? and number <= ? and received >= ?
order by number limit 1;

-- name: join_cursor
-- One that was here before goes on at the head.
insert into cursor (subscription, endpoint, start, position) values (?1, ?2, ?3, ?3)
on conflict (subscription, endpoint) do update set
  skipped_after = case when position = skipped_upto then skipped_after else position end,
  skipped_upto = ?3,
  position = ?3,
  left_at = null;

-- name: count_left
-- What has no row of its own and is not settled will not be delivered any more.
update subscription set expired = expired + (
  select e.head - c.position - (
    select count(*) from delivery d
    where d.subscription = c.subscription and d.event > c.position and d.event <= e.head
  )
  from cursor c join endpoint e using (endpoint)
  where c.subscription = ?1 and c.endpoint = ?2
)
where subscription = ?1;

-- name: leave_cursor
-- Stops reading a log; what was appended until now is what was missed.
update cursor set left_at = (select head from endpoint e where e.endpoint = cursor.endpoint)
where subscription = ? and endpoint = ?;
