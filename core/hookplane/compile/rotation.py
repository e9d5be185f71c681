"""What a generated Secret is to hold now: made once, replaced by a schedule or when asked to; pure
but for chance."""

from __future__ import annotations

import secrets
from typing import Final

from pydantic import BaseModel, ConfigDict

from hookplane.clock import Millis
from hookplane.compile.generated import KEY, PREVIOUS
from hookplane.compile.model import GeneratedKind, SecretObject, WantedSecret
from hookplane.ids import RandomBytes
from hookplane.secret import Secret
from hookplane.signatures.deliver import generate_key


class GeneratedKey(BaseModel):
    """One generated Secret as it is kept; where it is kept is for its owner alone, so keys are
    plain."""

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

    def __repr__(self) -> str:
        return f"GeneratedKey({self.kind}, {self.owner})"

    __str__ = __repr__

    def due(self, wanted: WantedSecret) -> Millis | None:
        """When it next changes; None: never."""
        times = [self.since + wanted.rotate_every] if wanted.rotate_every else []
        return min(times + ([self.previous_until] if self.previous else []), default=None)

    def data(self) -> dict[str, Secret]:
        """Its keys and values as a Secret has them."""
        values = {KEY: Secret(self.key), PREVIOUS: Secret(self.previous)}
        return {name: value for name, value in values.items() if value}

    def as_object(self, want: WantedSecret) -> SecretObject:
        return SecretObject(want.namespace, want.name, self.data(), generated=True)


def current_key(
    kept: GeneratedKey | None,
    want: WantedSecret,
    now: Millis,
    *,
    asked: bool = False,
    random_bytes: RandomBytes = secrets.token_bytes,
) -> GeneratedKey:
    """`asked`: a new key is to be made whatever the schedule says. A key of another kind cannot be
    used any more."""

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
