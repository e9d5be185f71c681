"""What an expression may cost at worst, told from its text alone.

Whoever runs an expression in the event loop needs a bound that holds for every event that a sender
can make up. Here each operation has a rate in nanoseconds for each byte of the event, measured at
its worst; what has no rate, or whose work is not linear in the event, has no bound. The rates are
rough, and too high rather than too low: what is judged too dear is only run elsewhere. Pure.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

from hookplane.errors import InvalidValue
from hookplane.filters.checked import Call, Constant, FieldOf, Literal, Loop, Name, Node, tree

READ: Final = 400
"""Parsing a body and handing it to the engine, at worst: one that has to be repaired."""
WRITE: Final = 200
"""Making JSON of a value, for each time that the event is in it."""
_STEP: Final = 100
"""Nanoseconds of one operation, whatever it does to its operands."""
_MOST_TURNS: Final = 10_000
"""The engine's budget of iterations."""
_WIDEST: Final = 4
"""Bytes of one character."""
_LONGEST_TEXT: Final = 256
"""Of a literal that is searched for."""
_PLAIN_PATTERN: Final = re.compile(r"(?:[^\\{]|\\[^pPC]){0,64}", re.DOTALL)
"""Regular expressions whose programs are small: nothing is counted, and no classes of Unicode."""
_PER_PATTERN_CHARACTER: Final = 20
_COMPILE: Final = 3_000
"""For each character of a pattern, which is compiled anew each time."""

