"""The store of one process on one machine: a folder with a SQLite database.

What comes in goes through one writer thread, the appends before the flushes, each as a group in a
transaction of its own; reads have connections of their own and never wait for the writer. What goes
out is the same as from any driver.

Promised: a commit returns when it is on the disk (`synchronous=FULL`). The folder is locked, so a
second process cannot open it, and nobody has to fight for a subscription.

What may fail: StoreLocked when another process has the folder, StoreBusy when too much waits,
StoreUnavailable when the disk is full or a tool holds the file, RejectedEvent for a value that
SQLite cannot hold. When a write to the disk itself fails, nobody knows any more what is on it, so
the process ends at once and answers nothing.
"""
