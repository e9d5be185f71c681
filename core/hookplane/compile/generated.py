"""Keys that Hookplane chooses: which Secrets are to be generated, and the keys that they hold
now."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from hookplane.compile.bounds import OVERLAP, ROTATE_EVERY, bounded
from hookplane.compile.model import SecretObject, WantedSecret
from hookplane.compile.problems import Problems
from hookplane.compile.secrets import SecretLookup
from hookplane.kinds.base import Rotation
from hookplane.kinds.conditions import Reason
from hookplane.secret import Secret
from hookplane.signatures.signing import GeneratedKind

ROTATE: Final = "hookplane.dev/rotate"
"""Annotation of an endpoint or subscription: another value than before asks for a new key."""
KEY: Final = "key"
"""Key of a generated Secret with the value that is used now."""
PREVIOUS: Final = "previous"
"""Key of a generated Secret with the value before, during overlap."""
VERIFICATION_SUFFIX: Final = "-verification"
"""The generated Secret of an endpoint is its name with this suffix."""
SIGNING_SUFFIX: Final = "-signing"
"""The generated Secret of a subscription is its name with this suffix."""


@dataclass(frozen=True, slots=True)
class GeneratedKeys:
    """The generated keys of one object. Every key that is asked for is noted as wanted, so that its
    Secret is generated if it does not exist."""

    secrets: SecretLookup
    problems: Problems
    owner: str
    """The object's uid."""
    rotate: str = ""
    """What its annotation says."""
    wanted: list[WantedSecret] = field(default_factory=list)

    def keys(
        self, name: str, kind: GeneratedKind, rotation: Rotation | None, path: str
    ) -> dict[str, Secret]:
        """The key and, during overlap, its predecessor, by their paths; none as long as the Secret
        is not generated."""
        self.wanted.append(self._want(name, kind, rotation, f"{path}.rotation"))
        secret = self.secrets.find(self.problems.namespace, name)
        if secret is None:
            self.problems.mark_not_ready(f'Secret "{name}" is not generated yet')
            return {}
        if not secret.generated:
            self.problems.error(
                f"{path}.keys",
                f'a key is to be generated into Secret "{name}", which exists; refer to its key '
                "here, or give that Secret another name",
                Reason.SECRET_NAME_TAKEN,
            )
            return {}
        return {f"{path}.keys[{index}]": key for index, key in enumerate(_current(secret))}

    def _want(
        self, name: str, kind: GeneratedKind, rotation: Rotation | None, path: str
    ) -> WantedSecret:
        every = overlap = 0
        if rotation is not None:
            every = bounded(rotation.every, ROTATE_EVERY, f"{path}.every", self.problems)
            overlap = bounded(rotation.overlap, OVERLAP, f"{path}.overlap", self.problems)
        namespace = self.problems.namespace
        return WantedSecret(namespace, name, kind, self.owner, every, overlap, self.rotate)


def _current(secret: SecretObject) -> list[Secret]:
    found = (secret.data.get(name) for name in (KEY, PREVIOUS))
    return [value for value in found if value]
