"""Every rule of our kinds, kept and broken: for the CEL engine, for Python, and for a real API
server.
"""

from __future__ import annotations

from typing import Any

from support.kubernetes.crds import Object, spec_object

KEY: Object = {"secretKeyRef": {"name": "s", "key": "k"}}
SPARE: Object = {"secretKeyRef": {"name": "s", "key": "k", "optional": True}}
EVERY_WEEK: Object = {"every": "168h"}


def endpoint(**spec: Any) -> Object:
    return spec_object("WebhookEndpoint", spec)


def generic(**signature: Any) -> Object:
    signed = {"header": "X-Signature", **signature}
    return endpoint(provider="Generic", verification={"signature": signed})


def verified(**verification: Any) -> Object:
    return endpoint(verification=verification)


def subscription(**spec: Any) -> Object:
    basis = {"endpointRefs": [{"name": "a"}], "target": {"url": "https://a.example/x"}}
    given = {key: value for key, value in (basis | spec).items() if value is not None}
    return spec_object("WebhookSubscription", given)


def target(**fields: Any) -> Object:
    given = {key: value for key, value in ({"url": "https://a.example"} | fields).items() if value}
    return subscription(target=given)


def headers(*names: str) -> Object:
    return target(headers=[{"name": name, "value": "v"} for name in names])


def selecting(operator: str, *values: str) -> Object:
    expression = {"key": "k", "operator": operator, "values": list(values)}
    return subscription(endpointRefs=None, endpointSelector={"matchExpressions": [expression]})


def labelled(key: str, value: str = "v") -> Object:
    return subscription(endpointRefs=None, endpointSelector={"matchLabels": {key: value}})


def storing(*names: str) -> Object:
    return endpoint(storeHeaders=list(names))


def replay(**events: Any) -> Object:
    return spec_object("WebhookReplay", {"subscriptionRef": {"name": "a"}, "events": events})


def gateway(**spec: Any) -> Object:
    store = {"postgresql": {"dsn": KEY}}
    return spec_object("WebhookGateway", {"store": store} | spec)


def service(**fields: Any) -> Object:
    return gateway(receiver={"service": fields})


def kept(**retention: str) -> Object:
    return gateway(store={"postgresql": {"dsn": KEY}, "retention": retention})


CREDENTIAL = "looks like a credential, which is never stored; take it off the list"
CONNECTION = (
    "belongs to the connection and not to what is sent, so it is never stored; take it off the list"
)
ONE_NAME = "is one name and no pattern; name each header"
QUALIFIED = (
    "a key is a name of at most 63 letters, digits, -, _ and dots, with a prefix such as "
    "example.com/ before it or none"
)
ONE_SOURCE = "set exactly one of endpointRefs, endpointSelector and operationalEvents"
ONE_TARGET = "set exactly one of url, urlFrom and serviceRef"
RESERVED = (
    "Host, Content-Length, Transfer-Encoding, Connection, Keep-Alive, Proxy-Connection, Upgrade, "
    "TE, Trailer, Expect, webhook-* or hookplane-*"
)
HEADERS = f"headers may not set {RESERVED}"
FORWARDED = f"forwardHeaders may not name {RESERVED}"
CUSTOM_HEADERS = f"header, idHeader and timestampHeader may not be {RESERVED}"
UNIQUE_HEADERS = "names of headers must be unique without regard to case"
UNIQUE_PARAMETERS = "names of parameters must be unique without regard to case"
NEEDS_LAYER = (
    "provider Generic needs verification.signature, apiKey, basic, bearer or clientCertificate"
)
ONLY_GENERIC = (
    "verification.signature and handshake are only for provider Generic; a provider by name knows "
    "its own"
)
SIGNED_TIME = (
    "content must contain {timestamp} when timestamp is set: an unsigned time proves nothing"
)
SIGNED_BODY = "content must contain {body}: else anyone may change the body"
SIGNED_PARTS = "what stands in braces must be one of {id}, {timestamp}, {method}, {url}, {body}"
TIME_SOURCE = "content has {timestamp}, so timestamp must say where it comes from"
ID_SOURCE = "content has {id}, so idHeader must say where it comes from"
ROTATION = "rotation is for generated keys; remove keys or rotation"
OVERLAP = "overlap must be shorter than every"
CUSTOM = "custom is set with scheme Custom, and only then"
UNSIGNED = "scheme None has neither keys nor rotation"
STRICT = "ordering Strict sends one at a time; remove maxInFlight or set it to 1"
TIMEOUT = "timeout must be from 1s to 60s"
KEYS = "at least one of keys must not be optional"
VALUE = "set exactly one of value and valueFrom"
LABELS = "In and NotIn need values, Exists and DoesNotExist have none"
RANGE = "not an address range; write it like 203.0.113.0/24 or 2001:db8::/32"
AUTHENTICATION = "set exactly one of oauth2, basic and bearer"
TYPE = "set exactly one of header, bodyPath and value"
PROBES = "probeEvery must not be longer than probeAtMostEvery"
SCALE = "set replicas or autoscaling, not both"
SCALE_CPU = "autoscaling needs resources.requests.cpu"
OUTSIDE = "externalTrafficPolicy and nodePorts need type NodePort or LoadBalancer"
BALANCED = "loadBalancerClass and loadBalancerSourceRanges need type LoadBalancer"
SELECTOR = "selector is set with from: Selector, and only then"

