"""Generated Secrets of a cluster: created only, never forced over one that is there, kept for a day
after their object."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from hookplane.clock import Clock, Millis
from hookplane.compile.generated import KEY, PREVIOUS
from hookplane.compile.model import SecretObject, WantedSecret
from hookplane.compile.rotation import DEFAULT_OVERLAP, GeneratedKey, current_key
from hookplane.secret import Secret
from hookplane.signatures.signing import GeneratedKind
from hookplane.units import format_time, parse_time
from hookplane_operator.kube.client import Kube
from hookplane_operator.kube.errors import ApiError, Conflict
from hookplane_operator.kube.kinds import SECRET, Object
from hookplane_operator.referred.polling_cache import Name
from hookplane_operator.referred.secrets import (
    GENERATED_FOR,
    FoundSecret,
    Secrets,
    found_of,
    name_of,
)

KIND: Final = "hookplane.dev/key-kind"
SINCE: Final = "hookplane.dev/key-since"
UNTIL: Final = "hookplane.dev/previous-until"
ROTATED: Final = "hookplane.dev/rotated"


@dataclass(frozen=True, slots=True)
class Wish:
    """A Secret that is wanted, and what its object's annotation says."""

    wanted: WantedSecret
    rotate: str = ""

    @property
    def name(self) -> Name:
        return self.wanted.namespace, self.wanted.name


class GeneratedSecrets:
    """Makes, rotates and adopts them."""

    def __init__(
        self, kube: Kube, secrets: Secrets, clock: Clock, alive: Callable[[str], bool]
    ) -> None:
        """`alive`: whether there is an object of ours with this uid."""
        self._kube = kube
        self._secrets = secrets
        self._clock = clock
        self._alive = alive

    async def ensure(
        self, wish: Wish, found: FoundSecret | None
    ) -> tuple[SecretObject, Millis | None]:
        """The Secret as it is now, and when it is to change next. One that is not ours comes back
        as it is. Raises ApiError."""
        if found is not None and not self._is_ours(wish, found):
            return dataclasses.replace(found.secret, generated=False), None
        now = self._clock.now()
        kept = None if found is None else _kept(found)
        asked = bool(wish.rotate) and kept is not None and _rotated(found) != wish.rotate
        want = wish.wanted
        if asked and not want.overlap:
            want = dataclasses.replace(want, overlap=DEFAULT_OVERLAP)
        right = current_key(kept, want, now, asked=asked)
        if found is None or right != kept or _owner(found) != want.owner:
            found = await self._write(wish, right, found)
        return found.secret, right.due(wish.wanted)

    def _is_ours(self, wish: Wish, found: FoundSecret) -> bool:
        """Made for this object, or for one that is gone and had its name: a key outlives the
        deletion of its object for a day, so that one that is made again keeps it."""
        owner = _owner(found)
        return bool(owner) and (owner == wish.wanted.owner or not self._alive(owner))

    async def _write(
        self, wish: Wish, right: GeneratedKey, found: FoundSecret | None
    ) -> FoundSecret:
        body = _body(wish, right)
        if found is None:
            try:
                made = await self._kube.create(SECRET, body)
            except Conflict as error:
                raise ApiError(409, f'Secret "{wish.wanted.name}" was just created') from error
        else:
            body["metadata"]["uid"] = found.uid
            if PREVIOUS not in body["data"]:
                body["data"][PREVIOUS] = None
            made = await self._kube.merge(SECRET, body)
        written = found_of(made)
        self._secrets.put(name_of(written), written)
        return written


def _owner(found: FoundSecret) -> str:
    return found.labels.get(GENERATED_FOR, "")


def _rotated(found: FoundSecret | None) -> str:
    return "" if found is None else found.annotations.get(ROTATED, "")


def _kept(found: FoundSecret) -> GeneratedKey | None:
    """None: somebody emptied it, so there is nothing to keep."""
    data, notes = found.secret.data, found.annotations
    kind = notes.get(KIND, "")
    if not data.get(KEY) or kind not in {x.value for x in GeneratedKind}:
        return None
    return GeneratedKey(
        kind=GeneratedKind(kind),
        owner=_owner(found),
        key=_text(data, KEY),
        since=_time(notes.get(SINCE)),
        previous=_text(data, PREVIOUS),
        previous_until=_time(notes.get(UNTIL)),
    )


def _body(wish: Wish, right: GeneratedKey) -> Object:
    want = wish.wanted
    notes = {KIND: want.kind.value, SINCE: format_time(right.since)}
    if wish.rotate:
        notes[ROTATED] = wish.rotate
    if right.previous:
        notes[UNTIL] = format_time(right.previous_until)
    data = {name: _base64(value) for name, value in right.data().items()}
    return {
        "apiVersion": SECRET.api_version,
        "kind": SECRET.kind,
        "metadata": {
            "name": want.name,
            "namespace": want.namespace,
            "labels": {
                GENERATED_FOR: want.owner,
                "app.kubernetes.io/managed-by": "hookplane-operator",
            },
            "annotations": notes,
        },
        "type": "Opaque",
        "data": data,
    }


def _text(data: Mapping[str, Secret], name: str) -> str:
    value = data.get(name)
    return value.reveal().decode("utf-8", "replace") if value else ""


def _time(text: str | None) -> Millis:
    try:
        return parse_time(text) if text else 0
    except ValueError:
        return 0


def _base64(value: Secret) -> str:
    return base64.b64encode(value.reveal()).decode()
