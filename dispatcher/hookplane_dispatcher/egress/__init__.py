"""The only way out over HTTP: every request that leaves goes through an `EgressClient`.

`client` is the seam and what it promises; `raw_client` the implementation. A request goes on a kept
`connection` of its origin, or the `dialer` makes one: a name is looked up (`names`), its addresses
are checked against the policy, and exactly a checked address is dialled (`guard`). The
`answer_parser` reads an answer up to a bound. Redirects, proxies and cookies are never followed or
used, and the whole exchange has one deadline (`deadlines`). `headers` refuses what could change the
framing of a request, `tls` keeps connections with different certificates apart, and `oauth2`
fetches access tokens the same way.

Whatever a target or a network does is an answer with an error in it, never an exception; `failure`
says it in words that hold no URL and nothing that the target wrote, and an address only where the
address is what is wrong. Where Hookplane itself is (`own`) nothing is sent.
"""
