"""WebhookGateway: one data plane."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, Field, StringConstraints

from hookplane.kinds.base import (
    CIDR,
    QUALIFIED_KEYS,
    Duration,
    HttpURL,
    LabelSelector,
    ObjectMeta,
    ObjectName,
    Rule,
    SecretName,
    SecretValue,
    Size,
    Spec,
    SubdomainName,
    Time,
    rule_check,
)
from hookplane.kinds.endpoint import MAX_BODY_SIZE
from hookplane.kinds.status import Count, ShortText, Status
from hookplane.units import parse_duration, parse_size

Hostname = Annotated[
    str, StringConstraints(pattern=r"^(\*\.)?[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", max_length=253)
]


def _whole_number_as_text(value: object) -> object:
    """`cpu: 2` is a number in YAML."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


QUANTITY_PATTERN: Final = r"^[0-9]+(\.[0-9]+)?(m|[kMGTPE]|[KMGTPE]i|[eE][-+]?[0-9]{1,2})?$"
ResourceQuantity = Annotated[
    str,
    StringConstraints(pattern=QUANTITY_PATTERN, max_length=20),
    BeforeValidator(_whole_number_as_text),
    Field(
        json_schema_extra={
            "x-kubernetes-int-or-string": True,
            "pattern": QUANTITY_PATTERN,
            "description": "A Kubernetes quantity, such as 250m or 128Mi.",
        }
    ),
]
Resources = Annotated[
    dict[Literal["cpu", "memory", "ephemeral-storage"], ResourceQuantity], Field(max_length=3)
]
Annotations = Annotated[
    dict[str, Annotated[str, Field(max_length=16_384)]],
    Field(max_length=32),
    *QUALIFIED_KEYS,
]
NodePort = Annotated[int, Field(ge=1, le=65_535)]


class AllowedNamespaces(Spec):
    """Which namespaces may use a gateway."""

    from_: Annotated[Literal["Same", "All", "Selector"], Field(alias="from")] = "Same"
    """Same: the gateway's own. All. Selector: those that `selector` matches."""
    selector: LabelSelector | None = None
    """Labels of namespaces, with `from: Selector`."""

    RULES = (
        Rule(
            rule="(has(self.from) && self.from == 'Selector') == has(self.selector)",
            message="selector is set with from: Selector, and only then",
        ),
    )

    def model_post_init(self, _: Any) -> None:
        rule_check((self.from_ == "Selector") == (self.selector is not None), self.RULES[0].message)


class AllowedSecrets(Spec):
    """Which Secrets objects may refer to."""

    from_: Annotated[Literal["All", "Labelled"], Field(alias="from")] = "All"
    """All: any of an object's namespace, so who may write a subscription can send each of them to a
    server of his own. Labelled: those with the label `hookplane.dev/allow-reference: "true"`, and
    those that Hookplane generated."""


class PostgreSQL(Spec):
    """A PostgreSQL database for this gateway alone."""

    dsn: SecretValue
    """Connection string; rights to read and change data are enough."""
    migration_dsn: Annotated[SecretValue | None, Field(alias="migrationDSN")] = None
    """Connection string with the rights to change the schema; only the operator uses it."""


class RetentionSpec(Spec):
    """How long data is kept."""

    events: Duration = "168h"
    """Events, counted from their arrival."""
    attempts: Duration = "168h"
    """The log of attempts; at least as long as events."""
    size: Size | None = None
    """Bodies of all events together: of more, the oldest go, of the namespace that has most. Not
    more than half of the database's volume, which has rows, indexes and attempts besides. Default:
    half of the volume of the chart's PostgreSQL, else 100Gi."""

    RULES = (
        Rule(
            rule="!has(self.events) || duration(self.events) > duration('0s')",
            message="events must be kept for longer than 0s",
        ),
        Rule(
            rule="!has(self.events) || !has(self.attempts) || "
            "duration(self.attempts) >= duration(self.events)",
            message="attempts must be kept at least as long as events",
        ),
    )

    def model_post_init(self, _: Any) -> None:
        events, attempts = parse_duration(self.events), parse_duration(self.attempts)
        rule_check(events > 0, self.RULES[0].message)
        rule_check(attempts >= events, self.RULES[1].message)


