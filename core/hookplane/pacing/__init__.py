"""When work runs in the event loop: limits, pauses, waits, and work that goes on after errors.

`token_bucket` limits how often something happens; `backoff` gives growing pauses to what fails
again and again; `waiting` waits for an event but not longer than a given time; `deadlines` has one
timer for the deadlines of many connections; `run_forever` keeps a background task alive. Every time
is a number of seconds of a monotonic clock or of the event loop, so tests run all of this on
virtual time. Nothing here knows what the work is.
"""
