"""CEL expressions (https://cel.dev). Everything that knows the engine is in this module."""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

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


class Program:
    """A compiled expression over `event`."""

    def __init__(self, text: str) -> None:
        """Raises InvalidValue with line, column and reason."""
        try:
            self._expression = _environment().compile(text)
        except RuntimeError as error:
            raise InvalidValue(_readable(str(error))) from None

    @property
    def returns(self) -> str:
        """Name of the type of the value; DYN when it is known only once the expression runs."""
        return str(self._expression.return_type().name())

    def evaluate(self, event: EventView) -> Any:
        """The value. Raises InvalidValue when the expression fails on this event."""
        try:
            value = self._expression.eval(data=event.variables())
        except RuntimeError as error:
            raise InvalidValue(_short(str(error))) from None
        if value.type() == cel.Type.ERROR:
            raise InvalidValue(_short(str(value.value())))
        return value

    def holds(self, event: EventView) -> bool:
        """For filters. Raises InvalidValue when it fails or gives something else than a bool."""
        value = self.evaluate(event)
        if value.type() != cel.Type.BOOL:
            raise InvalidValue(f"the filter gave {value.type().name()} instead of a bool")
        return bool(value.value())

    def json(self, event: EventView) -> bytes:
        """For transforms: the value as JSON. Raises InvalidValue when there is none."""
        value = self.evaluate(event)
        try:
            text = orjson.dumps(value.plain_value(), _jsonable, orjson.OPT_PASSTHROUGH_DATETIME)
        except (TypeError, RuntimeError) as error:
            raise InvalidValue(f"the value has no JSON form: {_short(str(error))}") from None
        if len(text) > MAX_RESULT_BYTES:
            raise InvalidValue(f"the value is longer than {MAX_RESULT_BYTES} bytes")
        return text


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
