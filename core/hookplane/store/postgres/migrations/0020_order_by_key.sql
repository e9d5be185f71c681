-- Order by key: an event that comes behind another one with its key has a row, so that the cursor goes on.
alter table delivery add column event_key text not null default '';
alter table delivery drop constraint delivery_state_check;
alter table delivery add constraint delivery_state_check
  check (state in ('sending', 'retrying', 'behind', 'dead'));

-- What is not done of each key, in the order of the log. Others have no entry in it.
create index delivery_by_key on delivery (subscription, event_key, event)
where event_key <> '' and state in ('sending', 'retrying', 'behind');
