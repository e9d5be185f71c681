"""The Kubernetes API: a client, the kinds, the names and labels of children, and the objects seen.

Writes go through only while this replica leads; otherwise NotLeader is raised. Requests that the
API server refuses raise ApiError or one of its subclasses.
"""
