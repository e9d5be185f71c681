"""Reads answers off a connection, within bounds. Pure: bytes come in, no socket is known.

llhttp (by httptools) knows the grammar and has no bounds; those are here. It is as strict as it is
by default, but for what servers in the field do and what leads to no other reading of an answer:
folded headers (RFC 9112 §5.2 has clients read them), lines that end with LF alone, and spaces
behind the size of a chunk.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from httptools import HttpParserError, HttpResponseParser

from hookplane.errors import HookplaneError
from hookplane_dispatcher.egress.client import MAX_ANSWER_BYTES

HEADER_BYTES: Final = 64 * 1024
"""Of longer headers nothing is read but the status. Those of interim answers (1xx) count with the
ones of the answer; and so much may come in one piece without a byte of the body, like trailers."""
WIRE_BYTES: Final = 2 << 20
"""Of an answer with all that belongs to it; several times what is read of it."""
MAX_RETRY_AFTER_CHARS: Final = 64
_RETRY_AFTER: Final = b"retry-after"
_LENGTH: Final = b"content-length"
_ENCODING: Final = b"transfer-encoding"
_FRAMING: Final = frozenset({_LENGTH, _ENCODING})


class BadAnswer(HookplaneError):
    """What came is no answer that can be used; the message says why, in our words or the
    parser's."""


@dataclass(slots=True)
class TargetAnswer:
    """What a target said."""

    status: int
    body: bytes = b""
    """At most MAX_ANSWER_BYTES."""
    retry_after: str | None = None
    reusable: bool = False
    """The connection may carry another exchange: nothing came behind the answer."""


class AnswerParser:
    """Reads one answer after another; `begin` comes before each."""

    def __init__(self) -> None:
        self._parser = HttpResponseParser(self)
        self._parser.set_dangerous_leniencies(
            lenient_headers=True,
            lenient_optional_cr_before_lf=True,
            lenient_spaces_after_chunk_size=True,
        )
        self.begin()

    def begin(self) -> None:
        """The next answer starts with the next byte."""
        self._left = WIRE_BYTES
        self._room = HEADER_BYTES
        self._status = 0
        """Of the answer, once its headers have ended."""
        self._begun = False
        self._headers: dict[bytes, bytes] = {}
        self._body = b""
        self._complete = False
        self._reusable = False

    @property
    def begun(self) -> bool:
        """Something of an answer has come."""
        return self._left < WIRE_BYTES

    def feed(self, data: bytes) -> TargetAnswer | None:
        """The answer, if these bytes complete it. Raises BadAnswer."""
        while data:
            room = self._room
            piece = data if len(data) <= room else data[:room]
            self._room -= len(piece)
            self._left -= len(piece)
            self._parse(piece)
            if self._complete:
                return self._answer()
            if self._room <= 0 or self._left <= 0:
                return self._overflow()
            data = data[len(piece) :]
        return None

    def end(self) -> TargetAnswer | None:
        """The connection has ended: the answer, if that is how it ends (RFC 9112 §6.3)."""
        chunked = self._headers.get(_ENCODING, b"").lower().rstrip().endswith(b"chunked")
        if not self._status or chunked or _LENGTH in self._headers:
            return None
        return self._answer()

    def _parse(self, piece: bytes) -> None:
        try:
            self._parser.feed_data(piece)
        except HttpParserError as error:
            self._reusable = False
            if not self._complete:
                raise BadAnswer(str(error.__context__ or error).lower()) from error

    def _answer(self) -> TargetAnswer:
        retry_after = self._headers.get(_RETRY_AFTER)
        return TargetAnswer(
            self._status,
            self._body[:MAX_ANSWER_BYTES],
            None if retry_after is None else _text(retry_after),
            self._reusable,
        )

    def _overflow(self) -> TargetAnswer:
        """A target that answered has the event, however long its headers are."""
        if self._status:
            raise BadAnswer("too much that is not its body")
        status = self._parser.get_status_code() if self._begun else 0
        if status < 200:
            raise BadAnswer(f"headers are over {HEADER_BYTES} bytes")
        return TargetAnswer(status)

    # What the parser calls ----------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """A status line begins. Behind a complete answer it belongs to none of ours."""
        self._begun = True
        self._reusable = False
        if not self._complete:
            self._headers.clear()

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer, which counts for nothing."""
        if b"\0" in value:
            raise BadAnswer("a header has NUL in it")
        key = name.strip().lower()
        if self._status:
            return
        if key == _RETRY_AFTER:
            self._headers.setdefault(key, value)
        elif key in _FRAMING:
            self._headers[key] = value

    def on_headers_complete(self) -> None:
        """The answer has a status, unless this is an interim one."""
        status: int = self._parser.get_status_code()
        if status < 100 or status == 101:
            raise BadAnswer(f"status {status} ends no exchange")
        if status >= 200 and not self._complete:
            self._status = status
            self._reusable = self._parser.should_keep_alive()
            self._room = HEADER_BYTES

    def on_body(self, data: bytes) -> None:
        """A piece of the body; what is too much of it is not read."""
        if self._complete:
            return
        self._body += data
        self._room = HEADER_BYTES
        if len(self._body) > MAX_ANSWER_BYTES:
            self._complete = True
            self._reusable = False

    def on_message_complete(self) -> None:
        """The end of the answer, or of an interim one."""
        self._complete = self._complete or self._status > 0


def _text(value: bytes) -> str | None:
    """A value of Retry-After that may be one."""
    return value.decode() if value.isascii() and 0 < len(value) <= MAX_RETRY_AFTER_CHARS else None
