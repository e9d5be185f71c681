"""Whether an object in the cluster is as it is to be; pure."""

from __future__ import annotations

import hashlib
import json
import re
from decimal import Decimal
from typing import Any, Final

from hookplane_operator.kube.kinds import Object

APPLIED: Final = "hookplane.dev/applied"
"""Annotation: a hash of what was applied, so that a field that is wanted no more is noticed."""
_QUANTITY: Final = re.compile(r"^([0-9.]+)(m|[kMGTPE]|[KMGTPE]i)?([eE][-+]?[0-9]+)?$")
_UNITS: Final = {
    None: Decimal(1),
    "m": Decimal("0.001"),
    "k": Decimal(10**3),
    "Ki": Decimal(2**10),
    "M": Decimal(10**6),
    "Mi": Decimal(2**20),
    "G": Decimal(10**9),
    "Gi": Decimal(2**30),
    "T": Decimal(10**12),
    "Ti": Decimal(2**40),
    "P": Decimal(10**15),
    "Pi": Decimal(2**50),
    "E": Decimal(10**18),
    "Ei": Decimal(2**60),
}


def stamped(wanted: Object) -> Object:
    """`wanted` with the hash of itself."""
    text = json.dumps(wanted, sort_keys=True).encode()
    metadata = dict(wanted["metadata"])
    annotations = metadata.get("annotations", {})
    mark = hashlib.sha256(text).hexdigest()[:16]
    metadata["annotations"] = {**annotations, APPLIED: mark}
    return {**wanted, "metadata": metadata}


def has_drifted(wanted: Object, live: Object | None) -> bool:
    """`wanted`: stamped. Fields that others set beside ours are no drift."""
    return live is None or not _holds(wanted, live)


def _holds(wanted: Any, live: Any) -> bool:
    if isinstance(wanted, dict):
        return isinstance(live, dict) and all(
            _holds(value, live.get(name)) for name, value in wanted.items() if _says(value)
        )
    if isinstance(wanted, list):
        return (
            isinstance(live, list)
            and len(wanted) == len(live)
            and all(_holds(one, other) for one, other in zip(wanted, live, strict=True))
        )
    return bool(wanted == live) or _same_quantity(wanted, live)


def _says(value: Any) -> bool:
    """The API server leaves out what is empty."""
    return value not in ({}, [], "", None)


def _same_quantity(wanted: Any, live: Any) -> bool:
    """`0.5` and `500m` are one."""
    if not (isinstance(wanted, str) and isinstance(live, str)):
        return False
    found = [_QUANTITY.match(wanted), _QUANTITY.match(live)]
    if found[0] is None or found[1] is None:
        return False
    values = [Decimal(x[1] + (x[3] or "")) * _UNITS[x[2]] for x in found if x is not None]
    return values[0] == values[1]
