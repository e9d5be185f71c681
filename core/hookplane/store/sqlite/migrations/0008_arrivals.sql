-- When an event arrived by the clock of the store; 0: not known, as of all that is older than this column.
-- Retention goes by it and by what the receiver told.
alter table event add column arrived integer not null default 0;
