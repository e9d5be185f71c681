"""The gateway that objects without a gatewayRef use: made from the operator's settings, because a
chart cannot hold a CRD and an object of it at once."""

from __future__ import annotations

from typing import Final

from hookplane.compile.model import ObjectKey
from hookplane_operator.gateways.drift import has_drifted, stamped
from hookplane_operator.kube.client import Kube
from hookplane_operator.kube.kinds import GATEWAY, Object
from hookplane_operator.kube.objects import Objects
from hookplane_operator.settings import OperatorSettings, Scope

AGAIN_SECONDS: Final = 60.0


class DefaultGatewayKeeper:
    """Applies it, and heals it when somebody changes what the settings say."""

    def __init__(
        self, kube: Kube, objects: Objects, settings: OperatorSettings, scope: Scope
    ) -> None:
        self._kube = kube
        self._objects = objects
        self._settings = settings
        self.name = (scope.own, settings.default_gateway.name)

    async def reconcile(self, _: tuple[str, str]) -> float | None:
        """Raises ApiError, NotLeader."""
        wanted = self._wanted()
        if wanted is None:
            return None
        live = self._objects.get(ObjectKey(GATEWAY.kind, *self.name))
        if has_drifted(wanted, live):
            await self._kube.apply(GATEWAY, wanted)
        return AGAIN_SECONDS

    def _wanted(self) -> Object | None:
        settings = self._settings.default_gateway
        if not settings.enabled or settings.spec is None:
            return None
        namespace, name = self.name
        return stamped(
            {
                "apiVersion": GATEWAY.api_version,
                "kind": GATEWAY.kind,
                "metadata": {"name": name, "namespace": namespace},
                "spec": settings.spec.model_dump(
                    by_alias=True, exclude_none=True, exclude_unset=True, mode="json"
                ),
            }
        )
