"""The `hookplane` program: a table of commands, each loaded only when it is used."""

from __future__ import annotations

import importlib
import io
import sys
from typing import Final

import click

COMMANDS: Final = {
    "run": ("hookplane_cli.commands.run", "Serve everything on this machine from manifests."),
    "receiver": ("hookplane_cli.commands.roles:receiver", "Take webhooks in, on PostgreSQL."),
    "dispatcher": ("hookplane_cli.commands.roles:dispatcher", "Deliver events, on PostgreSQL."),
    "console": ("hookplane_cli.commands.roles:console", "The admin API, on PostgreSQL."),
    "operator": ("hookplane_cli.commands.operator", "Reconcile a cluster's resources."),
    "migrate": ("hookplane_cli.commands.migrate", "Bring a PostgreSQL database up to date."),
    "apply": ("hookplane_cli.commands.apply", "Bring manifests into force on PostgreSQL."),
    "secret-key": ("hookplane_cli.commands.secret_key", "Make a key that seals secrets."),
    "check": ("hookplane_cli.commands.check", "Check manifests; the exit code tells, for CI."),
    "test": ("hookplane_cli.commands.rehearse", "Show what becomes of an event; sends nothing."),
    "demo": ("hookplane_cli.commands.demo", "A tour: everything at once, with sample events."),
    "sink": ("hookplane_cli.commands.sink", "A local subscriber that checks and prints."),
    "trigger": ("hookplane_cli.commands.trigger", "Send a signed sample event to an endpoint."),
    "status": ("hookplane_cli.commands.status", "Endpoints and subscriptions in numbers."),
    "events": ("hookplane_cli.commands.events", "Events as they were received."),
    "deliveries": ("hookplane_cli.commands.deliveries", "Deliveries of a subscription."),
    "attempts": ("hookplane_cli.commands.attempts", "The log of attempts."),
    "replay": ("hookplane_cli.commands.replay", "Deliver events again."),
    "resume": ("hookplane_cli.commands.resume", "Resume a disabled subscription."),
    "secret": ("hookplane_cli.commands.secret", "Print a generated secret."),
}
"""Name → module with a click command `command` (or `module:name`), and its line in the help."""


class LazyGroup(click.Group):
    """Imports the module of a command when it is called, so that help is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name or "command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """From the table: nothing is imported for it."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="hookplane", prog_name="hookplane")
def main() -> None:
    """Webhooks as Kubernetes resources: receive, verify, store, deliver, replay."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Bodies hold every character; a terminal without one shows a question mark for it.
            stream.reconfigure(errors="replace")