_FREE: Final = {"_&&_", "_||_", "!_", "_?_:_", "@not_strictly_false", "type", "dyn"}
"""Give one of their operands, or less."""
_NUMBERS: Final = {
    *("_-_", "_*_", "_/_", "_%_", "-_", "getFullYear", "getMonth", "getDate", "getDayOfMonth"),
    *("getDayOfWeek", "getDayOfYear", "getHours", "getMinutes", "getSeconds", "getMilliseconds"),
}
"""Work on small things, and give something small."""
_COMPARES: Final = {
    "_==_": 40,
    "_!=_": 40,
    "_<_": 5,
    "_<=_": 5,
    "_>_": 5,
    "_>=_": 5,
    "startsWith": 2,
    "endsWith": 2,
}
"""Work on as much as the smaller operand has."""
_MEASURES: Final = {
    "size": 5,
    "int": 5,
    "uint": 5,
    "double": 5,
    "bool": 5,
    "timestamp": 5,
    "duration": 5,
}
"""Read all of the first operand, and give something small."""
_COPIES: Final = {
    "string": 5,
    "bytes": 5,
    "lowerAscii": 10,
    "upperAscii": 10,
    "trim": 10,
    "charAt": 10,
    "substring": 10,
    "_+_": 10,
    "_[_]": 5,
}
"""Read all of their operands, and give at most as much."""
_SEARCHES: Final = {"contains": 20, "indexOf": 20, "lastIndexOf": 20, "split": 250}
"""Look for a literal in the first operand."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one evaluation takes at most. Nanoseconds of CPU."""

    fixed: int
    per_byte: int
    """Of the event."""
    per_turn: int
    """Of all its loops together."""

    def of(self, event_bytes: int) -> int:
        """For an event of this size."""
        turns = min(event_bytes // 2 + 1, _MOST_TURNS)
        return self.fixed + self.per_byte * event_bytes + self.per_turn * turns

    def largest_event(self, most: int) -> int:
        """Bytes of the largest event for which it takes no more than this; 0: of none."""
        larger = bisect_right(range(most), most, key=self.of)
        return max(larger - 1, 0)


class Size(NamedTuple):
    """Of a value at most: how many times the event may be in it, and bytes besides, of what is
    written in the expression."""

    copies: int = 0
    fixed: int = 0


_SMALL: Final = Size()
_WHOLE_EVENT: Final = Size(copies=1)


class Unbounded(Exception):
    """The expression does what has no bound that is linear in the event."""


def cost(serialized: bytes, *, written: bool = False) -> Cost | None:
    """Of an expression in its serialized form; None: there is no bound. `written`: JSON is made of
    its value."""
    bill = _Bill()
    try:
        value = bill.size(tree(serialized))
    except (Unbounded, InvalidValue, RecursionError):
        return None
    rate = WRITE if written else 0
    per_byte = READ + bill.per_byte + rate * value.copies
    return Cost(bill.fixed + rate * value.fixed, per_byte, bill.per_turn)


class _Bill:
    """Adds up what a tree costs."""

    def __init__(self) -> None:
        self.fixed = 0
        self.per_byte = 0
        self.per_turn = 0
        self._times = 1
        """How often the part that is looked at runs, by loops over lists that are written out."""
        self._in_turns = False
        """In a loop over the event: it runs once for each part, which together are no larger."""
        self._known: dict[str, Size] = {"event": _WHOLE_EVENT}
        """Variables in sight."""
        self._gathers: frozenset[str] = frozenset()

    def size(self, node: Node) -> Size:
        """Of the value; what it costs is added. Raises Unbounded."""
        self._pay_each_time(_STEP)
        match node:
            case Constant(text):
                return Size(fixed=len(text or "-") * _WIDEST)
            case Name(name):
                return self._named(name)
            case FieldOf(of):
                return self.size(of)
            case Literal(parts):
                return _sum(map(self.size, parts))
            case Call():
                return self._call(node)
            case Loop():
                return self._loop(node)

    def _named(self, name: str) -> Size:
        if name not in self._known:
            raise Unbounded(name)
        return self._known[name]

    def _pay_each_time(self, nanoseconds: int) -> None:
        if self._in_turns:
            self.per_turn += nanoseconds * self._times
        else:
            self.fixed += nanoseconds * self._times

    def _pay(self, rate: int, size: Size) -> None:
        """For each byte of it."""
        self.per_byte += rate * size.copies * self._times
        self._pay_each_time(rate * size.fixed)

    def _call(self, call: Call) -> Size:
        name, operands = call.function, call.operands
        if name == "_+_" and self._grows(operands):
            raise Unbounded(name)
        sizes = [self.size(operand) for operand in operands]
        if name in _FREE:
            return _largest(sizes)
        if name in _NUMBERS:
            return _SMALL
        if name in _COMPARES:
            self._pay(_COMPARES[name], min(sizes))
            return _SMALL
        if name in _MEASURES:
            self._pay(_MEASURES[name], sizes[0])
            return _SMALL
        if name in _COPIES:
            self._pay(_COPIES[name], _sum(sizes))
            return _sum(sizes)
        return self._search(name, operands, sizes)

    def _grows(self, operands: tuple[Node, ...]) -> bool:
        """Whether what a loop gathers is copied in each turn, with more in it each time."""
        gathered = any(isinstance(x, Name) and x.name in self._gathers for x in operands)
        return gathered and Constant(None) not in operands

    def _search(self, name: str, operands: tuple[Node, ...], sizes: list[Size]) -> Size:
        if name == "@in":
            self._pay(20 * _length(operands[1]), _largest(sizes))
            return _SMALL
        wanted = _literal(operands)
        if name == "matches" and _PLAIN_PATTERN.fullmatch(wanted):
            self._pay_each_time(_COMPILE * len(wanted))
            self._pay(_PER_PATTERN_CHARACTER * (len(wanted) + 1), sizes[0])
            return _SMALL
        if name in _SEARCHES and len(wanted) <= _LONGEST_TEXT:
            self._pay(_SEARCHES[name] + len(wanted), sizes[0])
            return sizes[0] if name == "split" else _SMALL
        raise Unbounded(name)

    def _loop(self, loop: Loop) -> Size:
        """Over a list that is written out: so many times. Over the event: once for each part, and
        nothing but that part may be looked at, or the work would be that of a square. Over what
        was made of both, or of constants: nobody knows how often."""
        size = self.size(loop.over)
        before = self._times, self._in_turns, self._known, self._gathers
        written_out = isinstance(loop.over, Literal) and loop.over.is_list
        if written_out:
            self._times *= _length(loop.over)
        else:
            self._in_turns = True
            if size.fixed:
                raise Unbounded("loop")
        own = dict.fromkeys(loop.names, size) | {loop.gathers: _SMALL}
        self._known = self._known | own if written_out else own
        self._gathers |= {loop.gathers}
        found = _largest(map(self.size, loop.parts))
        self._times, self._in_turns, self._known, self._gathers = before
        return found


def _sum(sizes: Iterable[Size]) -> Size:
    found = list(sizes)
    return Size(sum(x.copies for x in found), sum(x.fixed for x in found))


def _largest(sizes: Iterable[Size]) -> Size:
    found = list(sizes) or [_SMALL]
    return Size(max(x.copies for x in found), max(x.fixed for x in found))


def _length(node: Node) -> int:
    """Of a list that is written out; 1: of anything else."""
    return max(len(node.parts), 1) if isinstance(node, Literal) else 1


def _literal(operands: tuple[Node, ...]) -> str:
    match operands:
        case (_, Constant(str(text)), *_):
            return text
        case _:
            raise Unbounded("looks for what is not written out")
