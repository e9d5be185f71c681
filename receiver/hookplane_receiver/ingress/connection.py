"""A connection from a sender: one request after another, each with one answer."""

from __future__ import annotations

import asyncio
import logging
import math
from enum import Enum, auto
from http import HTTPStatus
from typing import Final

from hookplane.listening import plain_address
from hookplane.pacing.deadlines import MovingDeadline
from hookplane_receiver.ingress.answers import CLOSE, CONTINUE, KEEP, answer_bytes, refusal
from hookplane_receiver.ingress.body_budget import ALLOWANCE, BodyClaim
from hookplane_receiver.ingress.connections import OpenConnections
from hookplane_receiver.ingress.crowds import LEAST_PIECE
from hookplane_receiver.ingress.request_parser import IncomingRequest, RequestParser
from hookplane_receiver.ingress.server import (
    BodyBroken,
    BodyTimeout,
    BodyTooLarge,
    InboundRequest,
    InboundResponse,
    IngressLimits,
    NoRoomForBody,
)
from hookplane_receiver.ingress.tls import PlainSide, TlsTransport

MAX_DROPPED: Final = 64 * 1024 * 1024
"""Bytes that are read and dropped so that an answer gets through."""

MOST_CHUNKS: Final = 256
"""Pieces of a body that one piece off the socket may have, before others have a turn. Each costs
the same, however small."""

_log = logging.getLogger(__name__)


class ConnectionStage(Enum):
    """What a connection waits for."""

    IDLE = auto()
    """A request."""
    HEADERS = auto()
    """The rest of what has begun: headers, a handshake, a record of TLS."""
    WORK = auto()
    """The handler, which may wait for the body in turn."""
    REST = auto()
    """The end of a body that the handler, which has answered, did not want."""
    LINGER = auto()
    """The client's end, after the last answer; what still comes is dropped."""
    OVER = auto()
    """Nothing."""


_BETWEEN: Final = frozenset({ConnectionStage.IDLE, ConnectionStage.HEADERS})
"""No request is under way."""


