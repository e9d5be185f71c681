"""Environment variables: names, readers and defaults in one table; pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from hookplane.errors import InvalidValue
from hookplane.kinds.endpoint import MAX_BODY_SIZE
from hookplane.network.addresses import OwnPlace, parse_place
from hookplane.spelling import did_you_mean
from hookplane.units import parse_duration, parse_size

PREFIX: Final = "HOOKPLANE_"
_ELSEWHERE: Final = {
    "HOOKPLANE_ADMIN",
    "HOOKPLANE_DATA",
    "HOOKPLANE_SINK_SECRET",
}
"""Variables that other commands read."""


@dataclass(frozen=True, slots=True)
class Variable:
    """`read` makes a value of its text; its ValueError says what would be right."""

    name: str
    read: Callable[[str], Any]
    default: str | None = None
    """As it would be written; None: it is left out."""
    meaning: str = ""

    @property
    def variable(self) -> str:
        return PREFIX + self.name.upper()


def read_all(
    table: Iterable[Variable], environment: Mapping[str, str]
) -> tuple[dict[str, Any], list[str]]:
    """The values by field, and all problems. A variable that is empty counts as absent."""
    values: dict[str, Any] = {}
    problems = []
    for variable in table:
        text = environment.get(variable.variable) or variable.default
        try:
            values[variable.name] = None if text is None else variable.read(text)
        except ValueError as error:
            problems.append(f"{variable.variable}: {error}")
    return values, problems


def unknown_variables(table: Iterable[Variable], environment: Mapping[str, str]) -> list[str]:
    """A line for each variable that begins with our prefix and that nothing reads."""
    known = {variable.variable for variable in table}
    strange = strange_variables(environment) - known
    return [f"{name} is not known{_meant(name, known)}" for name in sorted(strange)]


def strange_variables(environment: Mapping[str, str]) -> set[str]:
    """Those that begin with our prefix and that no command reads but those of single processes."""
    return {x for x in environment if x.startswith(PREFIX)} - _ELSEWHERE


def _meant(name: str, known: Iterable[str]) -> str:
    near = did_you_mean(name, known)
    return f"; {near}" if near else ""


# Readers ----------------------------------------------------------------------------------------


def address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not (host and colon and port.isascii() and port.isdigit() and int(port) < 65_536):
        raise InvalidValue(f'"{text}" is not HOST:PORT, such as 0.0.0.0:8080')
    return host, int(port)


def address_or_off(text: str) -> tuple[str, int] | None:
    return None if text == "off" else address(text)


def ranges(text: str) -> tuple[str, ...]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    return tuple(_range(part) for part in parts)


def _range(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError as error:
        raise InvalidValue(f'"{text}" is not an address range such as 10.0.0.0/8') from error


def places(text: str) -> tuple[OwnPlace, ...]:
    return tuple(parse_place(part) for part in text.split(",") if part.strip())


def switch(text: str) -> bool:
    values = {"true": True, "1": True, "false": False, "0": False}
    if text.lower() not in values:
        raise InvalidValue(f'"{text}" is neither true nor false')
    return values[text.lower()]


def one_of(*words: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in words:
            raise InvalidValue(f'"{text}" is not one of {", ".join(words)}')
        return text

    return read


def duration(text: str) -> int:
    return parse_duration(text)


def size(text: str) -> int:
    return parse_size(text)


def body_room(text: str) -> int:
    """A size that at least one body of any endpoint fits in."""
    room = parse_size(text)
    if room < MAX_BODY_SIZE:
        raise InvalidValue(f'"{text}" is less than one body may have, 32Mi')
    return room


def count(most: int) -> Callable[[str], int]:
    """Reads a whole number from 1 to `most`."""

    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit() and 1 <= int(text) <= most):
            raise InvalidValue(f'"{text}" is not a whole number from 1 to {most:,}')
        return int(text)

    return read


def existing_path(text: str) -> Path:
    path = Path(text)
    if not path.exists():
        raise InvalidValue(f"there is no file {text}")
    return path


def existing_file(text: str) -> Path:
    path = Path(text)
    if not path.is_file():
        raise InvalidValue(f"there is no file {text}")
    return path


def name(text: str) -> str:
    if len(text) > 128 or not text.isprintable():
        raise InvalidValue("it is a name of at most 128 printable characters")
    return text


LIMITS: Final = (
    Variable("unverified_bytes", body_room, "64Mi", "Room for bodies of who is not known yet"),
    Variable("connections", count(100_000), "2048", "Connections of senders, on both ports"),
    Variable(
        "connections_per_peer", count(100_000), "1024", "Connections of one address, or IPv6 /64"
    ),
)
"""What senders may take: fields of IngressLimits. `hookplane run` has options of these names."""
