"""`hookplane receiver`, `dispatcher` and `console`: settings from the environment, then serve."""

from __future__ import annotations

import logging
import sys
from typing import Final

import click

from hookplane.clock import SystemClock
from hookplane.errors import HookplaneError
from hookplane.store.process_registry import Role
from hookplane_cli.process.process import Process
from hookplane_cli.process.settings import PROCESS, process_settings
from hookplane_cli.serving.loop import run_until_signal


def role_command(role: Role, summary: str) -> click.Command:
    """The click command of a role."""

    def run() -> None:
        logging.basicConfig(
            stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s"
        )
        try:
            process = Process(role, process_settings(role), SystemClock())
            run_until_signal(process.serve)
        except (HookplaneError, OSError) as error:
            raise click.ClickException(str(error)) from error

    return click.Command(role.value, callback=run, help=f"{summary}\n\n\b\n{_variables()}")


def _variables() -> str:
    width = max(len(variable.variable) for variable in PROCESS)
    lines = ["Environment:"]
    for variable in PROCESS:
        default = f" [{variable.default}]" if variable.default else ""
        lines.append(f"  {variable.variable:<{width}}  {variable.meaning}{default}")
    return "\n".join(lines)


receiver: Final = role_command(
    Role.RECEIVER, "Take webhooks in and store them, as one of any number of processes."
)
dispatcher: Final = role_command(
    Role.DISPATCHER, "Deliver stored events, as one of any number of processes."
)
console: Final = role_command(Role.CONSOLE, "Serve the admin API over the store of many processes.")
