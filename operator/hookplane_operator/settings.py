"""The operator's settings file: what the platform decides, and no resource of a user can."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import yaml
from pydantic import AfterValidator, Field, ValidationError

from hookplane.errors import InvalidValue
from hookplane.kinds.base import ObjectName, Spec, SubdomainName
from hookplane.kinds.gateway import GatewaySpec
from hookplane.manifests.explain import explain
from hookplane.network.addresses import OwnPlace

FILE: Final = "HOOKPLANE_OPERATOR_SETTINGS_FILE"
NAMESPACE: Final = "HOOKPLANE_NAMESPACE"
Free = dict[str, Any]
"""A part of a pod's spec, as Kubernetes has it; the API server checks it."""
OWN_VARIABLES: Final = ("HOOKPLANE_", "TMPDIR", "SSL_CERT_FILE")
"""How the names of those begin that the operator sets."""


def _check_environment(given: list[Free]) -> list[Free]:
    names = [x.get("name") for x in given]
    for name in names:
        if not isinstance(name, str) or not name:
            raise ValueError("each needs a name")
        if name.startswith(OWN_VARIABLES):
            raise ValueError(f"{name} is set by the operator; names must not begin so")
        if names.count(name) > 1:
            raise ValueError(f"{name} is there twice")
    return given


class PodSettings(Spec):
    """What all pods of the data plane get."""

    node_selector: dict[str, str] = {}
    """Nodes that they may run on."""
    tolerations: list[Free] = []
    """Taints that they stand."""
    affinity: Free = {}
    """Where they would rather run."""
    topology_spread_constraints: list[Free] = []
    """Replaces our own, which spreads over hosts where it can."""
    priority_class_name: str = ""
    """Their priority."""
    labels: dict[str, str] = {}
    """More labels."""
    annotations: dict[str, str] = {}
    """More annotations."""
    extra_env: Annotated[list[Free], AfterValidator(_check_environment)] = []
    """More environment variables."""
    pod_security_context: Free = {}
    """Laid over our own, such as a user where the image's is not allowed."""
    container_security_context: Free = {}
    """Laid over our own."""


class CABundle(Spec):
    """Authorities to believe besides those of the image, in a ConfigMap of each namespace that
    gateways live in."""

    config_map_name: SubdomainName
    """Its name."""
    key: Annotated[str, Field(pattern=r"^[-._a-zA-Z0-9]+$", max_length=253)] = "ca.crt"
    """Its key with certificates as PEM."""


class PullSecret(Spec):
    """A Secret for pulling images, in the gateways' namespaces."""

    name: ObjectName
    """Its name."""


class DefaultGateway(Spec):
    """The gateway that objects without a gatewayRef use."""

    enabled: bool = True
    """Whether the operator makes it."""
    name: ObjectName = "default"
    """Its name, in the operator's namespace."""
    spec: GatewaySpec | None = None
    """What it is to be; needed where it is made."""


class OperatorSettings(Spec):
    """Everything in the file."""

    image: Annotated[str, Field(min_length=1)]
    """Image of the data plane."""
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    """When it is pulled."""
    image_pull_secrets: list[PullSecret] = []
    """With which Secrets."""
    gateway_namespaces: list[ObjectName] = []
    """Where gateways may live; empty: in the operator's own namespace."""
    watch_namespaces: list[ObjectName] = []
    """Whose endpoints, subscriptions and replays are looked at; empty: all."""
    watch_secrets: bool = False
    """Whether Secrets are watched; that takes the right to list them."""
    cluster_domain: str = "cluster.local"
    """Domain of Services."""
    own_services: list[SubdomainName] = []
    """Services of Hookplane's own by their whole names, such as that of the operator's metrics:
    nothing is delivered there."""
    default_gateway: DefaultGateway = DefaultGateway(enabled=False)
    """The gateway that objects without a gatewayRef use."""
    pods: PodSettings = PodSettings()
    """What all pods of the data plane get."""
    ca_bundle: CABundle | None = None
    """Whom they believe besides."""
    status_writes_per_second: Annotated[int, Field(ge=1, le=1_000)] = 100
    """At most so many statuses are written; fewer while nothing waits, or while the API server asks
    for less."""
    metrics_from: list[Free] = []
    """Who may read their metrics, as `from` of a NetworkPolicy; empty: everybody."""

    @property
    def refused_targets(self) -> tuple[str, ...]:
        """Names of Services that no target may lead to: our own, and the API server's."""
        return (*self.own_services, f"kubernetes.default.svc.{self.cluster_domain}")

    def own_places(self) -> frozenset[OwnPlace]:
        """The same, in every form in which a URL may name them."""
        suffixes = (".svc." + self.cluster_domain, "." + self.cluster_domain)
        shorter = {x.removesuffix(end) for x in self.refused_targets for end in suffixes}
        return frozenset(OwnPlace(x.lower()) for x in shorter.union(self.refused_targets))


@dataclass(frozen=True, slots=True)
class Scope:
    """Which namespaces the operator looks at."""

    own: str
    gateways: tuple[str, ...]
    user_namespaces: tuple[str, ...]
    """Empty: all."""

    def holds(self, namespace: str) -> bool:
        """Whether a user's namespace is looked at."""
        return not self.user_namespaces or namespace in self.user_namespaces

    @property
    def lists(self) -> tuple[str | None, ...]:
        """What to list to see all user objects."""
        return self.user_namespaces or (None,)


def read_settings(environment: Mapping[str, str] = os.environ) -> tuple[OperatorSettings, Scope]:
    """Raises InvalidValue with all problems, a line each; OSError."""
    file, own = environment.get(FILE), environment.get(NAMESPACE)
    if not file or not own:
        missing = [name for name, value in ((FILE, file), (NAMESPACE, own)) if not value]
        raise InvalidValue("\n".join(f"{name}: it is missing" for name in missing))
    settings = parse_settings(Path(file).read_text("utf-8"), file)
    gateways = tuple(settings.gateway_namespaces) or (own,)
    return settings, Scope(own, gateways, tuple(settings.watch_namespaces))


def parse_settings(text: str, name: str) -> OperatorSettings:
    """Raises InvalidValue."""
    try:
        given = yaml.safe_load(text)
        made = OperatorSettings.model_validate(given, by_alias=True, by_name=False)
    except yaml.YAMLError as error:
        raise InvalidValue(f"{name}: is not YAML: {error}") from error
    except ValidationError as error:
        found = explain(OperatorSettings, error)
        lines = [f"{name}: {path}: {message}" for path, message in found]
        raise InvalidValue("\n".join(lines)) from error
    if made.default_gateway.enabled and made.default_gateway.spec is None:
        raise InvalidValue(f"{name}: defaultGateway.spec: is required where enabled is true")
    return made
