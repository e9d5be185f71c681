"""The objects that a gateway is made of, such as Deployments and Services, as they are to be;
pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from hookplane.kinds.gateway import (
    Autoscaling,
    PodResources,
    ReceiverService,
    Scaled,
    WebhookGateway,
)
from hookplane.store.process_registry import Role
from hookplane_operator.gateways.pods import PodMaker
from hookplane_operator.kube.kinds import CHILDREN, Object
from hookplane_operator.kube.names import (
    HTTP,
    HTTPS,
    METRICS,
    SERVICE_HTTP,
    SERVICE_HTTPS,
    Names,
)
from hookplane_operator.settings import OperatorSettings

_CONSOLE: Final = Scaled(replicas=1)


@dataclass(frozen=True, slots=True)
class ChildMaker:
    """Children of one gateway."""

    gateway: WebhookGateway
    settings: OperatorSettings
    checksum: str
    apis: frozenset[str] = frozenset()
    """Kinds of optional APIs that the cluster has."""

    def make(self) -> list[Object]:
        """In the order in which they are applied."""
        made: list[Object] = []
        for role, scaled in self.roles().items():
            made += [self._account(role), self._policy(role)]
            made += [self._deployment(role, scaled), self._budget(role)]
            if scaled.autoscaling is not None:
                made.append(self._autoscaler(role, scaled.autoscaling))
        return [*made, self._service(), *self._ways_in()]

    def roles(self) -> dict[Role, Scaled]:
        """Roles whose pods this gateway has, and how many of them."""
        spec = self.gateway.spec
        roles: dict[Role, Scaled] = {
            Role.RECEIVER: spec.receiver,
            Role.DISPATCHER: spec.dispatcher,
        }
        return roles | ({Role.CONSOLE: _CONSOLE} if spec.console.enabled else {})

    @property
    def _ends_tls(self) -> bool:
        return self.gateway.spec.receiver.tls is not None

    def _object(self, kind: str, role: Role, **parts: Object) -> Object:
        metadata = Names(self.gateway).metadata(role)
        api_version = CHILDREN[kind].api_version
        return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **parts}

    def _account(self, role: Role) -> Object:
        account = self._object("ServiceAccount", role)
        return account | {"automountServiceAccountToken": False}

    def _deployment(self, role: Role, scaled: Scaled) -> Object:
        maker = PodMaker(self.gateway, self.settings, self.checksum)
        spec: Object = {
            "selector": {"matchLabels": Names(self.gateway).selector(role)},
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1},
            },
            "revisionHistoryLimit": 3,
            "template": maker.template(role, scaled.resources or PodResources()),
        }
        if scaled.replicas is not None:
            spec["replicas"] = scaled.replicas
        return self._object("Deployment", role, spec=spec)

    def _service(self) -> Object:
        """Of the receivers. Nothing else of a gateway is for others to reach: the console listens
        at the loopback of its pod."""
        ports = [_service_port("http", SERVICE_HTTP, HTTP)]
        if self._ends_tls:
            ports.append(_service_port("https", SERVICE_HTTPS, HTTPS))
        selector = Names(self.gateway).selector(Role.RECEIVER)
        wanted = self.gateway.spec.receiver.service
        spec = {"selector": selector, "ports": _with_node_ports(ports, wanted), **_reach(wanted)}
        return _annotated(self._object("Service", Role.RECEIVER, spec=spec), wanted.annotations)

    def _budget(self, role: Role) -> Object:
        spec = {
            "maxUnavailable": 1,
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
            "selector": {"matchLabels": Names(self.gateway).selector(role)},
        }
        return self._object("PodDisruptionBudget", role, spec=spec)

    def _autoscaler(self, role: Role, wanted: Autoscaling) -> Object:
        target = {
            "type": "Utilization",
            "averageUtilization": wanted.target_cpu_utilization_percentage,
        }
        spec = {
            "scaleTargetRef": {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "name": Names(self.gateway).of(role),
            },
            "minReplicas": wanted.min_replicas,
            "maxReplicas": wanted.max_replicas,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
        }
        return self._object("HorizontalPodAutoscaler", role, spec=spec)

    def _policy(self, role: Role) -> Object:
        """Which connections may come in. Those that go out are checked by the dispatcher, address
        by address: a policy would have to list ranges of the cluster that nobody here knows."""
        spec = {
            "podSelector": {"matchLabels": Names(self.gateway).selector(role)},
            "policyTypes": ["Ingress"],
            "ingress": self._who_may_come_in(role),
        }
        return self._object("NetworkPolicy", role, spec=spec)

    def _who_may_come_in(self, role: Role) -> list[Object]:
        front = [HTTP, HTTPS] if self._ends_tls else [HTTP]
        ports = front if role is Role.RECEIVER else []
        allowed = self.settings.metrics_from
        if not allowed:
            return [_to_ports([*ports, METRICS])]
        # probes come from the node itself, which no policy keeps out
        metrics = _to_ports([METRICS]) | {"from": allowed}
        return [_to_ports(ports), metrics] if ports else [metrics]

    def _ways_in(self) -> list[Object]:
        receiver = self.gateway.spec.receiver
        if receiver.ingress is not None:
            return [self._ingress()]
        if receiver.route is not None and "HTTPRoute" in self.apis:
            return [self._route()]
        return []

    def _ingress(self) -> Object:
        wanted = self.gateway.spec.receiver.ingress
        assert wanted is not None  # noqa: S101 - asked for by the caller
        name = Names(self.gateway).of(Role.RECEIVER)
        backend = {"service": {"name": name, "port": {"name": "http"}}}
        path = {"path": "/", "pathType": "Prefix", "backend": backend}
        spec: Object = {"rules": [{"host": wanted.host, "http": {"paths": [path]}}]}
        if wanted.class_name:
            spec["ingressClassName"] = wanted.class_name
        if wanted.tls_secret_name:
            spec["tls"] = [{"hosts": [wanted.host], "secretName": wanted.tls_secret_name}]
        return _annotated(self._object("Ingress", Role.RECEIVER, spec=spec), wanted.annotations)

    def _route(self) -> Object:
        wanted = self.gateway.spec.receiver.route
        assert wanted is not None  # noqa: S101 - asked for by the caller
        name = Names(self.gateway).of(Role.RECEIVER)
        spec: Object = {
            "parentRefs": [
                x.model_dump(by_alias=True, exclude_none=True) for x in wanted.parent_refs
            ],
            "rules": [{"backendRefs": [{"name": name, "port": SERVICE_HTTP}]}],
        }
        if wanted.hostnames:
            spec["hostnames"] = list(wanted.hostnames)
        return self._object("HTTPRoute", Role.RECEIVER, spec=spec)


def _service_port(name: str, port: int, target: int) -> Object:
    return {"name": name, "port": port, "targetPort": target, "protocol": "TCP"}


def _with_node_ports(ports: list[Object], wanted: ReceiverService) -> list[Object]:
    chosen = {"http": wanted.node_ports.http, "https": wanted.node_ports.https}
    return [
        {**port, "nodePort": number} if (number := chosen[port["name"]]) is not None else port
        for port in ports
    ]


def _reach(wanted: ReceiverService) -> Object:
    """How the Service is reached, in the same words; what is not set is nobody's business here."""
    said = wanted.model_dump(by_alias=True, exclude={"annotations", "node_ports"})
    return {name: value for name, value in said.items() if value}


def _annotated(child: Object, annotations: Mapping[str, str]) -> Object:
    if not annotations:
        return child
    return child | {"metadata": child["metadata"] | {"annotations": dict(annotations)}}


def _to_ports(ports: Iterable[int]) -> Object:
    return {"ports": [{"port": port, "protocol": "TCP"} for port in ports]}


def desired(scaled: Scaled, live: Object | None) -> int:
    """How many pods there are to be at least. `live`: the Deployment, which decides where the spec
    does not."""
    if scaled.autoscaling is not None:
        return scaled.autoscaling.min_replicas
    if scaled.replicas is not None:
        return scaled.replicas
    return int((live or {}).get("spec", {}).get("replicas", 1))
