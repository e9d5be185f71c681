-- name: find_heads
-- The last number of each log that may grow; deleted endpoints are unknown.
select uid, endpoint, head from endpoint
where uid in (select value from json_each(?)) and deleted_at = 0;

-- name: last_content
-- The last number of a content; the next one is greater by one.
select coalesce(max(content), 0) from content;

-- name: find_keys
-- What the store knows of these keys, expired ones too.
with wanted (endpoint, key) as (values (?, ?))
select endpoint, key, event_id, fingerprint, expires
from wanted join dedup using (endpoint, key);

-- name: find_same_id
-- The body of the event with this id in this log.
select c.body from event e join content c using (content)
where e.event_id = ? and e.number >> 40 = ?;

-- name: insert_event
-- Adds an event to its log.
insert into event (number, event_id, received, type, size, content, arrived, key)
values (?, ?, ?, ?, ?, ?, ?, ?);

-- name: insert_content
-- Adds the headers and the body of an event.
insert into content (content, headers, body) values (?, ?, ?);

-- name: insert_key
-- One that is still there has expired.
insert into dedup (endpoint, key, event_id, fingerprint, expires) values (?, ?, ?, ?, ?)
on conflict (endpoint, key) do update
set event_id = excluded.event_id, fingerprint = excluded.fingerprint, expires = excluded.expires;

-- name: raise_head
-- Makes what was added visible and counts its bytes.
update endpoint set head = ?, bytes = bytes + ?, last_accepted = max(last_accepted, ?)
where endpoint = ?;
