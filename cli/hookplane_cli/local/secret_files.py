"""The secrets of a data folder, in files that only their owner may read.

Generated Secrets are made once and kept; only a schedule of rotation, or an annotation that asks
for it, replaces them. The key that seals secrets in the store is made once and never replaced.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from hookplane.clock import Millis
from hookplane.compile.model import SecretObject, WantedSecret
from hookplane.compile.rotation import DEFAULT_OVERLAP, GeneratedKey, current_key
from hookplane.errors import SecretUnreadable
from hookplane.ids import RandomBytes
from hookplane.sealing import Sealer
from hookplane.sealing_keys import new_sealing_key, read_sealing_keys
from hookplane_cli.private_file import write_private

FOLDER: Final = "secrets"
SEALING_KEY: Final = "sealing.key"


class SecretFiles:
    """Generated Secrets, in files `<data>/secrets/<namespace>/<name>.json`."""

    def __init__(self, data: Path, random_bytes: RandomBytes = secrets.token_bytes) -> None:
        self._folder = data / FOLDER
        self._random_bytes = random_bytes
        self.due: Millis | None = None
        """When the first of those that were last asked for is to be rotated."""

    def make_or_rotate(self, wanted: Iterable[WantedSecret], now: Millis) -> list[SecretObject]:
        """Returns all of them; makes those that are missing, rotates those that are due. Raises
        SecretUnreadable, OSError."""
        found = [(want, self._ensured(want, now)) for want in wanted]
        times = [kept.due(want) for want, kept in found]
        self.due = min((time for time in times if time is not None), default=None)
        return [kept.as_object(want) for want, kept in found]

    def _ensured(self, want: WantedSecret, now: Millis) -> GeneratedKey:
        path = self._folder / want.namespace / f"{want.name}.json"
        kept = _read(path)
        right = self._right(kept, want, now)
        if right != kept:
            write_private(path, right.model_dump_json(indent=1).encode())
        return right

    def _right(self, kept: GeneratedKey | None, want: WantedSecret, now: Millis) -> GeneratedKey:
        """A request that is older than the version that heeds it is taken to be fulfilled."""
        heeded = None if kept is None else kept.rotated
        asked = heeded is not None and want.rotate not in ("", heeded)
        if asked and not want.overlap:
            want = replace(want, overlap=DEFAULT_OVERLAP)
        right = current_key(kept, want, now, asked=asked, random_bytes=self._random_bytes)
        return right.model_copy(update={"rotated": want.rotate or heeded or ""})


def _read(path: Path) -> GeneratedKey | None:
    try:
        return GeneratedKey.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise SecretUnreadable(
            f"{path} is not a generated Secret any more; mend it, or remove it for a new key"
        ) from error


def open_sealer(data: Path, random_bytes: RandomBytes = secrets.token_bytes) -> Sealer:
    """Reads `<data>/sealing.key` or makes it. Raises SecretUnreadable, OSError."""
    path = data / SEALING_KEY
    if not path.exists():
        write_private(path, new_sealing_key(random_bytes).encode())
    return read_sealing_keys(path)
