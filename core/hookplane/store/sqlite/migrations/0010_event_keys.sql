-- What an event is about, such as a customer; empty: it has no key. Not the key of `dedup`.
alter table event add column key text not null default '';
