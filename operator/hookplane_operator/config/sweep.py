"""Which documents go because their objects are gone; pure. Nothing goes because something could not
be seen."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from hookplane.compile.change import Configured
from hookplane.config.endpoint import EndpointConfig
from hookplane_operator.settings import Scope

FEW: Final = 10
SHARE: Final = 0.2
"""More than both of these at once is not plausible."""
CONFIRM: Final = "hookplane.dev/confirm-deletions"
"""Annotation of a gateway: the number of deletions that are meant."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """What is to go, or how much would go if somebody confirmed it."""

    doomed: tuple[Configured, ...] = ()
    blocked: int = 0


def plan_sweep(
    documents: Iterable[Configured],
    listed: AbstractSet[str],
    namespaces: AbstractSet[str],
    scope: Scope,
    confirmed: str = "",
    recent: int = 0,
) -> Sweep:
    """`listed`: uids of all objects that full lists of every kind found; `namespaces`: those in
    which there are any. `confirmed`: what the annotation says. `recent`: how many went a short
    while ago: what deletes one after the other deletes as well."""
    seen = [x for x in documents if scope.holds(x.namespace)]
    own = [x for x in seen if not _builtin(x)]
    gone = tuple(x for x in own if x.uid not in listed)
    together, before = len(gone) + recent, len(own) + recent
    if gone and together > max(FEW, SHARE * before) and confirmed != str(len(gone)):
        return Sweep(blocked=len(gone))
    idle = tuple(x for x in seen if _builtin(x) and x.namespace not in namespaces)
    return Sweep(doomed=gone + idle)


def _builtin(document: Configured) -> bool:
    return isinstance(document, EndpointConfig) and document.builtin
