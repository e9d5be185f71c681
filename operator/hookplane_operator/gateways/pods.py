"""Pod templates of the data plane: settings of the platform and of the gateway; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hookplane.kinds.gateway import PodResources, ReceiverLimits, WebhookGateway
from hookplane.store.process_registry import Role
from hookplane_operator.kube.kinds import Object
from hookplane_operator.kube.names import CONSOLE, HTTP, HTTPS, METRICS, Names
from hookplane_operator.settings import OperatorSettings

GRACE: Final = "20s"
STOP_SECONDS: Final = 40
"""After so long a pod that is to stop is killed: STOP_DELAY, then GRACE, then some seconds more."""
STOP_DELAY: Final = "5s"
"""How long a pod that is to stop goes on answering. After that nobody sends to it any more."""
STORE_FOLDER: Final = "/etc/hookplane/store"
KEYS_FOLDER: Final = "/etc/hookplane/keys"
TLS_FOLDER: Final = "/etc/hookplane/tls"
CA_FOLDER: Final = "/etc/hookplane-ca"
CA_FILE: Final = "ca.crt"
CERTIFICATE: Final = "tls.crt"
CERTIFICATE_KEY: Final = "tls.key"
"""Keys of a kubernetes.io/tls Secret."""
CHECKSUM: Final = "hookplane.dev/secrets"
INBOUND: Final = "inbound"
OUTBOUND: Final = "outbound"
_KEYS_OF: Final = {
    Role.RECEIVER: (INBOUND,),
    Role.DISPATCHER: (INBOUND, OUTBOUND),
    Role.CONSOLE: (),
}
"""Which sealing keys each role gets. Receivers face the internet, so they cannot open what
subscriptions hold."""
_LISTEN: Final = {
    Role.RECEIVER: f"[::]:{HTTP}",
    Role.CONSOLE: f"127.0.0.1:{CONSOLE}",
}
"""The console asks nobody who they are, so only those reach it who may forward a port to it."""


@dataclass(frozen=True, slots=True)
class PodMaker:
    """Pods of one gateway."""

    gateway: WebhookGateway
    settings: OperatorSettings
    checksum: str
    """Of the Secrets that a pod reads only when it starts. It is made with a key, so it tells
    nothing about them."""

    def template(self, role: Role, resources: PodResources) -> Object:
        """The pod template of a role's Deployment."""
        names, pods = Names(self.gateway), self.settings.pods
        labels = pods.labels | names.labels(role)
        return {
            "metadata": {
                "labels": labels,
                "annotations": pods.annotations | {CHECKSUM: self.checksum},
            },
            "spec": {
                "serviceAccountName": names.of(role),
                "automountServiceAccountToken": False,
                "enableServiceLinks": False,
                "terminationGracePeriodSeconds": STOP_SECONDS,
                "securityContext": _POD_SECURITY | pods.pod_security_context,
                "containers": [self._container(role, resources)],
                "volumes": self._volumes(role),
                **self._placement(role),
            },
        }

    def _container(self, role: Role, resources: PodResources) -> Object:
        ports = [{"name": "metrics", "containerPort": METRICS}]
        if role is Role.RECEIVER:
            ports.insert(0, {"name": "http", "containerPort": HTTP})
        if self._ends_tls(role):
            ports.insert(1, {"name": "https", "containerPort": HTTPS})
        return {
            "name": role.value,
            "image": self.settings.image,
            "imagePullPolicy": self.settings.image_pull_policy,
            "args": [role.value],
            "env": self._environment(role),
            "ports": ports,
            "resources": _resources(resources),
            "securityContext": _CONTAINER_SECURITY | self.settings.pods.container_security_context,
            "startupProbe": _probe("/healthz", period=1, failures=60),
            "livenessProbe": _probe("/healthz", period=10, failures=3),
            "readinessProbe": _probe("/readyz", period=2, failures=2),
            "volumeMounts": self._mounts(role),
        }

    def _ends_tls(self, role: Role) -> bool:
        return role is Role.RECEIVER and self.gateway.spec.receiver.tls is not None

    def _keys(self, role: Role) -> tuple[str, ...]:
        """A console opens nothing, unless it is to sign what it sends to endpoints."""
        if role is Role.CONSOLE and self.gateway.spec.console.trigger:
            return (INBOUND,)
        return _KEYS_OF[role]

    def _mounts(self, role: Role) -> list[Object]:
        folders = {"store": STORE_FOLDER}
        if self._keys(role):
            folders["keys"] = KEYS_FOLDER
        if self._ends_tls(role):
            folders["tls"] = TLS_FOLDER
        if self.settings.ca_bundle is not None:
            folders["ca"] = CA_FOLDER
        return [
            *({"name": name, "mountPath": at, "readOnly": True} for name, at in folders.items()),
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - an emptyDir of the pod
        ]

    def _environment(self, role: Role) -> list[Object]:
        spec = self.gateway.spec
        values = {
            "HOOKPLANE_STORE_FILE": f"{STORE_FOLDER}/dsn",
            "HOOKPLANE_SEALING_KEYS_FILE": KEYS_FOLDER if self._keys(role) else "",
            "HOOKPLANE_LISTEN": _LISTEN.get(role, ""),
            "HOOKPLANE_HEALTH": f"[::]:{METRICS}",
            "HOOKPLANE_STOP_DELAY": STOP_DELAY,
            "HOOKPLANE_GRACE": GRACE,
            "HOOKPLANE_LOG": "json",
            "HOOKPLANE_RETENTION_EVENTS": spec.store.retention.events,
            "HOOKPLANE_RETENTION_ATTEMPTS": spec.store.retention.attempts,
            "HOOKPLANE_RETENTION_SIZE": spec.store.retention.size or "",
            "TMPDIR": "/tmp",  # noqa: S108 - an emptyDir of the pod
        }
        if role is Role.RECEIVER:
            values["HOOKPLANE_TRUSTED_PROXIES"] = ",".join(spec.receiver.trusted_proxies)
            values |= _limits(spec.receiver.limits) | _quotas(self.gateway)
        if self.settings.ca_bundle is not None:
            values["SSL_CERT_FILE"] = f"{CA_FOLDER}/{CA_FILE}"
        if self._ends_tls(role):
            values["HOOKPLANE_TLS_LISTEN"] = f"[::]:{HTTPS}"
            values["HOOKPLANE_TLS_CERTIFICATE_FILE"] = f"{TLS_FOLDER}/{CERTIFICATE}"
            values["HOOKPLANE_TLS_KEY_FILE"] = f"{TLS_FOLDER}/{CERTIFICATE_KEY}"
        if role is Role.DISPATCHER:
            values["HOOKPLANE_REFUSED_TARGETS"] = ",".join(self.settings.refused_targets)
            values["HOOKPLANE_ALLOWED_CIDRS"] = ",".join(spec.dispatcher.egress.allowed_cidrs)
        if role is Role.CONSOLE:
            values["HOOKPLANE_RECEIVER_URL"] = service_url(self.gateway, self.settings)
            values["HOOKPLANE_TRIGGER"] = "true" if spec.console.trigger else ""
        pod_name = {"fieldRef": {"fieldPath": "metadata.name"}}
        own = [{"name": "HOOKPLANE_INSTANCE", "valueFrom": pod_name}]
        given = [{"name": name, "value": value} for name, value in values.items() if value]
        return own + given + self.settings.pods.extra_env

    def _volumes(self, role: Role) -> list[Object]:
        _, database = self.gateway.spec.store.database
        dsn = database.dsn.secret_key_ref
        volumes = [
            _secret_volume("store", dsn.name, [{"key": dsn.key, "path": "dsn"}]),
            {"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}},
        ]
        if keys := self._keys(role):
            volumes.append(_secret_volume("keys", Names(self.gateway).keys, _items(*keys)))
        tls = self.gateway.spec.receiver.tls
        if tls is not None and role is Role.RECEIVER:
            items = _items(CERTIFICATE, CERTIFICATE_KEY)
            volumes.append(_secret_volume("tls", tls.certificate_ref.name, items))
        if (bundle := self.settings.ca_bundle) is not None:
            source = {
                "name": bundle.config_map_name,
                "items": [{"key": bundle.key, "path": CA_FILE}],
            }
            volumes.append({"name": "ca", "configMap": source})
        return volumes

    def _placement(self, role: Role) -> Object:
        pods = self.settings.pods
        spread = pods.topology_spread_constraints or [
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": Names(self.gateway).selector(role)},
                "matchLabelKeys": ["pod-template-hash"],
            }
        ]
        wanted: Object = {
            "imagePullSecrets": [{"name": x.name} for x in self.settings.image_pull_secrets],
            "nodeSelector": pods.node_selector,
            "tolerations": pods.tolerations,
            "affinity": pods.affinity,
            "priorityClassName": pods.priority_class_name,
        }
        return {"topologySpreadConstraints": spread} | {k: v for k, v in wanted.items() if v}


