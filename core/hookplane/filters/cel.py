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
from hookplane.filters.checked import FieldOf, Node, places, tree
from hookplane.filters.event import EventView
from hookplane.filters.members import MEMBERS, VARIABLE, headers_named, uses
from hookplane.filters.patterns import written_patterns
from hookplane.filters.zones import bad_zones

MAX_RESULT_BYTES: Final = 4 << 20
"""The result of a transform may be at most this long."""
_FORM: Final = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_SORT_KEYS
"""Members come in another order from the engine each time; a retry must have the same bytes."""
_POSITION: Final = re.compile(r"<input>:([0-9]+):([0-9]+): (.*)")
_NO_CONTAINER: Final = " (in container '')"
_BAD_ARGUMENT: Final = "INVALID_ARGUMENT: "
_MAX_MESSAGE: Final = 300
_TELLS_NUL: Final = re.compile(r"[\x00-\x08]|\\[xXuU0-7]|bytes")
"""In an expression: what might tell NUL from the character that stands for it."""

Result = TypeVar("Result", bool, bytes)


class Program:
    """A compiled expression over `event`."""

    def __init__(self, text: str, environment: cel.Env | None = None) -> None:
        """Raises InvalidValue with line, column and reason."""
        try:
            self._expression = (environment or _environment()).compile(text)
        except RuntimeError as error:
            raise InvalidValue(_readable(str(error))) from None
        self._with_nul = _TELLS_NUL.search(text) is None
        _check_zones(text, self.serialized)

    @property
    def returns(self) -> str:
        """Name of the type of the value; DYN when it is known only once the expression runs."""
        return str(self._expression.return_type().name())

    @property
    def serialized(self) -> bytes:
        """The checked expression, as `hookplane.filters.checked` reads it."""
        return bytes(self._expression.serialize())

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
        text = orjson.dumps(value.plain_value(), _jsonable, _FORM)
    except (TypeError, RuntimeError) as error:
        raise InvalidValue(f"the value has no JSON form: {_short(str(error))}") from None
    if len(text) > MAX_RESULT_BYTES:
        raise InvalidValue(f"the value is longer than {MAX_RESULT_BYTES} bytes")
    return _with_nul(text, nul) if nul else text


def _with_nul(text: bytes, stand_in: str) -> bytes:
    """JSON with NUL where another character stands for it. Backslashes are read in pairs."""
    escape = b"u%04d" % ord(stand_in)
    return re.sub(rb"\\(\\|%b)" % escape, lambda x: rb"\u0000" if x[1] == escape else x[0], text)


def check_expression(text: str, expect_bool: bool) -> tuple[str, ...]:
    """The headers that an expression names, as they are written there. Raises InvalidValue when the
    text does not compile, names a member that no event has, has a regular expression that is none,
    or cannot give a bool."""
    program = Program(text)
    root = tree(program.serialized)
    _check_patterns(text, root, program.serialized)
    named = dict.fromkeys(headers_named(root))
    asks = _check_members(text, root, program.serialized)
    if not asks:  # the engine takes has(event.type) for event.type where it knows its type
        program = Program(text, _typed_environment())
    if expect_bool and program.returns not in {"BOOL", "DYN"}:
        raise InvalidValue(f"gives {program.returns} instead of a bool")
    return tuple(named)


def _check_members(text: str, root: Node, serialized: bytes) -> bool:
    """Whether it asks by `has` for a member that there always is. Raises InvalidValue for a member
    that there never is."""
    found = list(uses(root))
    for member, use in found:
        if member not in MEMBERS:
            raise InvalidValue(
                f"{_place(text, serialized, use.number)}: event has no member '{_short(member)}'; "
                f"it has {', '.join(MEMBERS)}"
            )
    return any(isinstance(use, FieldOf) and use.is_asked_for for _, use in found)


def _check_zones(text: str, serialized: bytes) -> None:
    """Raises InvalidValue for a time zone that is not written out."""
    for call in bad_zones(tree(serialized)):
        raise InvalidValue(
            f"{_place(text, serialized, call.number)}: the time zone of {call.function} must be "
            "written out, such as 'Europe/Berlin' or '+02:00'"
        )


def _check_patterns(text: str, root: Node, serialized: bytes) -> None:
    """Raises InvalidValue for a regular expression that the engine cannot read."""
    for call, pattern in written_patterns(root):
        try:
            value = _reads_pattern().eval(data={VARIABLE: pattern})
        except RuntimeError as error:
            raise InvalidValue(f"{_place(text, serialized, call.number)}: {error}") from None
        if value.type() == cel.Type.ERROR:
            why = _short(str(value.value()).removeprefix(_BAD_ARGUMENT))
            raise InvalidValue(f"{_place(text, serialized, call.number)}: {why}")


@lru_cache(maxsize=1)
def _reads_pattern() -> Any:
    """An expression that asks whether nothing matches the pattern that it is given."""
    return _environment().compile(f"''.matches({VARIABLE})")


def _place(text: str, serialized: bytes, number: int) -> str:
    """Of a node."""
    before = text[: places(serialized).get(number, 0)]
    return f"line {before.count(chr(10)) + 1}, column {len(before) - before.rfind(chr(10))}"


@lru_cache(maxsize=1)
def _environment() -> cel.Env:
    return _make({VARIABLE: cel.Type.DYN})


@lru_cache(maxsize=1)
def _typed_environment() -> cel.Env:
    """For checking: knows the types of the event's members, by names with dots."""
    types = dict.fromkeys(MEMBERS, cel.Type.STRING)
    types["body"] = cel.Type.DYN
    types["headers"] = cel.Type.Map(cel.Type.STRING, cel.Type.STRING)
    members = {f"{VARIABLE}.{name}": kind for name, kind in types.items()}
    return _make({VARIABLE: cel.Type.DYN, **members})


def _make(variables: dict[str, Any]) -> cel.Env:
    return cel.NewEnv(variables=variables, extensions=[ext_strings.ExtStrings()])


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
