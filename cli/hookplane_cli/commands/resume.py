"""`hookplane resume`: ends a disabled state, and lets nothing wait that could be sent."""

from __future__ import annotations

from typing import Any, Final

import click

from hookplane_cli.client.admin import full_name, object_path
from hookplane_cli.client.session import Session, client_command
from hookplane_cli.human import counted


@click.command(name="resume")
@click.argument("subscription")
@client_command
def command(session: Session, subscription: str) -> None:
    """Clears a disabled state, a pause asked for by the target, and an open circuit; what waits for
    another attempt is due now."""
    path = object_path("subscriptions", subscription, session.namespace)
    before = session.client.get(path)["delivery"]
    answer = session.client.post(f"{path}/resume", {})
    name = full_name(subscription, session.namespace)
    answer |= {"retrying": before["retrying"], "blockedUntil": before["blockedUntil"]}
    session.show(answer, lambda: _told(name, answer))


def _told(name: str, answer: dict[str, Any]) -> str:
    not_stopped = _PAUSED if answer["blockedUntil"] else _NOT_STOPPED
    text = _TOLD.get(answer["state"], not_stopped).format(name)
    if not answer["retrying"] or answer["state"] in _NOTHING_SENT:
        return text
    due = counted(answer["retrying"], "delivery", "deliveries")
    return f"{text}\n{due} that waited for another attempt: due now"


_RESUMES: Final = "{0} resumes; see: hookplane status"
_NOT_STOPPED: Final = "{0} was not stopped"
_PAUSED: Final = "{0} was not stopped; a pause that its target asked for is over"
_TOLD: Final = {
    "Disabled": _RESUMES,
    "CircuitOpen": _RESUMES,
    "Held": "{0} is held until its expression may run again, or is changed; see: hookplane status",
    None: "{0} is not ready, so nothing is sent; see: hookplane status",
}
"""State before → what comes of it."""
_NOTHING_SENT: Final = ("Held", None)
