"""`hookplane operator`: reconciles the kinds of a cluster into running data planes."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
from contextlib import AsyncExitStack

import click
from prometheus_client import CollectorRegistry

from hookplane.clock import SystemClock
from hookplane.errors import HookplaneError, InvalidValue
from hookplane_cli.process.variables import address
from hookplane_cli.serving.health import HealthServer
from hookplane_cli.serving.loop import result_unless, run_until_signal, set_up_collector


@click.command(name="operator")
def command() -> None:
    """Reconcile WebhookGateways, -Endpoints, -Subscriptions and -Replays.

    \b
    Environment:
      HOOKPLANE_OPERATOR_SETTINGS_FILE  what the platform decides, as YAML
      HOOKPLANE_NAMESPACE               the operator's own namespace
      HOOKPLANE_INSTANCE                unique among replicas; the host's name
      HOOKPLANE_HEALTH                  health and metrics; [::]:8081
      KUBECONFIG                        outside of a cluster
    """
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s"
    )
    try:
        run_until_signal(_serve)
    except (HookplaneError, OSError) as error:
        raise click.ClickException(str(error)) from error


async def _serve(stopped: asyncio.Event) -> None:
    try:
        from hookplane_operator.causes import OneLinePerCause  # noqa: PLC0415 - heavy
        from hookplane_operator.operator import Operator, make_operator  # noqa: PLC0415 - heavy
        from hookplane_operator.settings import read_settings  # noqa: PLC0415 - heavy
    except ImportError as error:
        raise InvalidValue("the operator's packages are missing: hookplane[operator]") from error
    logging.getLogger("hookplane.operator").addFilter(OneLinePerCause())
    settings, scope = read_settings()
    instance = os.environ.get("HOOKPLANE_INSTANCE") or socket.gethostname()
    registry = CollectorRegistry()
    listen = address(os.environ.get("HOOKPLANE_HEALTH") or "[::]:8081")
    operator: Operator | None = None
    health = HealthServer(
        listen, lambda: operator.health if operator else {"operator": False}, registry
    )
    async with AsyncExitStack() as stack:
        await health.start()
        stack.push_async_callback(health.stop)
        making = make_operator(settings, scope, instance, SystemClock(), registry)
        made = await result_unless(stopped, making)
        if made is not None:
            operator, kube = made
            stack.push_async_callback(kube.close)
            set_up_collector()
            await operator.serve(stopped)
