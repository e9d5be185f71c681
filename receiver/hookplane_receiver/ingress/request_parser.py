"""Reads requests off a connection, within bounds. Pure: bytes come in, no socket is known.

llhttp (by httptools) knows the grammar, at its strictest, and has no bounds; those are here, and
what a server must refuse besides: a request that names its host twice or not at all, codings that
we do not have, chunks of HTTP/1.0, versions that are none of ours.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field
from functools import lru_cache
from http import HTTPStatus
from typing import Final

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from hookplane.errors import HookplaneError
from hookplane_receiver.ingress.server import IngressLimits, RawHeaders

BODY_PIECE: Final = 64 * 1024
"""Bytes that are read at once of a body; and so many may come without one of the body itself: sizes
of chunks with their extensions, and headers behind it, which count for nothing."""
_WATCHED: Final = frozenset({"host", "content-length", "transfer-encoding", "expect"})
"""Headers that decide where a request ends, or whom it is for; each may be there once."""
_NEW, _OLD = "1.1", "1.0"
_ORIGIN: Final = re.compile(rb"https?://[^/?#]*", re.IGNORECASE)


class BadRequest(HookplaneError):
    """What came is no request that can be answered by a handler."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status.phrase)
        self.status = status


@dataclass(slots=True)
class IncomingRequest:
    """A request whose headers are complete, and as much of its body as has come."""

    method: str
    target: str
    headers: RawHeaders
    is_old: bool
    """Of HTTP/1.0."""
    keep_alive: bool
    """Its connection may carry another one."""
    expects: bool
    """The client waits for `100 Continue` before it sends the body."""
    length: int
    """Of the body, as declared; 0: not declared, or none."""
    body: bytearray | bytes = field(default_factory=bytearray)
    """As far as it has come. Pieces are not kept one by one: tiny ones would take many times their
    size."""
    size: int = 0
    """Of the body as far as it has come."""
    complete: bool = False
    broken: bool = False
    """The rest of its body cannot be read."""
    unwanted: bool = False
    """Nobody reads the body: it is dropped."""

    @property
    def unfinished(self) -> bool:
        """More of the body is to come."""
        return not (self.complete or self.broken)

    def drop(self) -> None:
        """Forgets the body, and what will come of it."""
        self.unwanted = True
        self.body = b""

    def whole(self) -> bytes:
        """The body, which is kept once only."""
        self.body = bytes(self.body)
        return self.body


