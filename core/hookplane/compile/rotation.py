"""What a generated Secret holds now: a key is made once, and replaced on a schedule or on request.

Pure, except that new keys are random; where the keys are kept is for the caller to decide.
"""

from __future__ import annotations

import secrets
from typing import Final

from pydantic import BaseModel, ConfigDict

from hookplane.clock import Millis
from hookplane.compile.generated import KEY, PREVIOUS
from hookplane.compile.model import SecretObject, WantedSecret
from hookplane.ids import RandomBytes
from hookplane.secret import Secret
from hookplane.signatures.deliver import generate_key
from hookplane.signatures.signing import GeneratedKind

DEFAULT_OVERLAP: Final[Millis] = 24 * 3_600_000
"""After a rotation that was asked for and has no overlap in the spec."""


class GeneratedKey(BaseModel):
    """The key of one generated Secret with its history. Keys are plain text: whoever stores this
    keeps it where nobody else can read it."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    kind: GeneratedKind
    owner: str
    """Uid of the object that it is for."""
    key: str
    since: Millis
    """When `key` was made."""
    previous: str = ""
    """The key before, still in use until `previous_until`."""
    previous_until: Millis = 0
    rotated: str | None = None
    """The last request for a new key that was heeded; None: requests were not looked at yet. Only
    for those who keep it in a file."""

    def __repr__(self) -> str:
        return f"GeneratedKey({self.kind}, {self.owner})"

    __str__ = __repr__

    def due(self, wanted: WantedSecret) -> Millis | None:
        """When it has to change next; None: never."""
        times = [self.since + wanted.rotate_every] if wanted.rotate_every else []
        return min(times + ([self.previous_until] if self.previous else []), default=None)

    def data(self) -> dict[str, Secret]:
        """The data of the Secret."""
        values = {KEY: Secret(self.key), PREVIOUS: Secret(self.previous)}
        return {name: value for name, value in values.items() if value}

    def as_object(self, want: WantedSecret) -> SecretObject:
        """The Secret itself."""
        return SecretObject(want.namespace, want.name, self.data(), generated=True)


def current_key(
    kept: GeneratedKey | None,
    want: WantedSecret,
    now: Millis,
    *,
    asked: bool = False,
    random_bytes: RandomBytes = secrets.token_bytes,
) -> GeneratedKey:
    """The key that is to be used from now on; the same as `kept` when nothing is due.

    `kept`: the key so far; None: there is none. A key of another kind is replaced without overlap,
    because it cannot be used any more. `asked`: somebody asked for a new key, whatever the schedule
    says.
    """

    def new_key() -> str:
        return generate_key(want.kind, random_bytes).reveal().decode()

    if kept is None or kept.kind is not want.kind:
        return GeneratedKey(kind=want.kind, owner=want.owner, key=new_key(), since=now)
    if asked or (want.rotate_every and now >= kept.since + want.rotate_every):
        rotated = {"key": new_key(), "since": now}
        overlap = {"previous": kept.key, "previous_until": now + want.overlap}
        return kept.model_copy(update=rotated | (overlap if want.overlap else _FORGOTTEN))
    if kept.previous and now >= kept.previous_until:
        return kept.model_copy(update=_FORGOTTEN)
    return kept


_FORGOTTEN: Final = {"previous": "", "previous_until": 0}
