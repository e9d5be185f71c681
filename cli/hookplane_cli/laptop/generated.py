"""Generated Secrets of a data folder: made once, kept, replaced only by a schedule of rotation."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from hookplane.clock import Millis
from hookplane.compile.generated import KEY, PREVIOUS
from hookplane.compile.model import GeneratedKind, SecretObject, WantedSecret
from hookplane.errors import SecretUnreadable
from hookplane.ids import RandomBytes
from hookplane.secret import Secret
from hookplane.signatures.deliver import generate_key
from hookplane_cli.laptop.private_file import write_private

FOLDER: Final = "secrets"


class Kept(BaseModel):
    """One generated Secret as it is kept. The file is for its owner alone, so keys are plain."""

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
        return f"Kept({self.kind}, {self.owner})"

    __str__ = __repr__

    def due(self, wanted: WantedSecret) -> Millis | None:
        """When it next changes; None: never."""
        times = [self.since + wanted.rotate_every] if wanted.rotate_every else []
        return min(times + ([self.previous_until] if self.previous else []), default=None)


class GeneratedSecrets:
    """Files `<data>/secrets/<namespace>/<name>.json`."""

    def __init__(self, data: Path, random_bytes: RandomBytes = secrets.token_bytes) -> None:
        self._folder = data / FOLDER
        self._random_bytes = random_bytes
        self.due: Millis | None = None
        """When the first of those last asked for changes."""

    def ensure(self, wanted: Iterable[WantedSecret], now: Millis) -> list[SecretObject]:
        """Each of them, made or rotated where it is time. Raises SecretUnreadable, OSError."""
        found = [(want, self._ensured(want, now)) for want in wanted]
        times = [kept.due(want) for want, kept in found]
        self.due = min((time for time in times if time is not None), default=None)
        return [_object(want, kept) for want, kept in found]

    def _ensured(self, want: WantedSecret, now: Millis) -> Kept:
        path = self._folder / want.namespace / f"{want.name}.json"
        kept = _read(path)
        right = self._right(kept, want, now)
        if right != kept:
            write_private(path, right.model_dump_json(indent=1).encode())
        return right

    def _right(self, kept: Kept | None, want: WantedSecret, now: Millis) -> Kept:
        """What the Secret is to be now. A key of another kind cannot be used any more."""
        if kept is None or kept.kind is not want.kind:
            return Kept(kind=want.kind, owner=want.owner, key=self._key(want.kind), since=now)
        if want.rotate_every and now >= kept.since + want.rotate_every:
            rotated = {"key": self._key(want.kind), "since": now}
            overlap = {"previous": kept.key, "previous_until": now + want.overlap}
            return kept.model_copy(update=rotated | (overlap if want.overlap else _FORGOTTEN))
        if kept.previous and now >= kept.previous_until:
            return kept.model_copy(update=_FORGOTTEN)
        return kept

    def _key(self, kind: GeneratedKind) -> str:
        return generate_key(kind, self._random_bytes).reveal().decode()


_FORGOTTEN: Final = {"previous": "", "previous_until": 0}


def _read(path: Path) -> Kept | None:
    try:
        return Kept.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise SecretUnreadable(
            f"{path} is not a generated Secret any more; mend it, or remove it for a new key"
        ) from error


def _object(want: WantedSecret, kept: Kept) -> SecretObject:
    values = {KEY: Secret(kept.key), PREVIOUS: Secret(kept.previous)}
    data = {name: value for name, value in values.items() if value}
    return SecretObject(want.namespace, want.name, data, generated=True)
