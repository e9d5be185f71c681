"""The only meeting point of the processes: logs of events, how far each subscription has read them,
deliveries, attempts and compiled configuration.

What comes in: events from the receiver (`event_log`), progress from the dispatcher, one flush at a
time (`delivery_store`), compiled objects from the operator or the CLI (`config_store`), heartbeats
of all processes (`process_registry`). What goes out: logs in order, contents, what a new owner of a
subscription starts from, configuration by version, and what consoles, statuses and replays ask for
(`queries`). `notifications` wakes whoever waits for a change, `maintenance` removes what is old.

Promised: what `append` returned for is on the disk. The numbers of a log are dense and in the order
of commits, so a reader that has seen a number has seen all before it. A flush is written whole or
not at all, once, and only for the present owner. A delivery is in exactly one state at any time.
A lost notification costs time and nothing else, because everybody polls as well.

What may fail: every call may raise a StoreError. StoreBusy and StoreUnavailable pass, so the caller
tries again; RejectedEvent is meant for one event whose data cannot be stored; StaleOwner, LeaseLost
and StaleWriter tell a caller that another one has taken over, and nothing of it was written.

Each role is a protocol of its own; `protocol.Store` is all of them together. The drivers `sqlite`
and `postgres` implement it and pass one conformance suite; neither knows the other. `drivers` says
which one a DSN is for, how it is opened and how its schema is brought up to date.
"""
