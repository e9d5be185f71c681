"""Turns resources and Secrets into the documents that the data plane works by.

`resources.compile_resources` takes all resources of a gateway, the Secrets at hand and `Options`,
and gives `Compiled`: a config document for each endpoint and subscription, replays, the Secrets
that are to be generated, and the problems of every object. It is pure, so a laptop and the operator
come to the same result; `now` is an argument, and chance is needed only for keys (`rotation`).

One object never stops the others. An object with an error gets no document, and whatever was in
force for it stays; one that lacks something, such as a Secret, gets a document that says that it is
not ready. Even a fault of our own becomes a problem of the one object. No message holds a secret.
`change` then says what has to be written to the store, compared with what is in force.
"""
