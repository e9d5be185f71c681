-- Grows whenever others than its owner change cursors or rows of a subscription: what the owner writes next
-- may be about deliveries that are counted as expired already.
alter table subscription add column touched integer not null default 0;

-- An endpoint that left and came back: what lies behind the first number up to the second is counted as
-- expired, or was none of the subscription's. Null: it never left.
alter table cursor add column skipped_after integer;
alter table cursor add column skipped_upto integer;
