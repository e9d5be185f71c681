-- The connection that a process keeps as long as it lives. Null: a process of the version before, of which
-- only its heartbeats tell.
alter table process
  add column session integer,      -- pid of the server's process for it, which holds a lock of this number
  add column server timestamptz;   -- when that server started: a lock says nothing about another one
