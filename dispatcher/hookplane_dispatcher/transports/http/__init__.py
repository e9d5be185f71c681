"""Targets that are URLs: signed POSTs through the egress client.

`target` builds the request of an event (transform, signature, headers of the target, access token)
and sends it; `answer` says what a status code and Retry-After mean. Redirects are failures; 410
refuses for good; 429 and 503 with Retry-After throttle; everything else but 2xx has failed.
"""
