"""A byte string that never shows itself."""

from __future__ import annotations

from typing import Any, Final

from pydantic import GetCoreSchemaHandler, SerializationInfo
from pydantic_core import core_schema

MASK: Final = "***"
SEALED_LATER: Final = {"secrets": "sealed later"}
"""The context in which a model with secrets may be dumped."""


class Secret:
    """Key material. `repr`, `str` and formatting print `***`; `reveal()` gives the bytes.

    In a pydantic model it is a sealed string on the way in, opened by the `Opener` in the context
    under "opener", for the object under "aad". On the way out it stays what it is, for whoever
    seals it, and only where the context says `SEALED_LATER`: so no log line or dump can carry it by
    accident (see `hookplane.config.sealed`).
    """

    __slots__ = ("_value",)

    def __init__(self, value: bytes | str) -> None:
        self._value = value.encode() if isinstance(value, str) else bytes(value)

    def reveal(self) -> bytes:
        """The bytes themselves."""
        return self._value

    def __bool__(self) -> bool:
        """False for an empty value, and for one of white space only."""
        return bool(self._value.strip())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __repr__(self) -> str:
        return MASK

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return MASK

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.with_info_plain_validator_function(
            _open,
            serialization=core_schema.plain_serializer_function_ser_schema(_keep, info_arg=True),
        )


def _open(value: Any, info: core_schema.ValidationInfo) -> Secret:
    if isinstance(value, Secret):
        return value
    if not isinstance(value, str):
        raise ValueError("a sealed secret is a string")
    if not info.context or "opener" not in info.context:
        raise ValueError("a sealed secret needs an opener in the validation context")
    return Secret(info.context["opener"].open(value, info.context["aad"]))


def _keep(value: Secret, info: SerializationInfo) -> Secret:
    if info.context != SEALED_LATER:
        raise ValueError("a secret is serialised only by whoever seals it")
    return value
