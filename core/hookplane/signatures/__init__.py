"""How requests are signed: verifying what comes in, signing what goes out. Pure, over bytes.

A `scheme` describes one way to sign as data: the algorithm, the header and its layout, what is
signed, how old it may be. `verify` takes a scheme, prepared `keys` and the facts of a request, and
gives a `VerifyResult`; it never raises, whatever a request holds. `request` is the other side of
it, for tests and for the command line: headers that `verify` accepts. `form` is what both sides
share: how a header is laid out, which bytes are signed, how bytes are written as text.

`deliver` signs what Hookplane itself sends, as `signing` describes it in the configuration.

All keys are tried for every request, and secrets are compared in constant time. A text that is not
the one canonical form of its bytes is no signature. A key that cannot be used raises InvalidValue
when it is prepared, before any request comes.
"""
