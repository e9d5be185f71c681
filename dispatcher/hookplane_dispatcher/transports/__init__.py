"""Where events are delivered to: one folder for each kind of target.

`transport` says what the worker of a subscription expects of any of them, and how the outcome of an
attempt is told without the words of a protocol. `http` is the first implementation. Another one,
say Kafka, is a folder `kafka/` beside it with a class that satisfies `Transport`, a model of its
target in the subscription's config document, and one line in the table of `dispatcher.py`; nothing
of the worker changes.

A transport transforms and signs an event, sends it, and never raises for what the other side does:
that is an Outcome. It may raise InvalidValue for a document or an event that cannot be sent.
"""
