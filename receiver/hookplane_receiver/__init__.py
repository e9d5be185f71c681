"""The receiver: takes requests in, proves who sent them, stores them, answers.

`ingress` takes HTTP off the wire, with TLS where it ends here; `router` finds the endpoint of a
path; `admission` takes a request through its checks, cheap and harmless ones first, into the event
log; `responses` says what the sender sees. Endpoints come from the store's configuration and are
made ready once (`prepared`), not for every request.

A success is sent only after the store has said that the event is safe. Nothing of a request is
believed, parsed or stored before it is known who sent it, and a key that is missing lets nobody in.
A request that is refused gets a constant line; the reason goes to the endpoint's owners. When the
store does not answer in time, the sender is asked to come again (503).
"""