class RequestParser:
    """Reads one request after another."""

    def __init__(self, limits: IngressLimits) -> None:
        self._limits = limits
        self._head_bytes = limits.header_bytes + limits.target_bytes
        self._room = self._head_bytes
        """So much may come before something gets whole."""
        self._parser = HttpRequestParser(self)
        self._target = b""
        self._headers: RawHeaders = []
        self._request: IncomingRequest | None = None
        """Whose body comes in."""
        self.coming: deque[IncomingRequest] = deque()
        """Whose headers have come, and that nobody has taken yet."""
        self.begun = False
        """The headers of a request have begun, and not ended."""
        self.chunks = 0
        """Pieces of bodies that have come since this was last set."""
        self.refusal: HTTPStatus | None = None
        """Why what came behind `coming` is no request."""
        self.ended = False
        """Nothing is read any more: something was wrong, or a request was the last one."""

    def feed(self, data: bytes) -> bytes:
        """Reads up to the end of a request, and a little more. Returns what it has not read; all,
        once it has ended."""
        while data and not self.ended:
            room = self._room
            piece = data if len(data) <= room else data[:room]
            data = data[len(piece) :]
            self._room = room - len(piece)
            data = self._parse(piece) + data
            if self._room <= 0 and not self.ended:
                self._overflow()
            if self.coming and self._request is None:
                break
        return data

    def end(self) -> None:
        """Nothing is fed any more. llhttp's side and this one would keep each other alive, with all
        that has come, until the collector finds them."""
        self.ended = True
        self._parser = _SPENT

    def _parse(self, piece: bytes) -> bytes:
        """Returns what is to be read again, by another parser."""
        try:
            self._parser.feed_data(piece)
        except HttpParserUpgrade as offer:
            self._decline()
            return piece[offer.args[0] :]
        except HttpParserError as error:
            cause = error.__context__
            self._fail(cause.status if isinstance(cause, BadRequest) else HTTPStatus.BAD_REQUEST)
        return b""

    def _overflow(self) -> None:
        too_long = self.begun and len(self._target) > self._limits.target_bytes
        self._fail(
            HTTPStatus.REQUEST_URI_TOO_LONG
            if too_long
            else HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        )

    def _fail(self, status: HTTPStatus) -> None:
        """What came is no part of a request. Behind a last one nothing is expected."""
        if self._request is not None:
            self._request.broken = True
            self._request = None
        elif not self.ended:
            self.refusal = status
        self.ended = True

    def _decline(self) -> None:
        """The client would go on in another protocol, but will do in this one (RFC 9110 §7.8).
        llhttp sees the end of the request there, so another one reads the body."""
        request = self._request
        assert request is not None  # noqa: S101 - on_headers_complete has made it
        framing = b"Content-Length: %d" % request.length
        if any(name == "transfer-encoding" for name, _ in request.headers):
            framing = b"Transfer-Encoding: chunked"
        self._parser = HttpRequestParser(self)
        self._parser.feed_data(b"POST / HTTP/1.1\r\nHost: x\r\n%b\r\n\r\n" % framing)

    # What the parser calls ----------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """A request line begins, unless it is one of `_decline`."""
        if self._request is None:
            self.begun = True
            self._target = b""
            self._headers = []

    def on_url(self, data: bytes) -> None:
        """A piece of the target."""
        self._target += data

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or one behind the body, which counts for nothing. Raises BadRequest at once for
        one too many: thousands of tiny ones would take many times their bytes."""
        if self._request is None:
            if len(self._headers) >= self._limits.header_count:
                raise BadRequest(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
            self._headers.append((header_name(name), value.strip(b" \t")))

    def on_headers_complete(self) -> None:
        """A request has come, if it is one. Raises BadRequest."""
        if self._request is not None:
            return
        self._check_size()
        request = self._request = self._made()
        self.coming.append(request)
        self.begun = False
        self._room = BODY_PIECE

    def on_body(self, data: bytes) -> None:
        """A piece of the body."""
        request = self._request
        if request is None:
            return
        request.size += len(data)
        self.chunks += 1
        self._room = BODY_PIECE
        if not request.unwanted:
            request.body += data

    def on_message_complete(self) -> None:
        """The end of a request, unless it offers another protocol."""
        request = self._request
        if request is None or self._parser.should_upgrade():
            return
        request.complete = True
        self.ended = not request.keep_alive
        self._request = None
        self._room = self._head_bytes

    # What a request must have -------------------------------------------------------------------

    def _check_size(self) -> None:
        limits = self._limits
        if len(self._target) > limits.target_bytes:
            raise BadRequest(HTTPStatus.REQUEST_URI_TOO_LONG)
        if sum([len(name) + len(value) for name, value in self._headers]) > limits.header_bytes:
            raise BadRequest(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def _made(self) -> IncomingRequest:
        parser = self._parser
        method, version = parser.get_method(), parser.get_http_version()
        watched = [header for header in self._headers if header[0] in _WATCHED]
        found = dict(watched)
        if len(found) < len(watched) or method == b"CONNECT":
            raise BadRequest(HTTPStatus.BAD_REQUEST)
        _check_version(version, found)
        return IncomingRequest(
            method=method.decode(),
            target=_origin_form(self._target),
            headers=self._headers,
            is_old=version == _OLD,
            keep_alive=parser.should_keep_alive(),
            expects=version == _NEW and _expects(found),
            length=int(found.get("content-length", 0)),
        )


_SPENT: Final = HttpRequestParser(object())
"""In place of a parser that is not needed any more."""


@lru_cache(maxsize=1024)
def header_name(raw: bytes) -> str:
    """A header's name as it is compared."""
    return raw.decode("latin-1").lower()


def _check_version(version: str, found: dict[str, bytes]) -> None:
    """RFC 9112 §3.2, §6.1."""
    coding = found.get("transfer-encoding")
    if version == _NEW:
        if "host" not in found:
            raise BadRequest(HTTPStatus.BAD_REQUEST)
        if coding is not None and coding.lower() != b"chunked":
            raise BadRequest(HTTPStatus.NOT_IMPLEMENTED)
    elif version != _OLD:
        raise BadRequest(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED)
    elif coding is not None:
        raise BadRequest(HTTPStatus.BAD_REQUEST)


def _expects(found: dict[str, bytes]) -> bool:
    expectation = found.get("expect")
    if expectation is not None and expectation.lower() != b"100-continue":
        raise BadRequest(HTTPStatus.EXPECTATION_FAILED)
    return expectation is not None


def _origin_form(target: bytes) -> str:
    """Path and query, also of a target that names the server before them (RFC 9112 §3.2.2)."""
    if not target.startswith(b"/"):
        named = _ORIGIN.match(target)
        if named is not None:
            rest = target[named.end() :]
            target = rest if rest.startswith(b"/") else b"/" + rest
    return target.decode("latin-1")
