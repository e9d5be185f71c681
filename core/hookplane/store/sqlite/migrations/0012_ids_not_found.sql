-- Of the ids that a replay job names: how many it found nothing to send for.
alter table replay add column not_found integer not null default 0;
