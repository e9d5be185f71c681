"""Reading the store for all workers of a dispatcher together.

`log_reader` follows the end of each endpoint's log with one task and `log_tail` keeps its newest
entries, within a budget that all endpoints share, so that a commit costs one read however many
subscriptions there are. A worker that lags behind reads its own pages, few of them at once.
`content_cache` holds the contents of events: each is read once while anybody needs it, and all
together never take more than a budget of bytes; a worker that finds no room waits.

Notifications only shorten a wait: a log is read every few seconds without them. What may fail is
the store: `StoreUnavailable` reaches the worker that asked, and following a log goes on by itself.
"""
