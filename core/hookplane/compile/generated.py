"""Keys that are ours to choose: generated into a Secret, and replaced on a schedule."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from hookplane.compile.bounds import OVERLAP, ROTATE_EVERY, bounded
from hookplane.compile.model import GeneratedKind, SecretObject, WantedSecret
from hookplane.compile.problems import Problems
from hookplane.compile.secrets import SecretLookup
from hookplane.kinds.base import Rotation
from hookplane.kinds.conditions import Reason
from hookplane.secret import Secret

KEY: Final = "key"
PREVIOUS: Final = "previous"
VERIFICATION_SUFFIX: Final = "-verification"
SIGNING_SUFFIX: Final = "-signing"


@dataclass(frozen=True, slots=True)
class GeneratedKeys:
    """Finds the generated keys of one object and notes that they are wanted."""

    secrets: SecretLookup
    problems: Problems
    owner: str
    """The object's uid."""
    wanted: list[WantedSecret] = field(default_factory=list)

    def keys(
        self, name: str, kind: GeneratedKind, rotation: Rotation | None, path: str
    ) -> list[Secret]:
        """The key and, during overlap, its predecessor; none while they are not generated."""
        self.wanted.append(self._want(name, kind, rotation, f"{path}.rotation"))
        secret = self.secrets.find(self.problems.namespace, name)
        if secret is None:
            self.problems.mark_not_ready(f'Secret "{name}" is not generated yet')
            return []
        if not secret.generated:
            self.problems.error(
                f"{path}.keys",
                f'a key is to be generated into Secret "{name}", which exists; refer to its key '
                "here, or give that Secret another name",
                Reason.SECRET_NAME_TAKEN,
            )
            return []
        return _current(secret)

    def _want(
        self, name: str, kind: GeneratedKind, rotation: Rotation | None, path: str
    ) -> WantedSecret:
        every = overlap = 0
        if rotation is not None:
            every = bounded(rotation.every, ROTATE_EVERY, f"{path}.every", self.problems)
            overlap = bounded(rotation.overlap, OVERLAP, f"{path}.overlap", self.problems)
        namespace = self.problems.namespace
        return WantedSecret(namespace, name, kind, self.owner, every, overlap)


def _current(secret: SecretObject) -> list[Secret]:
    found = (secret.data.get(name) for name in (KEY, PREVIOUS))
    return [value for value in found if value]
