-- Whose events an endpoint keeps, beside the sum of their bytes: it must be known of deleted ones too,
-- whose document is gone. '': nobody's, such as those of a built-in endpoint, or of one that was
-- deleted before this column was there.
alter table endpoint add column namespace text not null default '';

update endpoint e set namespace = coalesce(d.document ->> 'namespace', '')
from (
  select uid, convert_from(document, 'UTF8')::jsonb as document
  from config where kind = 'endpoint' and document is not null
) d
where d.uid = e.uid and not coalesce((d.document ->> 'builtin')::boolean, false);
