"""The dispatcher: delivers what the store holds to the targets of subscriptions.

What comes in: config documents (subscriptions and endpoints), and for each endpoint a log of
events. What goes out: one attempt after another to each subscription's target, and flushes of what
became of them into the store.

**Ownership.** A subscription is served by one dispatcher at a time. Which one follows from the live
processes alone (`process.rendezvous`), and the store enforces it: a claim raises the subscription's
epoch, and a flush of an older epoch is refused. `dispatcher` starts and stops a worker for each
subscription that is this process's.

**Reading** (`reading/`). The end of each log is read once for all workers, and so are the contents
of events, within one budget of bytes.

**Scheduling** (`worker/`). A worker filters, decides what may start, sends through a transport
(`transports/`), and keeps what became of it in memory.

**Flushing.** All that has changed goes to the store in one transaction; the next flush starts when
the last one has returned. What has been sent and is not flushed may be sent twice after a crash,
and is never more than the subscription's `maxInFlight`.

Promised: every event is delivered at least once, or filtered, or dead, or expired, and a target
that is slow, broken or hostile delays its own subscription only. What may fail: the store, at any
call; it is asked again, and nothing is lost. A `StoreReplaced` ends the process's memory of the
store.
"""
