-- name: add_report
-- Adds to an endpoint's counts; the latest rejection is the one that stays.
update endpoint set
  duplicates = duplicates + ?1,
  conflicts = conflicts + ?2,
  last_rejected_reason = iif(?3 >= last_rejected and ?3 > 0, ?4, last_rejected_reason),
  last_rejected_detail = iif(?3 >= last_rejected and ?3 > 0, ?5, last_rejected_detail),
  last_rejected = max(last_rejected, ?3)
where endpoint = ?6;

-- name: add_rejections
-- Adds to the count for a reason.
insert into rejection (endpoint, reason, count) values (?, ?, ?)
on conflict (endpoint, reason) do update set count = count + excluded.count;
