"""Secrets that objects refer to.

Each one in use is read again at least once a minute (up to 600 of them; more take their turn).
Generated ones, which nobody else has a reason to change, have a slower turn of their own: there may
be thousands. A Secret that cannot be read now is not a Secret that is gone: the difference decides
over 503s.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from hookplane.clock import Clock
from hookplane.compile.model import SecretObject, allows_reference
from hookplane.secret import Secret
from hookplane_operator.kube.kinds import Object
from hookplane_operator.referred.polling_cache import Name, PollingCache, Turn

GIVEN: Final = Turn(after=50.0, per_second=10)
GENERATED: Final = Turn(after=50.0, per_second=2)
GENERATED_FOR: Final = "hookplane.dev/generated-for"
"""Label of Secrets that we made: uid of the object that they are for."""


@dataclass(frozen=True, slots=True)
class FoundSecret:
    """A Secret with what is known of it besides its values."""

    secret: SecretObject
    uid: str
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)


Secrets = PollingCache[FoundSecret | None]
"""None: there is no such Secret."""


def secrets_in_use(
    find: Callable[[Name], Awaitable[Object | None]],
    clock: Clock,
    changed: Callable[[Name], None],
    *,
    watched: bool = False,
) -> Secrets:
    """`find`: reads the object; None: there is none. `changed`, `watched` as for PollingCache."""

    async def read(name: Name) -> FoundSecret | None:
        body = await find(name)
        return None if body is None else found_of(body)

    return PollingCache(read, clock, changed, (GIVEN, GENERATED), _is_generated, watched=watched)


def name_of(found: FoundSecret) -> Name:
    return found.secret.namespace, found.secret.name


def found_of(body: Object) -> FoundSecret:
    """A Secret as the API server gives it."""
    metadata = body["metadata"]
    labels = metadata.get("labels") or {}
    secret = SecretObject(
        namespace=metadata["namespace"],
        name=metadata["name"],
        data={name: Secret(_decoded(text)) for name, text in (body.get("data") or {}).items()},
        type=body.get("type", "Opaque"),
        generated=GENERATED_FOR in labels,
        labelled=allows_reference(labels),
    )
    return FoundSecret(secret, metadata.get("uid", ""), labels, metadata.get("annotations") or {})


def _is_generated(found: FoundSecret | None) -> bool:
    return found is not None and found.secret.generated


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text)
    except binascii.Error:
        return b""
