"""The only way out over HTTP: every request that leaves goes through an `EgressClient`.

`client` is the seam and what it promises; `aiohttp_client` the implementation. A name is looked up,
its addresses are checked against the policy, and exactly a checked address is dialled (`guard`).
Redirects, proxies and cookies are never followed or used, the whole exchange has one deadline, and
an answer is read up to a bound. `headers` refuses what could change the framing of a request, `tls`
keeps connections with different certificates apart, and `oauth2` fetches access tokens the same
way.

Whatever a target or a network does is an answer with an error in it, never an exception; `failure`
says it in words that hold no address, no URL and nothing that the target wrote.
"""
