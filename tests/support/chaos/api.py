"""The API server as an administrator reaches it, past every broken proxy."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any, Final

from support.kubernetes.control_plane import ControlPlane

Object = dict[str, Any]
OURS: Final = "/apis/hookplane.dev/v1alpha1"
RBAC: Final = "/apis/rbac.authorization.k8s.io/v1"
ADMISSION: Final = "/apis/admissionregistration.k8s.io/v1"
PATHS: Final = {
    "WebhookGateway": (OURS, "webhookgateways"),
    "WebhookEndpoint": (OURS, "webhookendpoints"),
    "WebhookSubscription": (OURS, "webhooksubscriptions"),
    "WebhookReplay": (OURS, "webhookreplays"),
    "Namespace": ("/api/v1", "namespaces"),
    "Secret": ("/api/v1", "secrets"),
    "Service": ("/api/v1", "services"),
    "ServiceAccount": ("/api/v1", "serviceaccounts"),
    "ResourceQuota": ("/api/v1", "resourcequotas"),
    "Deployment": ("/apis/apps/v1", "deployments"),
    "PodDisruptionBudget": ("/apis/policy/v1", "poddisruptionbudgets"),
    "NetworkPolicy": ("/apis/networking.k8s.io/v1", "networkpolicies"),
    "Lease": ("/apis/coordination.k8s.io/v1", "leases"),
    "ClusterRole": (RBAC, "clusterroles"),
    "ClusterRoleBinding": (RBAC, "clusterrolebindings"),
    "ValidatingAdmissionPolicy": (ADMISSION, "validatingadmissionpolicies"),
    "ValidatingAdmissionPolicyBinding": (ADMISSION, "validatingadmissionpolicybindings"),
    "CustomResourceDefinition": ("/apis/apiextensions.k8s.io/v1", "customresourcedefinitions"),
}
"""Kind → root of its API, and plural."""
MANAGER: Final = "fieldManager=people&force=true"


@dataclass
class Declined(Exception):
    """The API server said no."""

    code: int
    said: str


class AdminApi:
    """Every request raises Declined, or OSError when the API server is away. `namespace`: empty for
    kinds that have none, and for all of them."""

    def __init__(self, plane: ControlPlane) -> None:
        self._url = plane.url
        self._context = ssl.create_default_context(cadata=plane.authority.certificate.decode())
        self._context.load_cert_chain(plane.folder / "admin.crt", plane.folder / "admin.key")

    def find(self, kind: str, namespace: str, name: str) -> Object | None:
        try:
            return self._send("GET", _path(kind, namespace, name))
        except Declined as error:
            if error.code == 404:
                return None
            raise

    def list(self, kind: str, namespace: str = "", query: str = "") -> list[Object]:
        """Nothing where the kind is not served at this moment."""
        try:
            found = self._send("GET", f"{_path(kind, namespace)}?{query}")
        except Declined as error:
            if error.code == 404:
                return []
            raise
        items: list[Object] = found["items"]
        return [{"kind": kind, **x} for x in items]

    def apply(self, wanted: Object) -> Object:
        """By server-side apply."""
        own = wanted["metadata"]
        path = _path(wanted["kind"], own.get("namespace", ""), own["name"])
        return self._send("PATCH", f"{path}?{MANAGER}", wanted, "application/apply-patch+yaml")

    def merge(self, kind: str, namespace: str, name: str, change: Object) -> Object:
        path = _path(kind, namespace, name)
        return self._send("PATCH", path, change, "application/merge-patch+json")

    def delete(self, kind: str, namespace: str, name: str, how: str = "Background") -> None:
        """`how`: the propagation. One that is gone already is fine."""
        try:
            self._send("DELETE", _path(kind, namespace, name), {"propagationPolicy": how})
        except Declined as error:
            if error.code != 404:
                raise

    def _send(
        self, method: str, path: str, body: Object | None = None, kind: str = "application/json"
    ) -> Object:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": kind}
        request = urllib.request.Request(self._url + path, data, headers, method=method)  # noqa: S310
        try:
            with urllib.request.urlopen(request, context=self._context, timeout=30) as answer:  # noqa: S310
                found: Object = json.loads(answer.read())
                return found
        except urllib.error.HTTPError as error:
            with error:
                raise Declined(error.code, error.read().decode(errors="replace")[:500]) from None


def _path(kind: str, namespace: str, name: str = "") -> str:
    root, plural = PATHS[kind]
    place = f"/namespaces/{namespace}" if namespace else ""
    return f"{root}{place}/{plural}" + (f"/{name}" if name else "")