class GatewayStore(Spec):
    """Where events are kept."""

    postgresql: PostgreSQL
    """A PostgreSQL database."""
    retention: RetentionSpec = RetentionSpec()
    """How long data is kept."""

    @property
    def database(self) -> tuple[str, PostgreSQL]:
        """The field that is set, which names a driver of `hookplane.store.drivers`, and its
        value."""
        return "postgresql", self.postgresql


class Autoscaling(Spec):
    """A HorizontalPodAutoscaler."""

    min_replicas: Annotated[int, Field(ge=1, le=100)] = 1
    """Never fewer."""
    max_replicas: Annotated[int, Field(ge=1, le=100)]
    """Never more."""
    target_cpu_utilization_percentage: Annotated[
        int, Field(ge=1, le=100, alias="targetCPUUtilizationPercentage")
    ] = 70
    """CPU use to aim at, of what is requested."""

    RULES = (
        Rule(
            rule="self.minReplicas <= self.maxReplicas",
            message="minReplicas must not be more than maxReplicas",
        ),
    )

    def model_post_init(self, _: Any) -> None:
        rule_check(self.min_replicas <= self.max_replicas, self.RULES[0].message)


class PodResources(Spec):
    """Resources of a pod's container."""

    requests: Resources = {}
    """What is reserved."""
    limits: Resources = {}
    """What is the most."""


class CertificateRef(Spec):
    """A kubernetes.io/tls Secret in the gateway's namespace."""

    name: SecretName
    """Its name."""


class ReceiverTLS(Spec):
    """TLS that ends at the receiver: a second port, `https`, of its pods and its Service. Routes
    and Ingresses go to the plain one."""

    certificate_ref: CertificateRef
    """The certificate that is shown. A renewed one is in use within a minute or two, without a
    restart."""


class ParentRef(Spec):
    """A Gateway API Gateway."""

    name: SubdomainName
    """Its name."""
    namespace: ObjectName | None = None
    """Its namespace; default: this one."""
    section_name: Annotated[str, Field(max_length=253)] | None = None
    """One of its listeners."""


class Route(Spec):
    """A Gateway API HTTPRoute to the receiver's Service."""

    parent_refs: Annotated[list[ParentRef], Field(min_length=1, max_length=16)]
    """Gateways to attach to."""
    hostnames: Annotated[list[Hostname], Field(max_length=16)] = []
    """Hosts to match."""


class Ingress(Spec):
    """An Ingress to the receiver's Service."""

    class_name: SubdomainName | None = None
    """Name of the ingress class."""
    host: Hostname
    """Host to match."""
    tls_secret_name: SecretName | None = None
    """A kubernetes.io/tls Secret."""
    annotations: Annotations = {}
    """What its controller and others read, such as cert-manager's issuer or the longest body that
    nginx lets through."""


class NodePorts(Spec):
    """Ports of the nodes; what is not set is chosen by the cluster."""

    http: NodePort | None = None
    """Of the plain port."""
    https: NodePort | None = None
    """Of the one that ends TLS, with `receiver.tls`."""


class ReceiverService(Spec):
    """The Service of the receivers. What is not set here is left as the cluster, or somebody else,
    has it."""

    type: Literal["ClusterIP", "NodePort", "LoadBalancer"] | None = None
    """How it is reached; at first ClusterIP."""
    annotations: Annotations = {}
    """What a load balancer's controller and others read."""
    load_balancer_class: Annotated[str, Field(min_length=1, max_length=253)] | None = None
    """Which controller makes the load balancer. Cannot be changed later."""
    load_balancer_source_ranges: Annotated[list[CIDR], Field(max_length=64)] = []
    """Who may come through the load balancer; empty: everybody."""
    external_traffic_policy: Literal["Cluster", "Local"] | None = None
    """Local: senders' addresses reach the receivers, which `sources` of endpoints need, and nodes
    without a receiver take nothing."""
    ip_family_policy: Literal["SingleStack", "PreferDualStack", "RequireDualStack"] | None = None
    """How many address families it has."""
    ip_families: Annotated[list[Literal["IPv4", "IPv6"]], Field(max_length=2)] = []
    """Which ones; the first cannot be changed later."""
    node_ports: NodePorts = NodePorts()
    """Ports of the nodes; what is not set is chosen by the cluster."""

    RULES = (
        Rule(
            rule="has(self.type) && self.type != 'ClusterIP' || !has(self.externalTrafficPolicy) "
            "&& !(has(self.nodePorts) && (has(self.nodePorts.http) || has(self.nodePorts.https)))",
            message="externalTrafficPolicy and nodePorts need type NodePort or LoadBalancer",
        ),
        Rule(
            rule="has(self.type) && self.type == 'LoadBalancer' || !has(self.loadBalancerClass) "
            "&& !(has(self.loadBalancerSourceRanges) && size(self.loadBalancerSourceRanges) > 0)",
            message="loadBalancerClass and loadBalancerSourceRanges need type LoadBalancer",
        ),
    )

    def model_post_init(self, _: Any) -> None:
        ports = self.node_ports.http or self.node_ports.https
        outside = self.external_traffic_policy or ports
        balanced = self.load_balancer_class or self.load_balancer_source_ranges
        rule_check(self.type not in (None, "ClusterIP") or not outside, self.RULES[0].message)
        rule_check(self.type == "LoadBalancer" or not balanced, self.RULES[1].message)


