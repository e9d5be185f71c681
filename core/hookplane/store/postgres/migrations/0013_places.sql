-- Where an object of a cluster lives: uid of its namespace, and its name. It stays with the tombstone, so
-- that who is made again there can take over. '': not known, as of all that was written before this column
-- was there.
alter table config add column place text not null default '';
