"""`hookplane resume`: ends a disabled state."""

from __future__ import annotations

import click

from hookplane_cli.client.admin import full_name, object_path
from hookplane_cli.client.session import Session, client_command


@click.command(name="resume")
@click.argument("subscription")
@client_command
def command(session: Session, subscription: str) -> None:
    """Clears a disabled state, a pause asked for by the target, and an open circuit."""
    path = object_path("subscriptions", subscription, session.namespace)
    answer = session.client.post(f"{path}/resume", {})
    name = full_name(subscription, session.namespace)
    session.show(answer, lambda: f"{name} resumes; see: hookplane status")