ID = "evt_01jdb3q9k2m4n6p8r0s2t4v6w8"
SATURDAY, MONDAY = "2026-11-21T00:00:00Z", "2026-11-23T06:00:00Z"
REQUESTS_CPU: Object = {"requests": {"cpu": "250m"}}
SCALED: Object = {"autoscaling": {"maxReplicas": 3}, "resources": REQUESTS_CPU}

# message, kept, broken, and what the row is about
ROWS: list[tuple[str, Object, Object]] = [
    # --- WebhookEndpoint
    # at least one layer, for Generic
    (NEEDS_LAYER, generic(), endpoint(provider="Generic")),
    # any layer is enough
    (
        NEEDS_LAYER,
        endpoint(provider="Generic", verification={"bearer": {"tokens": [KEY]}}),
        endpoint(provider="Generic", verification={"keys": [KEY]}),
    ),
    # presets know their signature
    (ONLY_GENERIC, generic(), verified(signature={"header": "X"})),
    # and their handshake
    (
        ONLY_GENERIC,
        endpoint(
            provider="Generic",
            verification={"apiKey": {"keys": [KEY]}, "handshake": "CloudEventsOptions"},
        ),
        endpoint(provider="Slack", verification={"handshake": "SlackChallenge"}),
    ),
    # a signed time
    (
        SIGNED_TIME,
        generic(content="{timestamp}.{body}", timestamp={"header": "T"}),
        generic(content="{body}", timestamp={"header": "T"}),
    ),
    # what stands in braces is known; braces of JSON are text
    (
        SIGNED_PARTS,
        generic(content='{"a": "{body}{url}", "{}": {1}}'),
        generic(content="{time}.{body}"),
    ),
    # the same for deliveries
    (
        SIGNED_PARTS,
        subscription(signing={"scheme": "Custom", "custom": {"header": "X", "content": "{id}"}}),
        subscription(signing={"scheme": "Custom", "custom": {"header": "X", "content": "{ID}"}}),
    ),
    # a time from somewhere
    (
        TIME_SOURCE,
        generic(content="{timestamp}.{body}", timestamp={}),
        generic(content="{timestamp}.{body}"),
    ),
    # an id from somewhere
    (
        ID_SOURCE,
        generic(content="{id}.{body}", idHeader="X-Id"),
        generic(content="{id}.{body}"),
    ),
    # the body is signed, except when the header is the key itself
    (
        SIGNED_BODY,
        generic(algorithm="Equality", content="-"),
        generic(content="constant"),
    ),
    # tolerance
    (
        "tolerance must be longer than 0s",
        generic(content="{timestamp}{body}", timestamp={"tolerance": "1s"}),
        generic(content="{timestamp}{body}", timestamp={"tolerance": "0s"}),
    ),
    # keys that may all be missing
    (KEYS, verified(keys=[SPARE, KEY]), verified(keys=[SPARE])),
    # the same for API keys
    (KEYS, verified(apiKey={"keys": [KEY]}), verified(apiKey={"keys": [SPARE, SPARE]})),
    # for passwords
    (
        "at least one of passwords must not be optional",
        verified(basic={"username": "u", "passwords": [SPARE, KEY]}),
        verified(basic={"username": "u", "passwords": [SPARE]}),
    ),
    # for tokens
    (
        "at least one of tokens must not be optional",
        verified(bearer={"tokens": [KEY]}),
        verified(bearer={"tokens": [SPARE]}),
    ),
    # own keys are rotated by their owner
    (ROTATION, verified(rotation=EVERY_WEEK), verified(keys=[KEY], rotation=EVERY_WEEK)),
    # overlap by default is 24h
    (OVERLAP, verified(rotation={"every": "25h"}), verified(rotation={"every": "24h"})),
    # parameters: two names that differ
    (
        UNIQUE_PARAMETERS,
        verified(parameters=[{"name": "a", "value": "1"}, {"name": "b", "value": "1"}]),
        verified(parameters=[{"name": "a", "value": "1"}, {"name": "A", "value": "1"}]),
    ),
    # a parameter's value is literal or secret
    (
        VALUE,
        verified(parameters=[{"name": "a", "valueFrom": KEY}]),
        verified(parameters=[{"name": "a", "value": "1", "valueFrom": KEY}]),
    ),
    # and an empty literal is one
    (
        VALUE,
        verified(parameters=[{"name": "a", "value": ""}]),
        verified(parameters=[{"name": "a"}]),
    ),
    # address ranges: IPv4
    (RANGE, verified(sources=["203.0.113.0/24"]), verified(sources=["203.0.113.0/33"])),
    # IPv6
    (RANGE, verified(sources=["2001:db8::/32"]), verified(sources=["2001:zz::/32", "::/0"])),
    # host bits may be set
    (RANGE, verified(sources=["10.1.2.3/8"]), verified(sources=["10.1.2.300/8"])),
    # an IPv4 range in the clothes of IPv6 would match nothing
    (RANGE, verified(sources=["::/0"]), verified(sources=["::ffff:10.0.0.0/104"])),
    # one place for the type
    (TYPE, endpoint(eventType={"value": "v"}), endpoint(eventType={"value": "v", "header": "X"})),
    # and not none
    (TYPE, endpoint(eventType={"bodyPath": "a.0.b"}), endpoint(eventType={})),
    # one place for the key
    (
        "set exactly one of header, bodyPath and parts",
        endpoint(deduplication={"key": {"header": "X"}}),
        endpoint(deduplication={"key": {"header": "X", "bodyPath": "a"}}),
    ),
    # or several parts of it
    (
        "set exactly one of header, bodyPath and parts",
        endpoint(deduplication={"key": {"parts": [{"header": "X"}, {"bodyPath": "a"}]}}),
        endpoint(deduplication={"key": {"parts": [{"header": "X"}], "bodyPath": "a"}}),
    ),
    # one place for each
    (
        "set exactly one of header and bodyPath",
        endpoint(deduplication={"key": {"parts": [{"bodyPath": "a"}]}}),
        endpoint(deduplication={"key": {"parts": [{"bodyPath": "a"}, {}]}}),
    ),
    # size, the bound itself is allowed
    (
        "maxBodySize is at most 32Mi",
        endpoint(limits={"maxBodySize": "32Mi"}),
        endpoint(limits={"maxBodySize": "33554433"}),
    ),
    # a bucket that fills in no time
    (
        "per must be longer than 0s",
        endpoint(limits={"rate": {"requests": 1, "per": "1ms"}}),
        endpoint(limits={"rate": {"requests": 1, "per": "0s"}}),
    ),
    # room that one body would not fit in
    (
        "unverifiedBytes must be at least 32Mi, which one body may have",
        gateway(receiver={"limits": {"unverifiedBytes": "32Mi"}}),
        gateway(receiver={"limits": {"unverifiedBytes": "33554431"}}),
    ),
    # a right without whom it is for
    (
        "trigger is a right of the console: set enabled: true with it",
        gateway(console={"enabled": True, "trigger": True}),
        gateway(console={"trigger": True}),
    ),
    # --- WebhookSubscription
    # one source: two of them
    (
        ONE_SOURCE,
        subscription(endpointRefs=None, endpointSelector={}),
        subscription(endpointSelector={}),
    ),
    # none; an operationalEvents that is false is none
    (
        ONE_SOURCE,
        subscription(endpointRefs=None, operationalEvents=True),
        subscription(endpointRefs=None, operationalEvents=False),
    ),
    # beside a source it says nothing
    (ONE_SOURCE, subscription(operationalEvents=False), subscription(operationalEvents=True)),
    # labels: a list where one is needed
    (LABELS, selecting("In", "a"), selecting("NotIn")),
    # and where none is
    (LABELS, selecting("Exists"), selecting("DoesNotExist", "a")),
    # a transform is one thing
    (
        "set exactly one of cel and cloudEvents",
        subscription(transform={"cloudEvents": "Binary"}),
        subscription(transform={"cloudEvents": "Binary", "cel": "event.body"}),
    ),
    # one target: two of them
    (ONE_TARGET, target(url=None, serviceRef={"name": "s"}), target(urlFrom=KEY)),
    # none
    (ONE_TARGET, target(url=None, urlFrom=KEY), target(url=None)),
    # headers of HTTP itself, in any case
    (HEADERS, headers("Authorization"), headers("X-A", "hOST")),
    # ours
    (HEADERS, headers("X-Webhook-Id"), headers("Webhook-Id")),
    # headers to be passed on: the same
    (FORWARDED, target(forwardHeaders=["X-Request-Id"]), target(forwardHeaders=["X-A", "HOST"])),
    # and ours by the other prefix
    (HEADERS, headers("X-Hookplane"), headers("hookplane-replay")),
    # unique in lower case
    (UNIQUE_HEADERS, headers("X-A", "X-B"), headers("X-A", "x-a")),
    # a header's value
    (VALUE, headers("X-A"), target(headers=[{"name": "X-A"}])),
    # time-outs: too short
    (TIMEOUT, target(timeout="1s"), target(timeout="999ms")),
    # too long
    (TIMEOUT, target(timeout="1m"), target(timeout="60s1ms")),
    # one way to authenticate
    (
        AUTHENTICATION,
        target(authentication={"bearer": {"token": KEY}}),
        target(
            authentication={
                "bearer": {"token": KEY},
                "basic": {"username": "u", "password": KEY},
            }
        ),
    ),
    # signing keys
    (KEYS, subscription(signing={"keys": [KEY, SPARE]}), subscription(signing={"keys": [SPARE]})),
    # signing keys of one's own are not rotated
    (
        ROTATION,
        subscription(signing={"rotation": EVERY_WEEK}),
        subscription(signing={"keys": [KEY], "rotation": EVERY_WEEK}),
    ),
    # a custom form with its scheme
    (
        CUSTOM,
        subscription(signing={"scheme": "Custom", "custom": {"header": "X"}}),
        subscription(signing={"scheme": "Custom"}),
    ),
    # and not without it
    (CUSTOM, subscription(signing={}), subscription(signing={"custom": {"header": "X"}})),
    # nothing to sign with
    (
        UNSIGNED,
        subscription(signing={"scheme": "None"}),
        subscription(signing={"scheme": "None", "keys": [KEY]}),
    ),
    # a custom signature in a header that is not the user's
    (
        CUSTOM_HEADERS,
        subscription(signing={"scheme": "Custom", "custom": {"header": "X", "idHeader": "I"}}),
        subscription(signing={"scheme": "Custom", "custom": {"header": "Content-Length"}}),
    ),
    # the same for the id
    (
        CUSTOM_HEADERS,
        subscription(signing={"scheme": "Custom", "custom": {"header": "X"}}),
        subscription(
            signing={"scheme": "Custom", "custom": {"header": "X", "idHeader": "Webhook-Id"}}
        ),
    ),
    # one at a time
    (
        STRICT,
        subscription(delivery={"ordering": "Strict", "maxInFlight": 1}),
        subscription(delivery={"ordering": "Strict", "maxInFlight": 2}),
    ),
    # without order, as many as one likes
    (
        STRICT,
        subscription(delivery={"maxInFlight": 2}),
        subscription(delivery={"ordering": "Strict", "maxInFlight": 16}),
    ),
    # probes without a pause
    (
        "probeEvery must be longer than 0s",
        subscription(delivery={"circuit": {"probeEvery": "100ms"}}),
        subscription(delivery={"circuit": {"probeEvery": "0s"}}),
    ),
    # a pause that cannot grow
    (
        PROBES,
        subscription(delivery={"circuit": {"probeEvery": "5m"}}),
        subscription(delivery={"circuit": {"probeEvery": "6m"}}),
    ),
    # --- WebhookReplay
    # ids or a range: both
    ("set exactly one of ids and from", replay(ids=[ID]), replay(ids=[ID], **{"from": MONDAY})),
    # a range that begins somewhere
    (
        "to goes with from",
        replay(**{"from": SATURDAY, "to": MONDAY}),
        replay(ids=[ID], to=MONDAY),
    ),
    # and ends later
    (
        "from must be before to",
        replay(**{"from": SATURDAY, "to": MONDAY}),
        replay(**{"from": MONDAY, "to": MONDAY}),
    ),
    # by the time that is meant, not by its text
    (
        "from must be before to",
        replay(**{"from": "2026-11-21T10:00:00+02:00", "to": "2026-11-21T09:00:00Z"}),
        replay(**{"from": "2026-11-21T09:00:00Z", "to": "2026-11-21T10:00:00+02:00"}),
    ),
    # states
    (
        "All stands alone",
        replay(ids=[ID], states=["All"]),
        replay(ids=[ID], states=["Dead", "All"]),
    ),
    # --- WebhookGateway
    # a selector is needed
    (
        SELECTOR,
        gateway(allowedNamespaces={"from": "Selector", "selector": {}}),
        gateway(allowedNamespaces={"from": "Selector"}),
    ),
    # or not
    (SELECTOR, gateway(allowedNamespaces={}), gateway(allowedNamespaces={"selector": {}})),
    # retention
    (
        "events must be kept for longer than 0s",
        kept(events="1h"),
        kept(events="0s"),
    ),
    # attempts explain events
    (
        "attempts must be kept at least as long as events",
        kept(events="240h", attempts="240h"),
        kept(events="240h"),
    ),
    # one size
    (
        SCALE,
        gateway(receiver=SCALED),
        gateway(receiver=SCALED | {"replicas": 2}),
    ),
    # CPU use of what
    (
        SCALE_CPU,
        gateway(dispatcher=SCALED),
        gateway(dispatcher=SCALED | {"resources": {"requests": {"memory": "1Gi"}}}),
    ),
    # a whole number is a quantity
    (
        SCALE_CPU,
        gateway(receiver=SCALED | {"resources": {"requests": {"cpu": 1}}}),
        gateway(receiver={"autoscaling": {"maxReplicas": 3}}),
    ),
    # bounds in order
    (
        "minReplicas must not be more than maxReplicas",
        gateway(receiver=SCALED | {"autoscaling": {"minReplicas": 3, "maxReplicas": 3}}),
        gateway(receiver=SCALED | {"autoscaling": {"minReplicas": 4, "maxReplicas": 3}}),
    ),
    # one way in
    (
        "set route or ingress, not both",
        gateway(receiver={"route": {"parentRefs": [{"name": "a.b"}]}}),
        gateway(
            receiver={
                "route": {"parentRefs": [{"name": "a"}]},
                "ingress": {"className": "nginx.internal", "host": "a.example"},
            }
        ),
    ),
    # what each type of Service knows
    (
        OUTSIDE,
        service(type="NodePort", externalTrafficPolicy="Local", nodePorts={"https": 30443}),
        service(externalTrafficPolicy="Local"),
    ),
    (
        OUTSIDE,
        service(type="LoadBalancer", nodePorts={"http": 30080}),
        service(type="ClusterIP", nodePorts={"http": 30080}),
    ),
    (
        BALANCED,
        service(type="LoadBalancer", loadBalancerSourceRanges=["192.0.2.0/24"]),
        service(type="NodePort", loadBalancerSourceRanges=["192.0.2.0/24"]),
    ),
    (
        BALANCED,
        service(ipFamilies=["IPv6"], loadBalancerSourceRanges=[]),
        service(loadBalancerClass="example.com/one"),
    ),
    # headers that are stored: parts of names, in whatever case
    (CREDENTIAL, storing("X-Tenant", "Idempotency-Key"), storing("X-A", "X-MyToken")),
    (CREDENTIAL, storing("X-Author"), storing("AUTHORIZATION")),
    (CONNECTION, storing("X-Connection"), storing("Connection")),
    (ONE_NAME, storing("X-Tenant"), storing("X-Tenant-*")),
    # keys of labels: a prefix, the longest name, one too many, what no label is called
    (QUALIFIED, labelled("example.com/tier"), labelled("Example.com/tier")),
    (QUALIFIED, labelled("a" * 63), labelled("a" * 64)),
    (QUALIFIED, labelled("p" * 253 + "/" + "a" * 63), labelled("p" * 254 + "/" + "a" * 63)),
    (QUALIFIED, labelled("Tier_1.x-y"), labelled("the tier")),
    (QUALIFIED, labelled("a"), labelled("")),
    (
        QUALIFIED,
        service(annotations={"example.com/class": "any text"}),
        service(annotations={"example.com/": "any text"}),
    ),
    # proxies, and where deliveries may go
    (
        RANGE,
        gateway(dispatcher={"egress": {"allowedCIDRs": ["10.0.0.0/8"]}}),
        gateway(receiver={"trustedProxies": ["1.2.3.4/255"]}),
    ),
]

