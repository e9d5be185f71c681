"""The Kubernetes operator: watches the four kinds and writes config rows into the store.

It knows the core and nothing of the receiver or the dispatcher. What it compiles with is
`hookplane.compile`, the same function that `hookplane run` uses.
"""
