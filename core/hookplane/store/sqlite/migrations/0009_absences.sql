-- Each time that a subscription left an endpoint and came back, as numbers of events: what lies behind `after`
-- up to `left_at` expired when it left, what follows up to `upto` was none of its own.
create table absence (
  subscription integer not null,
  after integer not null,
  left_at integer not null,
  upto integer not null,
  primary key (subscription, after)
) strict, without rowid;

-- Of earlier ones it is not known when they began.
insert into absence (subscription, after, left_at, upto)
select subscription, skipped_after, skipped_upto, skipped_upto from cursor where skipped_after < skipped_upto;

-- A query says it now.
drop view if exists outcome;
