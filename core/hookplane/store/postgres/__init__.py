"""The store that all processes of a gateway share: a schema in a PostgreSQL database.

What comes in is grouped: what waits when a commit returns forms the next one, so a group of appends
or flushes costs one round trip. Rows are locked in one order everywhere, so no two groups wait for
each other. What goes out is read on the primary only. `notify_bridge` tells other processes what
has changed, outside the transactions of work. Events and attempts lie in partitions by time, which
`retention` and `partitions` drop when all in them is hidden.

Promised: a group whose commit was not heard of is sent again and not stored twice. Leases go by the
clock of the database. After a failover to a server that may miss commits nothing that is remembered
of the old one is used: `identity` tells the two apart.

What may fail: StoreBusy when too much waits, StoreUnavailable when there is no connection or one is
lost, StoreReplaced when the database is not the one of before, StoreUnfit when the schema or the
rights do not fit (`migrate` makes the schema), and StoreInUse when another gateway writes its
configuration here.
"""
