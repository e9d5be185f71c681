"""The only meeting point of the parts: event logs, cursors, deliveries, attempts, config.

`protocol.Store` is what drivers promise, `model` the data that crosses it; each driver is a package
of its own and passes the one conformance suite in tests/core/store.
"""