def _limits(limits: ReceiverLimits) -> dict[str, str]:
    """What strangers may take; what is not set is as the receiver has it."""
    values = {
        "HOOKPLANE_CONNECTIONS": limits.connections,
        "HOOKPLANE_CONNECTIONS_PER_PEER": limits.connections_per_peer,
        "HOOKPLANE_UNVERIFIED_BYTES": limits.unverified_bytes,
    }
    return {name: str(value) for name, value in values.items() if value is not None}


def _quotas(gateway: WebhookGateway) -> dict[str, str]:
    """What one namespace may use, and which gateway says so."""
    quota, owner = gateway.spec.quotas.per_namespace, gateway.metadata
    events = quota.events_per_second
    if quota.stored_bytes is None and events is None:
        return {}
    return {
        "HOOKPLANE_GATEWAY": f"{owner.namespace}/{owner.name}",
        "HOOKPLANE_QUOTA_STORED_BYTES": quota.stored_bytes or "",
        "HOOKPLANE_QUOTA_EVENTS_PER_SECOND": "" if events is None else str(events),
    }


def shown_url(gateway: WebhookGateway, settings: OperatorSettings) -> str:
    """Where providers send to: the public URL, or the address of the Service when none is given."""
    scheme = "http" if gateway.spec.receiver.tls is None else "https"
    return gateway.spec.public_url or service_url(gateway, settings, scheme)