class SenderConnection(PlainSide):
    """One connection. What comes behind a request is not read before that one is answered."""

    def __init__(self, server: OpenConnections) -> None:
        self._server = server
        self._loop = server.loop
        self._patience = _patience(server.limits)
        self._parser = RequestParser(server.limits)
        self._deadline = MovingDeadline(server.deadlines, server.loop, self._late)
        self._transport: asyncio.Transport
        self._tls: TlsTransport | None = None
        self._peer = ""
        self._stage = ConnectionStage.OVER
        self._unread = b""
        """Came behind the request that is under way."""
        self._is_paused = False
        """Nothing is read off the socket."""
        self._is_resting = False
        """Until the loop's next turn, and for no other reason."""
        self._is_writable = True
        """The client reads its answers."""
        self._half_closed = False
        """The client sends no more."""
        self._request: IncomingRequest | None = None
        """Under way: at work, or with a body that is being dropped."""
        self._task: asyncio.Task[None] | None = None
        self._body: asyncio.Future[None] | None = None
        """The handler waits for the body."""
        self._most = 0
        """Bytes of the body that the handler takes."""
        self._claim: BodyClaim | None = None
        """Room for the body that the handler waits for."""
        self._marked = 0
        """Its size when it last came on."""
        self._dropped = 0

    # What the loop calls ------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """It is open; where there is TLS, the handshake is still to come."""
        self._transport = transport
        peer = transport.get_extra_info("peername")
        self._peer = plain_address(peer[0]) if isinstance(peer, tuple) else ""
        self._tls = transport if isinstance(transport, TlsTransport) else None
        if self._server.welcome(self, self._peer):
            self._enter(ConnectionStage.IDLE if self._tls is None else ConnectionStage.HEADERS)
        else:
            transport.close()

    def data_received(self, data: bytes) -> None:
        """The client has sent something."""
        if self._stage is ConnectionStage.LINGER:
            self._drop(len(data))
        elif self._unread or not self._takes_more:
            self._unread += data
            self._pause()
        else:
            self._read(data)

    def stirred(self) -> None:
        """See PlainSide."""
        if self._stage in _BETWEEN and not self._parser.begun and self._tls is not None:
            self._move(
                ConnectionStage.IDLE if self._tls.waiting_since is None else ConnectionStage.HEADERS
            )

    def eof_received(self) -> bool:
        """The client sends no more, and may still read an answer."""
        self._half_closed = True
        if self._stage is ConnectionStage.WORK:
            self._break_body()
            return True
        return False

    def pause_writing(self) -> None:
        """The client does not read its answers: what it sends has to wait."""
        self._is_writable = False

    def resume_writing(self) -> None:
        """It has read them."""
        self._is_writable = True
        self._go_on()

    def connection_lost(self, exc: Exception | None) -> None:
        """It has ended, for whatever reason. A handler that is at work goes on."""
        self._over()
        self._break_body()
        self._deadline.end()
        self._parser.end()

    # From bytes to requests ---------------------------------------------------------------------

    @property
    def _takes_more(self) -> bool:
        if self._stage is ConnectionStage.WORK:
            return self._request is not None and self._request.unfinished
        return self._is_writable or self._stage is ConnectionStage.REST

    def _read(self, data: bytes) -> None:
        self._parser.chunks = 0
        self._unread = self._parser.feed(data)
        if self._parser.chunks > MOST_CHUNKS:
            self._rest()
        if self._stage is ConnectionStage.WORK:
            self._look_at_body()
        elif self._stage is ConnectionStage.REST:
            self._drop(len(data))
        self._go_on()

    def _go_on(self) -> None:
        """Begins the next request, if none is under way and the client reads its answers."""
        parser = self._parser
        while self._stage in _BETWEEN and self._is_writable:
            if parser.coming:
                self._begin(parser.coming.popleft())
            elif parser.refusal is not None:
                self._refuse(parser.refusal)
            elif parser.ended:
                self._linger()
            elif self._unread:
                self._unread = parser.feed(self._unread)
            else:
                self._await_request()
                return

    def _await_request(self) -> None:
        if self._half_closed:
            self._close()
            return
        self._resume()
        self._move(ConnectionStage.HEADERS if self._parser.begun else ConnectionStage.IDLE)

    def _begin(self, request: IncomingRequest) -> None:
        self._enter(ConnectionStage.WORK)
        self._server.work(self)
        self._request = request
        self._look_at_body()
        inbound = InboundRequest(
            method=request.method,
            target=request.target,
            raw_headers=request.headers,
            peer=self._peer,
            read_body=self._read_body,
            client=None if self._tls is None else self._tls.client,
        )
        self._task = self._loop.create_task(self._work(request, inbound))

    async def _work(self, request: IncomingRequest, inbound: InboundRequest) -> None:
        try:
            response = await self._server.handler(inbound)
            self._answer(request, response)
        except Exception:
            _log.exception("a request could not be handled")
            self._answer(request, refusal(HTTPStatus.INTERNAL_SERVER_ERROR))

    # Bodies -------------------------------------------------------------------------------------

    async def _read_body(self, limit: int, network: str) -> bytes:
        """See InboundRequest."""
        request = self._request
        assert request is not None  # noqa: S101 - the handler is at work
        if request.length > limit:
            raise BodyTooLarge
        if request.unfinished and request.size <= limit:
            await self._wait_for_body(request, limit, network)
        if request.size > limit:
            raise BodyTooLarge
        if request.broken:
            raise BodyBroken
        return request.whole()

    async def _wait_for_body(self, request: IncomingRequest, limit: int, network: str) -> None:
        """RFC 9110 §10.1.1: only now is it wanted. Raises BodyTimeout, NoRoomForBody."""
        self._most = limit
        self._claim = BodyClaim(self, network)
        if request.expects and not request.size:
            self._transport.write(CONTINUE)
        self._resume()
        self._deadline.move(self._loop.time() + self._server.limits.body_timeout / 1000)
        self._body = self._loop.create_future()
        self._marked = 0
        self._server.receive(self)
        self._look_at_body()
        try:
            await self._body
        finally:
            self._server.work(self)
            self._server.bodies.leave(self._claim)
            self._body = self._claim = None

    def _look_at_body(self) -> None:
        """Something has come of the body of the request that is under way."""
        request = self._request
        if request is None:
            return
        if self._claim is None:
            if request.unfinished and request.size > ALLOWANCE:
                self._pause()
        elif not request.unfinished or request.size > self._most:
            self._tell_body()
        else:
            self._note_progress(request, self._claim)

    def _note_progress(self, request: IncomingRequest, claim: BodyClaim) -> None:
        if request.size - self._marked >= LEAST_PIECE:
            self._marked = request.size
            self._server.receive(self)
        if request.size > max(claim.granted, ALLOWANCE):
            self._ask_for_room(request, claim)
        else:
            claim.size = request.size

    def _ask_for_room(self, request: IncomingRequest, claim: BodyClaim) -> None:
        """For all that may come."""
        if not self._server.bodies.ask(claim, request.size, request.length or self._most):
            self._pause()

    def room_granted(self) -> None:
        """See BodyOwner."""
        self._resume()

    def give_way(self) -> None:
        """See BodyOwner."""
        self._break_body(NoRoomForBody())

    def _tell_body(self, error: Exception | None = None) -> None:
        if self._body is None or self._body.done():
            return
        if error is None:
            self._body.set_result(None)
        else:
            self._body.set_exception(error)

    def _break_body(self, error: Exception | None = None) -> None:
        """Nothing more comes of it, or nobody waits any longer for what did not come in time."""
        request = self._request
        if request is not None and request.unfinished:
            request.drop()
            request.broken = True
            self._tell_body(error)

    # Answers ------------------------------------------------------------------------------------

    def _answer(self, request: IncomingRequest, response: InboundResponse) -> None:
        """Raises ValueError when it cannot be sent."""
        if self._stage is not ConnectionStage.WORK:
            return
        is_last = response.close or self._server.draining or not _can_follow(request)
        self._write(response, request.method, is_last=is_last, is_old=request.is_old)
        self._task = None
        self._server.rest(self)
        if is_last:
            self._end(request)
        elif request.complete:
            self._request = None
            self._enter(ConnectionStage.IDLE)
        else:
            self._pass_over(request)
        self._go_on()

    def _write(
        self, response: InboundResponse, method: str, *, is_last: bool, is_old: bool = False
    ) -> None:
        kept = KEEP if is_old else ""
        date = self._server.dates.date(self._loop.time())
        self._transport.write(answer_bytes(response, date, CLOSE if is_last else kept, method))

    def _refuse(self, status: HTTPStatus) -> None:
        """Answers what is no request. What comes behind it is anything."""
        self._write(refusal(status), "", is_last=True)
        self._linger()

    def _end(self, request: IncomingRequest) -> None:
        """After the last answer. Who is still sending would meet a reset instead of it."""
        if request.complete and not self._unread and not self._parser.coming:
            self._close()
        else:
            self._linger()

    def _pass_over(self, request: IncomingRequest) -> None:
        """What is still to come of its body belongs to no other request."""
        request.drop()
        self._dropped = 0
        self._enter(ConnectionStage.REST)
        self._resume()

    def _drop(self, size: int) -> None:
        """So many bytes came that nobody wants."""
        self._dropped += size
        request = self._request
        if self._dropped > MAX_DROPPED:
            self.hang_up()
        elif self._stage is ConnectionStage.REST and request is not None and not request.unfinished:
            self._request = None
            self._enter(ConnectionStage.IDLE)

    # Ends ---------------------------------------------------------------------------------------

    def hang_up(self) -> None:
        """See Endable."""
        unsent = self._transport.get_write_buffer_size()
        self._over()
        if unsent:
            self._transport.abort()
        else:
            self._transport.close()

    def give_up(self) -> None:
        """See Endable."""
        if self._task is not None:
            self._task.cancel()
        self._over()
        self._transport.abort()

    def _linger(self) -> None:
        """Says that nothing more comes, and reads on for a while."""
        self._unread = b""
        self._dropped = 0
        if self._half_closed:
            self._close()
            return
        self._enter(ConnectionStage.LINGER)
        self._resume()
        self._say_last()

    def _say_last(self) -> None:
        """A client that is gone may be noticed only now."""
        try:
            if not self._transport.is_closing() and self._transport.can_write_eof():
                self._transport.write_eof()
        except OSError:
            self.hang_up()

    def _close(self) -> None:
        """When everything is sent; not later than at the deadline."""
        self._enter(ConnectionStage.LINGER)
        self._transport.close()

    def _over(self) -> None:
        self._stage = ConnectionStage.OVER
        self._deadline.stop()
        self._server.let_go(self)

    # Time ---------------------------------------------------------------------------------------

    def _enter(self, stage: ConnectionStage) -> None:
        self._stage = stage
        self._deadline.move(self._loop.time() + self._patience[stage])

    def _move(self, stage: ConnectionStage) -> None:
        """To have it begin anew, `_enter`."""
        if self._stage is not stage:
            self._enter(stage)

    def _late(self) -> None:
        """The stage has lasted too long."""
        if self._stage is ConnectionStage.WORK:
            is_held_up = self._claim is not None and self._claim.wanted
            self._break_body(NoRoomForBody() if is_held_up else BodyTimeout())
            return
        if self._stage is ConnectionStage.HEADERS:
            self._write(refusal(HTTPStatus.REQUEST_TIMEOUT), "", is_last=True)
        self.hang_up()

    # The socket ---------------------------------------------------------------------------------

    def _rest(self) -> None:
        """Lets others have a turn: uvloop reads 32 pieces in one."""
        if not self._is_paused:
            self._pause()
            self._is_resting = True
            self._loop.call_soon(self._rested)

    def _rested(self) -> None:
        if self._is_resting:
            self._resume()

    def _pause(self) -> None:
        self._is_resting = False
        if not self._is_paused and not self._transport.is_closing():
            self._is_paused = True
            self._transport.pause_reading()

    def _resume(self) -> None:
        self._is_resting = False
        if self._is_paused and not self._transport.is_closing():
            self._is_paused = False
            self._transport.resume_reading()


def _can_follow(request: IncomingRequest) -> bool:
    """Another request can come behind it. A client that was not told to send its body may leave it
    out, or not."""
    unsent = request.expects and request.unfinished and not request.size
    return request.keep_alive and not request.broken and not unsent


def _patience(limits: IngressLimits) -> dict[ConnectionStage, float]:
    """Seconds that a stage may last."""
    return {
        ConnectionStage.IDLE: limits.idle_timeout / 1000,
        ConnectionStage.HEADERS: limits.header_timeout / 1000,
        ConnectionStage.WORK: math.inf,
        ConnectionStage.REST: limits.linger_timeout / 1000,
        ConnectionStage.LINGER: limits.linger_timeout / 1000,
    }
