"""What there is in the cluster: full lists at the start, and watches from then on.

In come lists and watch events of the API server; each object is handed on as it is seen. A watch
that was interrupted begins with a list, which does not say what was deleted meanwhile: so the
kind is listed again, and what is missing is handed on as deleted. A kind that cannot be listed
stops no other; what refers to it is held until it was listed.
"""
