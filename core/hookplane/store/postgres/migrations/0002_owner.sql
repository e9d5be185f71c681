-- Whose database this is, and the term of whoever writes its configuration. Both are taken by the
-- operator; what runs without one leaves them as they are.
alter table store
  add column owner text not null default '',  -- cluster/namespace/name of the gateway; '': nobody's
  add column term bigint not null default 0;  -- grows with each leader; a lower one may not write

-- Generated Secrets whose objects are gone; the operator deletes them a day later. Here, because it
-- may be another operator by then, and none needs the right to list Secrets.
create table orphan (
  namespace text not null,
  name text not null,
  owner text not null,                         -- uid of the object that is gone
  due bigint not null,
  primary key (namespace, name)
);
