"""The console of a process: health, metrics and the admin API, on an address of their own.

Requests come in from people, from the client commands, and from machines such as Kubernetes and
Prometheus. JSON goes out, metrics as text, and the bytes of an event where they are asked for. What
is shown comes from the store and from the configuration in force, which the console follows as the
receiver and the dispatcher do. It changes little: it creates a replay, asks the owner of a
subscription to resume it, and has a sample event sent.

No secret and no credential header is ever shown, and web pages of strangers reach nothing, although
nobody is asked for a password. Every request that is refused gets the same form of answer
(`responses.Refusal`). While the store is away the admin API answers 503; health and metrics go on.

A new route or page is a handler in `api/`, in the `ROUTES` of its module.
"""
