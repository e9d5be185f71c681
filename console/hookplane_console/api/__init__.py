"""The admin API: one module for each resource, each with small handlers and a table of routes.

A handler gets the `Context` (store, configuration in force, clock, trigger) and the request. It
reads what the request asks for with `parameters`, which raises a `Refusal` for what is wrong, asks
the store, and shows what it found with `views`. `routes` puts the tables together.
"""
