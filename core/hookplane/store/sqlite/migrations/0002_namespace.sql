-- Whose events an endpoint keeps, beside the sum of their bytes: it must be known of deleted ones too,
-- whose document is gone. '': nobody's, such as those of a built-in endpoint, or of one that was
-- deleted before this column was there.
alter table endpoint add column namespace text not null default '';

update endpoint set namespace = coalesce(json_extract(cast(c.document as text), '$.namespace'), '')
from config c
where c.kind = 'endpoint' and c.uid = endpoint.uid and c.document is not null
  and not coalesce(json_extract(cast(c.document as text), '$.builtin'), 0);
