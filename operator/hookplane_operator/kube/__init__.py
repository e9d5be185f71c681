"""Kubernetes from the outside: requests, watches, the leader's Lease."""
