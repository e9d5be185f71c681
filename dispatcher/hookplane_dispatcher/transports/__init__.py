"""Where events are delivered to: one folder for each kind of target.

`transport` says what the worker of a subscription expects of any of them, and how the outcome of an
attempt is told without the words of a protocol. `http` is the first implementation. Another one,
say Kafka, is a folder `kafka/` beside it with a class that satisfies `Transport`, and one line in
the table of `make_transports` in `hookplane_cli.composition`; nothing of the dispatcher changes.
What a kind of target looks like is said outside: to users in `hookplane.kinds.subscription`, in the
document that a dispatcher reads in `hookplane.config.subscription`, and what makes one of the other
is `hookplane.compile.target`.

A transport transforms and signs an event, sends it, and never raises for what the other side does:
that is an Outcome. It may raise InvalidValue for a document or an event that cannot be sent.
"""
