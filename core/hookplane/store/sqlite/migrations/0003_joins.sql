-- Which endpoints a subscription is older than: all with a greater number than this came after its first
-- plan, so it joins them at their floor. Null: it was planned before this column was there.
alter table subscription add column known_endpoint integer;