SCALE_RULES: Final[tuple[Rule, ...]] = (
    Rule(
        rule="!(has(self.replicas) && has(self.autoscaling))",
        message="set replicas or autoscaling, not both",
    ),
    Rule(
        rule="!has(self.autoscaling) || (has(self.resources) && has(self.resources.requests) "
        "&& has(self.resources.requests.cpu))",
        message="autoscaling needs resources.requests.cpu",
    ),
)


class Scaled(Spec):
    """A Deployment whose size is fixed or automatic."""

    replicas: Annotated[int, Field(ge=0, le=100)] | None = None
    """Fixed number of pods; whoever scales the Deployment sees it set back. Without this and
    without `autoscaling` there is 1 at first, and then as many as others say, such as
    `kubectl scale` or an autoscaler of yours."""
    autoscaling: Autoscaling | None = None
    """Automatic number of pods."""
    resources: PodResources = PodResources()
    """Resources of each pod."""

    RULES = SCALE_RULES

    def model_post_init(self, _: Any) -> None:
        fixed, automatic = self.replicas is not None, self.autoscaling is not None
        rule_check(not (fixed and automatic), SCALE_RULES[0].message)
        rule_check(not automatic or "cpu" in self.resources.requests, SCALE_RULES[1].message)


class ReceiverLimits(Spec):
    """What senders may take of one receiver before it is known who they are."""

    connections: Annotated[int, Field(ge=1, le=100_000)] | None = None
    """Open connections, of both ports. Each takes up to 140 KiB of memory. Default: 2048."""
    connections_per_peer: Annotated[int, Field(ge=1, le=100_000)] | None = None
    """Of one address, or one /64 of IPv6; `trustedProxies` have no such bound. Default: 1024."""
    unverified_bytes: Size | None = None
    """Memory for bodies that come in, beyond 16 KiB of each. At least 32Mi. Default: 64Mi."""

    RULES = (
        Rule(
            rule="!has(self.unverifiedBytes) || "
            "quantity(self.unverifiedBytes).compareTo(quantity('32Mi')) >= 0",
            message="unverifiedBytes must be at least 32Mi, which one body may have",
        ),
    )

    def model_post_init(self, _: Any) -> None:
        size = self.unverified_bytes
        rule_check(size is None or parse_size(size) >= MAX_BODY_SIZE, self.RULES[0].message)


class ReceiverSpec(Scaled):
    """What takes requests in."""

    trusted_proxies: Annotated[list[CIDR], Field(max_length=64)] = []
    """Address ranges of proxies that may set X-Forwarded-For."""
    limits: ReceiverLimits = ReceiverLimits()
    """What senders may take of one receiver before it is known who they are."""
    tls: ReceiverTLS | None = None
    """TLS that ends at the receiver, which `verification.clientCertificate` needs."""
    service: ReceiverService = ReceiverService()
    """The Service of the receivers."""
    route: Route | None = None
    """An HTTPRoute; not together with `ingress`."""
    ingress: Ingress | None = None
    """An Ingress; not together with `route`."""

    RULES = (
        *SCALE_RULES,
        Rule(
            rule="!(has(self.route) && has(self.ingress))",
            message="set route or ingress, not both",
        ),
    )

    def model_post_init(self, context: Any) -> None:
        super().model_post_init(context)
        rule_check(self.route is None or self.ingress is None, self.RULES[2].message)


