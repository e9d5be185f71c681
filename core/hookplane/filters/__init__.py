"""What a subscription lets through, and what it sends instead of the body.

`types` matches event types with wildcards, `cel` compiles and runs CEL expressions over an event,
`event` is the event as expressions see it, and `transform` makes the body and the headers that are
sent. All of it is pure. Loops of an expression share a budget of iterations, which does not bound
the work inside one: `cost` tells from a text (`checked` is its tree) whether it has a bound, and
`hookplane.evaluation` runs what has none. Expressions are checked
when a subscription is compiled (InvalidValue with line and column); one that fails on an event
raises InvalidValue too, and the caller decides what becomes of the event.
"""
