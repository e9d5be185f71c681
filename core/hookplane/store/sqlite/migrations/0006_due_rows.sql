-- What is not done, by due time: an owner has only the first of it in memory.
create index delivery_by_due on delivery (subscription, due, event)
where state in ('sending', 'retrying');
