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
    waiting = session.client.get(path)["delivery"]["retrying"]
    answer = session.client.post(f"{path}/resume", {})
    name = full_name(subscription, session.namespace)
    job = _retry_now(session, name) if waiting and answer["state"] not in _NOTHING_SENT else None
    answer |= {"retrying": waiting, "replay": job and job["name"]}
    session.show(answer, lambda: _told(name, answer))


def _retry_now(session: Session, name: str) -> dict[str, Any]:
    """By a job, which goes past nothing of the schedule: what fails again waits as it would."""
    asked = {"subscription": name, "since": _EVER, "states": ["retrying"]}
    job: dict[str, Any] = session.client.post("/replays", asked)
    return job


def _told(name: str, answer: dict[str, Any]) -> str:
    text = _TOLD.get(answer["state"], _NOT_STOPPED).format(name)
    if answer["replay"] is None:
        return text
    due = counted(answer["retrying"], "delivery", "deliveries")
    return f"{text}\n{due} that waited for another attempt: due now ({answer['replay']})"


_EVER: Final = "1970-01-01T00:00:00Z"
_RESUMES: Final = "{0} resumes; see: hookplane status"
_NOT_STOPPED: Final = "{0} was not stopped. A pause that its target asked for is over"
_TOLD: Final = {
    "Disabled": _RESUMES,
    "CircuitOpen": _RESUMES,
    "Held": "{0} is held until its expression may run again, or is changed; see: hookplane status",
    None: "{0} is not ready, so nothing is sent; see: hookplane status",
}
"""State before → what comes of it."""
_NOTHING_SENT: Final = ("Held", None)
