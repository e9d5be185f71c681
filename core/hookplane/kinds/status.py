"""What all statuses are made of: the model base, conditions, common field types."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import Field, StringConstraints

from hookplane.kinds.base import Spec, Time

MAX_CONDITIONS: Final = 16
MAX_RECENT_FAILURES: Final = 5

Count = Annotated[int, Field(ge=0, json_schema_extra={"format": "int64"})]
"""How many, since the object was created unless it says otherwise."""
StatusCode = Annotated[int, Field(ge=0, le=599)]
Attempts = Annotated[int, Field(ge=0, json_schema_extra={"format": "int32"})]
EventID = Annotated[str, Field(max_length=64)]
EventTypeName = Annotated[str, Field(max_length=128)]
ShortText = Annotated[str, Field(max_length=512)]
"""A message without secrets and without any part of a payload."""
BY_TYPE: Final[dict[str, Any]] = {
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["type"],
}


class Condition(Spec):
    """One aspect of an object's state
    (https://github.com/kubernetes/community/blob/main/contributors/devel/sig-architecture/api-conventions.md#typical-status-properties).
    """

    type: Annotated[
        str, StringConstraints(pattern=r"^[A-Z][A-Za-z0-9]*$", min_length=1, max_length=316)
    ]
    """Name of the aspect in CamelCase."""
    status: Literal["True", "False", "Unknown"]
    """Whether it holds."""
    reason: Annotated[
        str, StringConstraints(pattern=r"^[A-Z][A-Za-z0-9]*$", min_length=1, max_length=1024)
    ]
    """Why, in one CamelCase word that programs can rely on."""
    message: Annotated[str, Field(max_length=32768)] = ""
    """Why, for people."""
    last_transition_time: Time
    """When `status` last changed."""
    observed_generation: Count
    """The generation of the object that this is about."""


Conditions = Annotated[list[Condition], Field(max_length=MAX_CONDITIONS, json_schema_extra=BY_TYPE)]


class Status(Spec):
    """What every status has."""

    observed_generation: (
        Annotated[int, Field(ge=-1, json_schema_extra={"format": "int64"})] | None
    ) = None
    """The generation of the object that this status is about; -1: nobody has looked at it yet."""
    conditions: Conditions = []
    """The aspects of its state; docs/spec/conditions.md lists them all."""
