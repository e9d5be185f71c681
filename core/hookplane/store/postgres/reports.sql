-- name: add_report
-- Adds to an endpoint's counts; the latest rejection of all processes is the one that stays.
insert into endpoint_report as r (
  endpoint, duplicates, conflicts, last_rejected, last_rejected_reason, last_rejected_detail
)
values ($1, $2, $3, $4, $5, $6)
on conflict (endpoint) do update set
  duplicates = r.duplicates + excluded.duplicates,
  conflicts = r.conflicts + excluded.conflicts,
  last_rejected_reason = case
    when excluded.last_rejected >= r.last_rejected and excluded.last_rejected > 0
    then excluded.last_rejected_reason else r.last_rejected_reason end,
  last_rejected_detail = case
    when excluded.last_rejected >= r.last_rejected and excluded.last_rejected > 0
    then excluded.last_rejected_detail else r.last_rejected_detail end,
  last_rejected = greatest(r.last_rejected, excluded.last_rejected);

-- name: add_rejections
-- Adds to the counts for each reason, in one order for all processes.
insert into rejection as r (endpoint, reason, count)
select $1, g.reason, g.count from unnest($2::text[], $3::bigint[]) as g(reason, count)
order by g.reason
on conflict (endpoint, reason) do update set count = r.count + excluded.count;
