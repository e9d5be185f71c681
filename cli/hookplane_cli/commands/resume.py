"""`hookplane resume`: ends a disabled state."""

from __future__ import annotations

from typing import Final

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
    session.show(answer, lambda: _TOLD.get(answer["state"], _NOT_STOPPED).format(name))


_RESUMES: Final = "{0} resumes; see: hookplane status"
_NOT_STOPPED: Final = (
    "{0} was not stopped. A pause that its target asked for is over; what failed is tried again at "
    "its time, or at once by: hookplane replay {0} --since 1h --state retrying"
)
_TOLD: Final = {
    "Disabled": _RESUMES,
    "CircuitOpen": _RESUMES,
    "Held": "{0} is held until its expression may run again, or is changed; see: hookplane status",
    None: "{0} is not ready, so nothing is sent; see: hookplane status",
}
"""State before → what comes of it."""
