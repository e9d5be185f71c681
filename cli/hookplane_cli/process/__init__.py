"""`hookplane receiver`, `dispatcher` and `console`: one of many processes on one PostgreSQL.

Settings come from environment variables and files; all mistakes in them are listed at once. The
process connects, registers, starts its role, and serves until a signal comes. While the store is
away it waits and tries again; when the database is another one than before it starts over, because
its memory may be ahead of the data.
"""