class Egress(Spec):
    """Where deliveries may go."""

    allowed_cidrs: Annotated[list[CIDR], Field(max_length=64)] = []
    """Private address ranges that targets may live in; cloud metadata addresses never, nor what is
    Hookplane's own. A `serviceRef` needs none. What is allowed is so for the `url` of every tenant:
    never name the range of Services or pods."""


class DispatcherSpec(Scaled):
    """What sends deliveries out."""

    egress: Egress = Egress()
    """Where deliveries may go."""


class NamespaceQuota(Spec):
    """What one namespace may use; absent: as much as it likes."""

    stored_bytes: Size | None = None
    """Bodies of stored events, of endpoints that are deleted as well. What does not fit is answered
    503 until retention has made room."""
    events_per_second: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Requests a second that are to be stored, of all endpoints together. Each ready receiver takes
    an equal share, at least one a second; more is answered 429."""
    endpoints: Annotated[int, Field(ge=0, le=100_000)] | None = None
    """Endpoints in force. One more is not accepted until there is room; what is in force stays,
    also if this becomes less."""
    subscriptions: Annotated[int, Field(ge=0, le=100_000)] | None = None
    """The same of subscriptions, each of which keeps its own attempts of every event that it
    wants."""


class QuotasSpec(Spec):
    """What tenants may use."""

    per_namespace: NamespaceQuota = NamespaceQuota()
    """What one namespace may use; absent: as much as it likes."""


class ConsoleSpec(Spec):
    """The query API, for people who may forward a port to its pod: it listens at the pod's loopback
    alone, and no Service leads to it."""

    enabled: bool = False
    """Whether it runs."""
    trigger: bool = False
    """Whether it may send signed samples to endpoints, of all namespaces: it then holds the keys
    that endpoints verify with. Without this it holds no key."""

    RULES = (
        Rule(
            rule="!has(self.trigger) || !self.trigger || (has(self.enabled) && self.enabled)",
            message="trigger is a right of the console: set enabled: true with it",
        ),
    )

    def model_post_init(self, _: Any) -> None:
        rule_check(self.enabled or not self.trigger, self.RULES[0].message)


class GatewaySpec(Spec):
    """One data plane: receivers, dispatchers, a store."""

    public_url: Annotated[HttpURL | None, Field(alias="publicURL")] = None
    """The URL that providers see; endpoints are below it."""
    allowed_namespaces: AllowedNamespaces = AllowedNamespaces()
    """Which namespaces may use it."""
    allowed_secrets: AllowedSecrets = AllowedSecrets()
    """Which Secrets its endpoints and subscriptions may refer to."""
    store: GatewayStore
    """Where events are kept."""
    receiver: ReceiverSpec = ReceiverSpec()
    """What takes requests in."""
    dispatcher: DispatcherSpec = DispatcherSpec()
    """What sends deliveries out."""
    quotas: QuotasSpec = QuotasSpec()
    """What tenants may use."""
    console: ConsoleSpec = ConsoleSpec()
    """The query API."""


class ProcessesStatus(Spec):
    """Processes of one role."""

    ready: Count
    """Alive, with all configuration loaded."""
    desired: Count
    """How many there should be."""
    summary: Annotated[str, Field(max_length=24)]
    """Both in one, such as `2/2`."""


class StoreStatus(Spec):
    """The store."""

    state: Literal["OK", "Unavailable", "InUse"]
    """InUse: the database belongs to another gateway."""
    since: Time | None = None
    """Since when it is so."""
    message: ShortText = ""
    """What is wrong with it."""


class ResourcesStatus(Spec):
    """What a gateway serves."""

    endpoints: Count
    """Endpoints that are in force."""
    subscriptions: Count
    """Subscriptions that are in force."""


class GatewayStatus(Status):
    """What became of a gateway."""

    url: Annotated[str, Field(max_length=2048)] | None = None
    """`publicURL`, or the URL of the receiver's Service."""
    receivers: ProcessesStatus | None = None
    """Processes that take requests in."""
    dispatchers: ProcessesStatus | None = None
    """Processes that send deliveries out."""
    store: StoreStatus | None = None
    """The store."""
    backlog: Count | None = None
    """Pending and retrying deliveries of all subscriptions."""
    resources: ResourcesStatus | None = None
    """What it serves."""


class WebhookGateway(BaseModel):
    """One data plane: receivers, dispatchers and the store between them."""

    metadata: ObjectMeta
    spec: GatewaySpec
