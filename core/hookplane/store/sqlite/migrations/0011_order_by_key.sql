-- Order by key: an event that comes behind another one with its key has a row, so that the cursor goes on.
-- A check cannot be changed, so the table is made anew.
create table delivery_with_key (
  subscription integer not null,
  event integer not null,
  event_id text not null,
  type text not null,
  state text not null check (state in ('sending', 'retrying', 'behind', 'dead')),
  attempts integer not null,
  due integer not null,
  deadline integer not null,
  status_code integer not null,
  error text not null,
  replay text not null,
  event_key text not null,
  changed_at integer not null,
  primary key (subscription, event)
) strict, without rowid;

insert into delivery_with_key
select
  subscription, event, event_id, type, state, attempts, due, deadline, status_code, error, replay,
  '', changed_at
from delivery;

drop table delivery;
alter table delivery_with_key rename to delivery;

create index delivery_by_event on delivery (event);
create index delivery_by_replay on delivery (replay) where replay <> '';
create index delivery_by_due on delivery (subscription, due, event)
where state in ('sending', 'retrying');

-- What is not done of each key, in the order of the log. Others have no entry in it.
create index delivery_by_key on delivery (subscription, event_key, event)
where event_key <> '' and state in ('sending', 'retrying', 'behind');
