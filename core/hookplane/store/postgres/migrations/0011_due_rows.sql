-- What is not done, by due time: an owner has only the first of it in memory. It costs a failing attempt one
-- more entry, and its row no longer stays in its place on the page; a success costs nothing more.
create index delivery_by_due on delivery (subscription, due, event)
where state in ('sending', 'retrying');
