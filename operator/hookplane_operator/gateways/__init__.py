"""Gateways: their encryption keys, their database, and the pods and Services that they are made of.

In comes a WebhookGateway; out go an open store that is fenced against other writers, children
that are applied when they differ from what is wanted, and facts for its status. What is not in
order (a Secret that is missing, a database of somebody else) becomes a blocker in the facts and
is tried again.
"""
