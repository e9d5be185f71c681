"""`hookplane operator`: reconciles the kinds of a cluster into running data planes."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys

import click
from prometheus_client import CollectorRegistry

from hookplane.clock import SystemClock
from hookplane.errors import HookplaneError, InvalidValue
from hookplane_cli.process.variables import address
from hookplane_cli.serving.health import HealthServer
from hookplane_cli.serving.loop import run_until_signal, set_up_collector


@click.command(name="operator")
def command() -> None:
    """Reconcile WebhookGateways, -Endpoints, -Subscriptions and -Replays.

    \b
    Environment:
      HOOKPLANE_OPERATOR_SETTINGS_FILE  what the platform decides, as YAML
      HOOKPLANE_NAMESPACE               the operator's own namespace
      HOOKPLANE_INSTANCE                unique among replicas; the host's name
      HOOKPLANE_HEALTH                  health and metrics [0.0.0.0:8081]
      KUBECONFIG                        outside of a cluster
    """
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s"
    )
    logging.getLogger("kopf").setLevel(logging.WARNING)
    try:
        run_until_signal(_serve)
    except (HookplaneError, OSError) as error:
        raise click.ClickException(str(error)) from error


async def _serve(stopped: asyncio.Event) -> None:
    try:
        from hookplane_operator.operator import make_operator  # noqa: PLC0415 - heavy
        from hookplane_operator.settings import read_settings  # noqa: PLC0415 - heavy
    except ImportError as error:
        raise InvalidValue("the operator's packages are missing: hookplane[operator]") from error
    settings, scope = read_settings()
    instance = os.environ.get("HOOKPLANE_INSTANCE") or socket.gethostname()
    registry = CollectorRegistry()
    operator, kube = await make_operator(settings, scope, instance, SystemClock(), registry)
    set_up_collector()
    listen = address(os.environ.get("HOOKPLANE_HEALTH") or "0.0.0.0:8081")
    health = HealthServer(listen, lambda: {"operator": operator.ready}, registry)
    await health.start()
    try:
        await operator.serve(stopped)
    finally:
        await health.stop()
        await kube.close()
