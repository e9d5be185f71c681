"""How things are, as statuses of gateways, endpoints, subscriptions and replays.

The collector asks a store in rounds, pure functions make a status from the result of compiling
and from what was observed, and the writer sends those that differ within a budget. A status that
cannot be made stops no other. While a store does not answer, what it said last stays for a while.
"""