IMMUTABLE_GATEWAY = "gatewayRef is immutable"
REF: Object = {"name": "a"}

# message, object before, a change that is allowed, one that is not
UPDATES: list[tuple[str, Object, Object, Object]] = [
    # a gateway cannot be exchanged
    (
        IMMUTABLE_GATEWAY,
        endpoint(gatewayRef=REF),
        endpoint(gatewayRef=REF, suspend=True),
        endpoint(gatewayRef={"name": "b"}),
    ),
    # nor added
    (IMMUTABLE_GATEWAY, endpoint(), endpoint(suspend=True), endpoint(gatewayRef=REF)),
    # nor removed
    (
        IMMUTABLE_GATEWAY,
        subscription(gatewayRef=REF),
        subscription(gatewayRef=REF, suspend=True),
        subscription(),
    ),
    # a default is a value like any other
    (
        "startFrom is immutable",
        subscription(),
        subscription(startFrom="Latest"),
        subscription(startFrom="Earliest"),
    ),
    # a replay is what it is
    (
        "a replay is immutable; create another",
        replay(ids=[ID]),
        replay(ids=[ID]),
        replay(ids=[ID], states=["Dead"]),
    ),
]


# an object that the schema alone refuses, and so does Python
OUT_OF_SCHEMA = [
    # unknown field
    endpoint(verificaton={}),
    # user name in a URL
    target(url="https://user:pass@a.example"),
    # another scheme
    target(url="ftp://a.example"),
    # no host
    target(url="https:///path"),
    # not a duration
    target(timeout="half a minute"),
    # a duration without unit
    target(timeout="15"),
    # a size in decimal units
    endpoint(limits={"maxBodySize": "1M"}),
    # a size of nothing
    endpoint(limits={"maxBodySize": "0"}),
    # a provider in lower case
    endpoint(provider="stripe"),
    # enums
    subscription(delivery={"ordering": "strict"}),
    # too many keys
    verified(keys=[KEY] * 9),
    # no key at all
    verified(keys=[]),
    # a colon ends the user name of RFC 7617
    verified(basic={"username": "a:b", "passwords": [KEY]}),
    # a line break in a header's value
    endpoint(response={"contentType": "text/plain\r\nX: y"}),
    # an answer that is none
    endpoint(response={"status": 302}),
    # a time without offset
    replay(**{"from": "2026-11-21T00:00:00"}),
    # a day
    subscription(startFrom="2026-11-21"),
    # another word
    subscription(startFrom="latest"),
    # an id of another form
    replay(ids=["evt_1"]),
    # a space in an event type
    subscription(filter={"types": ["a b"]}),
    # a path without slash
    target(url=None, serviceRef={"name": "s", "path": "x"}),
    # a port
    target(url=None, serviceRef={"name": "s", "port": 0}),
    # a resource that pods do not have
    gateway(receiver={"resources": {"requests": {"gpu": "1"}}}),
    # a negative quantity
    gateway(receiver={"resources": {"limits": {"cpu": "-1"}}}),
    # a bare address
    verified(sources=["203.0.113.7"]),
    # a netmask
    verified(sources=["203.0.113.0/255.255.255.0"]),
    # a leading zero
    verified(sources=["203.0.113.0/08"]),
    # a space in a header's name
    storing("X A"),
    # too many headers
    storing(*(f"X-{number}" for number in range(33))),
    # a header whose name is too long
    storing("x" * 129),
    # values that no label has
    labelled("tier", "a b"),
    labelled("tier", "-a"),
    labelled("tier", "a" * 64),
    selecting("In", "a", "b."),
    # a key that no label has
    subscription(
        endpointRefs=None,
        endpointSelector={"matchExpressions": [{"key": "a b", "operator": "Exists"}]},
    ),
]
