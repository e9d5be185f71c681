"""CEL expressions (https://cel.dev). Everything that knows the engine is in this module."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final, TypeVar

import orjson
from cel_expr_python import cel
from cel_expr_python.ext import ext_strings

from hookplane.errors import InvalidValue
from hookplane.filters.event import EventView

MAX_RESULT_BYTES: Final = 4 << 20
"""The result of a transform may be at most this long."""
_POSITION: Final = re.compile(r"<input>:([0-9]+):([0-9]+): (.*)")
_NO_CONTAINER: Final = " (in container '')"
_MAX_MESSAGE: Final = 300
_TELLS_NUL: Final = re.compile(r"[\x00-\x08]|\\[xXuU0-7]|bytes")
"""In an expression: what might tell NUL from the character that stands for it."""

Result = TypeVar("Result", bool, bytes)


class Program:
    """A compiled expression over `event`."""

    def __init__(self, text: str) -> None:
        """Raises InvalidValue with line, column and reason."""
        try:
            self._expression = _environment().compile(text)
        except RuntimeError as error:
            raise InvalidValue(_readable(str(error))) from None
        self._with_nul = _TELLS_NUL.search(text) is None

    @property
    def returns(self) -> str:
        """Name of the type of the value; DYN when it is known only once the expression runs."""
        return str(self._expression.return_type().name())

    def holds(self, event: EventView) -> bool:
        """For filters. Raises InvalidValue when it fails or gives something else than a bool."""
        return self._agreed(event, _bool)

    def json(self, event: EventView) -> bytes:
        """For transforms: the value as JSON. Raises InvalidValue when there is none."""
        return self._agreed(event, _json)

    def _agreed(self, event: EventView, take: Callable[[Any, str], Result]) -> Result:
        """What all readings of the event give; what depends on a spot that cannot be read is
        refused, and never decided on something else."""
        readings = event.readings(with_nul=self._with_nul)
        values = map(self._value, readings.variables)
        try:
            first, *others = [take(value, readings.nul) for value in values]
        except InvalidValue as error:
            if not readings.unreadable:
                raise
            raise InvalidValue(f"{readings.unreadable}; {error}") from None
        if any(other != first for other in others):
            raise InvalidValue(readings.unreadable)
        return first

    def _value(self, variables: dict[str, Any]) -> Any:
        try:
            value = self._expression.eval(data=variables)
        except RuntimeError as error:
            raise InvalidValue(_short(str(error))) from None
        if value.type() == cel.Type.ERROR:
            raise InvalidValue(_short(str(value.value())))
        return value


def _bool(value: Any, _nul: str) -> bool:
    if value.type() != cel.Type.BOOL:
        raise InvalidValue(f"the filter gave {value.type().name()} instead of a bool")
    return bool(value.value())


def _json(value: Any, nul: str) -> bytes:
    try:
        text = orjson.dumps(value.plain_value(), _jsonable, orjson.OPT_PASSTHROUGH_DATETIME)
    except (TypeError, RuntimeError) as error:
        raise InvalidValue(f"the value has no JSON form: {_short(str(error))}") from None
    if len(text) > MAX_RESULT_BYTES:
        raise InvalidValue(f"the value is longer than {MAX_RESULT_BYTES} bytes")
    return _with_nul(text, nul) if nul else text


def _with_nul(text: bytes, stand_in: str) -> bytes:
    """JSON with NUL where another character stands for it. Backslashes are read in pairs."""
    escape = b"u%04d" % ord(stand_in)
    return re.sub(rb"\\(\\|%b)" % escape, lambda x: rb"\u0000" if x[1] == escape else x[0], text)


def check_expression(text: str, expect_bool: bool) -> None:
    """Raises InvalidValue when the text does not compile or cannot give a bool."""
    returns = Program(text).returns
    if expect_bool and returns not in {"BOOL", "DYN"}:
        raise InvalidValue(f"gives {returns} instead of a bool")


@lru_cache(maxsize=1)
def _environment() -> cel.Env:
    return cel.NewEnv(variables={"event": cel.Type.DYN}, extensions=[ext_strings.ExtStrings()])


def _readable(message: str) -> str:
    found = _POSITION.search(message)
    if found is None:
        return _short(message)
    line, column, reason = found.groups()
    return f"line {line}, column {column}: {_short(reason.removesuffix(_NO_CONTAINER))}"


def _short(message: str) -> str:
    text = " ".join(message.split())
    return text if len(text) <= _MAX_MESSAGE else text[:_MAX_MESSAGE] + "…"


def _jsonable(value: Any) -> Any:
    """JSON forms as in https://protobuf.dev/programming-guides/json: bytes, times, durations."""
    if isinstance(value, bytes | bytearray):
        return base64.b64encode(value).decode()
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, timedelta):
        return f"{value.total_seconds():.9g}s"
    raise TypeError(f"a {type(value).__name__} cannot be sent")
