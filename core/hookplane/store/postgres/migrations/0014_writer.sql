-- Which process took the term. Terms are numbers that only grow from here on; those of the version before are
-- microseconds, and the next one is one more. A term that two processes have is that of the one named here.
alter table store add column holder text not null default '';
