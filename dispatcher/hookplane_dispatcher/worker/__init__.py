"""The worker of one subscription: its memory, its decisions, its progress.

`worker` claims the subscription and claims it again when it was lost. `session` is the loop of one
ownership: look at the store, start what may start, flush, wait. `scheduler` reads and filters
events and starts attempts; `outcomes` decides what becomes of a delivery when an attempt has ended.

`capacity` is the only place that says what may start, what is due, and how long to wait for it:
slots, bytes, rate, circuit, order, suspension and ownership all meet there.

`tracker` knows where every delivery is, and that is exactly one place: waiting above an
`endpoint_cursor`, under way, in the `retry_queue`, or finished. What is finished above a cursor
waits until the cursor passes it, because after a crash everything above the cursor is sent again
unless it has a row; then it is in the `flush_buffer` until the next flush. `health` is what
failures make of a target: circuit, pauses, disabling. Everything from `capacity` down is free of
I/O.

Workers share no slots, so a target that does not answer takes nothing from another subscription.
What may fail: the store (asked again), ownership (`StaleOwner`, `LeaseLost`: everything in memory
is dropped and the subscription claimed anew).
"""
