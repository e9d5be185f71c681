"""Health and metrics of a process that has no console."""

from __future__ import annotations

from aiohttp import web
from prometheus_client import CollectorRegistry

from hookplane_console.probes import Health, Probes
from hookplane_console.site import site


class HealthServer:
    """`/healthz`, `/readyz` and `/metrics`, which change nothing and name no secret."""

    def __init__(
        self, address: tuple[str, int], health: Health, registry: CollectorRegistry
    ) -> None:
        self._address = address
        app = web.Application()
        Probes(health, registry).add_routes(app)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)

    async def start(self) -> str:
        """Returns its URL. Raises OSError when the address is taken."""
        host, port = self._address
        await self._runner.setup()
        await site(self._runner, host, port).start()
        return f"http://{host}:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        await self._runner.cleanup()
