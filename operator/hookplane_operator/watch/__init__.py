"""What there is in the cluster: full lists, and a watch that goes on from each.

In come lists and watch events of the API server; each object is handed on as it is seen, and what a
list has no more is handed on as deleted. A kind that cannot be listed stops no other; what refers
to it is held until it was listed. How old is what we know of each kind is known, too.
"""
