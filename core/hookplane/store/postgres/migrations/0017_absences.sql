-- Each time that a subscription left an endpoint and came back, as numbers of events: what lies behind `after`
-- up to `left_at` expired when it left, what follows up to `upto` was none of its own.
create table absence (
  subscription integer not null,
  after bigint not null,
  left_at bigint not null,
  upto bigint not null,
  primary key (subscription, after)
);

-- Of earlier ones it is not known when they began.
insert into absence (subscription, after, left_at, upto)
select subscription, skipped_after, skipped_upto, skipped_upto from cursor where skipped_after < skipped_upto;

-- Who may write cursors writes this too: rights were given to the tables that there were.
do $$
declare
  process text;
begin
  for process in
    select distinct coalesce(quote_ident(r.rolname), 'public')
    from pg_class c cross join lateral aclexplode(c.relacl) a left join pg_roles r on r.oid = a.grantee
    where c.oid = 'cursor'::regclass and a.privilege_type = 'DELETE' and a.grantee <> c.relowner
  loop
    execute format('grant select, insert, update, delete on absence to %s', process);
  end loop;
end $$;
