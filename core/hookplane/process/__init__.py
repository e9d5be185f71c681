"""A process among others that share its store.

`membership` registers the process and renews its lease, so that a dead one is noticed; `rendezvous`
says which dispatcher owns which subscription, the same answer everywhere without asking; `follow`
loads the configuration and whatever is newer from then on. All of it lives through a store that is
away for a while, and none of it keeps state of its own beyond what the store said last.
"""
