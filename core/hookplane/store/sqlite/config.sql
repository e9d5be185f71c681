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

-- name: set_place
-- Where an object lives; its tombstone keeps it.
update config set place = ?3 where kind = ?1 and uid = ?2 and place <> ?3;

-- name: load_rows
-- All that changed after a version, oldest first.
select kind, uid, document, version, place from config where version > ?
order by version, kind, uid;

-- name: take_over_endpoint
-- An endpoint that is made again has the log of its predecessor, unless it is known itself.
update endpoint set uid = ?1 where uid = ?2 and not exists (select 1 from endpoint where uid = ?1);

-- name: take_over_subscription
-- A subscription that is made again has the row of its predecessor, unless it is known itself. What the
-- predecessor's owner still writes is refused. Whether it was seen to go or not, it comes back from now on.
update subscription set
  uid = ?1, deleted_at = max(deleted_at, 1),
  epoch = epoch + 1, flush_number = flush_number + 1, touched = touched + 1
where uid = ?2 and not exists (select 1 from subscription where uid = ?1);

-- name: refuse_owners
-- Owners that know an endpoint by the uid of its predecessor claim anew, and anybody may: an owner that gives up
-- just then can release nothing any more.
update subscription set epoch = epoch + 1, flush_number = flush_number + 1, touched = touched + 1
where subscription in (
  select c.subscription from cursor c join endpoint e using (endpoint) where e.uid = ?
)
returning uid;

-- name: endpoints_of
-- What a subscription reads, whether it is deleted or not.
select e.uid from subscription s join cursor c using (subscription) join endpoint e using (endpoint)
where s.uid = ? and c.left_at is null order by e.uid;

-- name: keep_endpoint
-- Adds an endpoint; one that was deleted and not yet removed comes back with its log.
insert into endpoint (uid, namespace) values (?, ?)
on conflict (uid) do update set deleted_at = 0, namespace = excluded.namespace;

-- name: open_logs
-- An endpoint that is new has its first number only now.
update endpoint set head = endpoint << 40, floor = endpoint << 40 where head = 0;

-- name: keep_subscription
-- Adds a subscription; one that was deleted and not yet removed comes back with its counters. If it was
-- disabled it is resumed: who deletes it and makes it again has acted.
insert into subscription (uid) values (?)
on conflict (uid) do update set
  deleted_at = 0,
  resume_requested = resume_requested + (
    deleted_at > 0 and coalesce(json_extract(cast(state as text), '$.disabled_at'), 0) > 0
  );

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

-- name: forget_absences
-- Forgets when a subscription was away from an endpoint, as far as the log does not go back to it.
delete from absence
where subscription = ?1 and after >= ?2 << 40 and after < ?2 + 1 << 40
  and upto <= (select floor from endpoint where endpoint = ?2);

-- name: keep_absence
-- One that comes back was away, if anything came meanwhile or had expired.
insert into absence (subscription, after, left_at, upto)
select subscription, position, left_at, ?3 from cursor
where subscription = ?1 and endpoint = ?2 and position < ?3;

-- name: join_cursor
-- One that was here before goes on at the head.
insert into cursor (subscription, endpoint, start, position) values (?1, ?2, ?3, ?3)
on conflict (subscription, endpoint) do update set
  skipped_after = case when position = skipped_upto then skipped_after else position end,
  skipped_upto = ?3,
  position = ?3,
  left_at = null;

-- name: expire_unread
-- What it has not read of logs other than the given ones will not be delivered any more, but for what has a
-- row of its own.
update subscription set touched = touched + 1, expired = expired + (
  select coalesce(sum(e.head - c.position - (
    select count(*) from delivery d
    where d.subscription = c.subscription and d.event > c.position and d.event <= e.head
  )), 0)
  from cursor c join endpoint e using (endpoint)
  where c.subscription = ?1 and c.left_at is null
    and c.endpoint not in (select value from json_each(?2))
)
where subscription = ?1;

-- name: leave_cursors
-- Stops reading logs other than the given ones; what was appended until now is what was missed.
update cursor set left_at = (select head from endpoint e where e.endpoint = cursor.endpoint)
where subscription = ?1 and left_at is null
  and endpoint not in (select value from json_each(?2));
