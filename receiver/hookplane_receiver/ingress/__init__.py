"""HTTP towards senders, from the wire to a handler and back.

What comes in are connections of strangers; what goes out to the handler is an `InboundRequest`: its
headers are complete and within their limits, its body is read only when the handler asks for it,
and as it was sent. `server` says what an ingress server promises, `raw_server` keeps it: each
`connection` reads requests by `request_parser` and writes `answers`, and `connections` holds what
they share. Where TLS ends here, `tls` stands between the socket and the connection, and
`server_certificate` follows the files of the certificate that is shown.

Every connection is bounded: in the bytes and the number of its headers, in the time until they are
complete, in the size and the time of a body, in answers that are left unread; and the number of
connections is bounded too. A connection that breaks a bound is answered, if it can be, and closed.
An exception of the handler becomes a 500 that says nothing. Which client certificate is good enough
is not decided here: the handler is told what was shown.
"""