def service_url(gateway: WebhookGateway, settings: OperatorSettings, scheme: str = "http") -> str:
    """The address of the receivers inside the cluster."""
    host = f"{Names(gateway).of(Role.RECEIVER)}.{gateway.metadata.namespace}.svc"
    return f"{scheme}://{host}.{settings.cluster_domain}"


# No user and no group: the image names its own, and OpenShift gives each namespace another one.
_POD_SECURITY: Final[Object] = {
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}
_CONTAINER_SECURITY: Final[Object] = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


def _resources(resources: PodResources) -> Object:
    parts = {"requests": dict(resources.requests), "limits": dict(resources.limits)}
    return {name: values for name, values in parts.items() if values}


def _items(*keys: str) -> list[Object]:
    """Keys of a Secret as files of the same names."""
    return [{"key": key, "path": key} for key in keys]


def _secret_volume(name: str, secret: str, items: list[Object]) -> Object:
    # for whatever user the pod runs as; nobody but its container sees the volume
    source = {"secretName": secret, "items": items, "defaultMode": 0o444}
    return {"name": name, "secret": source}


def _probe(path: str, *, period: int, failures: int) -> Object:
    return {
        "httpGet": {"path": path, "port": "metrics"},
        "periodSeconds": period,
        "timeoutSeconds": 2,
        "failureThreshold": failures,
    }
