"""TLS that ends here: a transport that encrypts what is written and decrypts what came.

OpenSSL works on memory alone, so the connection underneath is an ordinary one: its bounds,
deadlines and back-pressure hold from its first byte, which is part of a handshake. Why not `ssl`:
docs/decisions/0009-tls-at-the-receiver.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Final, cast

from cryptography.x509 import Certificate
from OpenSSL import SSL

from hookplane.errors import InvalidValue
from hookplane.network.certificates import UNREADABLE, Pair
from hookplane_receiver.ingress.server import ClientCertificates

CHUNK: Final = 64 * 1024
MAX_INTERMEDIATES: Final = 8
"""How many certificates that a client sends beside its own are looked at."""
_CIPHERS: Final = b"ECDHE+AESGCM:ECDHE+CHACHA20"
"""Of TLS 1.2: forward secrecy and authenticated encryption. TLS 1.3 has nothing else."""
_OPTIONS: Final = SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION


class TlsBroken(Exception):
    """What the client sent is not TLS, or the handshake failed; the connection must be closed."""


def context(pair: Pair, *, ask: bool) -> SSL.Context:
    """For connections that show this certificate. `ask`: the client is asked for its own; any is
    taken here, and each endpoint decides which it accepts. Raises InvalidValue."""
    made = SSL.Context(SSL.TLS_SERVER_METHOD)
    _show(made, pair)
    made.set_min_proto_version(SSL.TLS1_2_VERSION)
    made.set_cipher_list(_CIPHERS)
    made.set_options(_OPTIONS)
    made.set_mode(SSL.MODE_RELEASE_BUFFERS)  # 34 KiB of a connection that waits
    if ask:
        made.set_verify(SSL.VERIFY_PEER, lambda *_: True)
        # A session that is taken up again would not have the client's whole chain.
        made.set_options(SSL.OP_NO_TICKET)
        made.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    return made


def _show(made: SSL.Context, pair: Pair) -> None:
    try:
        made.use_certificate(pair.chain[0])
        for certificate in pair.chain[1:]:
            made.add_extra_chain_cert(certificate)
        made.use_privatekey(cast(Any, pair.key))
    except (SSL.Error, TypeError, ValueError):
        raise InvalidValue("OpenSSL cannot use this certificate and key for a server") from None


class PlainSide(asyncio.Protocol):
    """A protocol that may be behind TLS: it gets what was decrypted."""

    def stirred(self) -> None:
        """Something came that means nothing yet, or the handshake has ended."""


class TlsProtocol(asyncio.Protocol):
    """Stands between a connection and a protocol that does not know of TLS. The protocol gets the
    connection before the handshake, so that it counts and closes it like any other."""

    def __init__(self, inner: PlainSide, context: SSL.Context, failed: Callable[[], None]) -> None:
        """`failed`: called when the connection ends in the middle of a handshake."""
        self._inner = inner
        self._context = context
        self._failed = failed
        self._transport: TlsTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = TlsTransport(cast(asyncio.Transport, transport), self._context)
        self._inner.connection_made(self._transport)

    def data_received(self, data: bytes) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        try:
            plain = transport.feed(data)
        except TlsBroken:
            transport.close()
            return
        if plain:
            self._inner.data_received(plain)
        else:
            self._inner.stirred()
        if transport.ended:
            transport.close()

    def eof_received(self) -> bool | None:
        return self._inner.eof_received()

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is not None and self._transport.shaking_hands:
            self._failed()
        self._inner.connection_lost(exc)


class TlsTransport(asyncio.Transport):
    """Looks like the transport underneath to whoever writes to it."""

    def __init__(self, raw: asyncio.Transport, context: SSL.Context) -> None:
        super().__init__()
        self._raw = raw
        self._session = SSL.Connection(context, None)
        self._session.set_accept_state()
        self.client: ClientCertificates | None = None
        """The certificates that the client sent; None: the handshake is not over."""
        self.shaking_hands = False
        """A handshake has begun, and is not over."""
        self.ended = False
        """The client said that nothing more comes."""
        self.waiting_since: float | None = _now()
        """Since when (loop time) a handshake, or a record that is not whole, is coming in."""

    def feed(self, data: bytes) -> bytes:
        """Takes what came and returns what it means. Raises TlsBroken."""
        try:
            self._session.bio_write(data)
            if self.client is None:
                return self._shake_hands()
            plain = b"".join(self._read())
        except (SSL.Error, *UNREADABLE) as error:
            raise TlsBroken from error
        finally:
            self._flush()
        self.waiting_since = None if plain else self.waiting_since or _now()
        return plain

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Drops what is written before the handshake is over, because nothing can be sent then."""
        if self.client is None or self._raw.is_closing() or not data:
            return
        try:
            self._session.sendall(data)
        except SSL.Error:
            self._raw.abort()
        else:
            self._flush()

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        self.write(b"".join(list_of_data))

    def close(self) -> None:
        """Tells the client that nothing more comes, then closes the connection."""
        self._say_goodbye()
        self._raw.close()

    def can_write_eof(self) -> bool:
        return self.client is not None and self._raw.can_write_eof()

    def write_eof(self) -> None:
        """Tells the client that nothing more comes; what it sends is still read."""
        self._say_goodbye()
        self._raw.write_eof()

    def _say_goodbye(self) -> None:
        if self.client is not None and not self._raw.is_closing():
            with suppress(SSL.Error):
                self._session.shutdown()
            self._flush()

    def _shake_hands(self) -> bytes:
        """Goes on with the handshake; returns what the client sent after its end."""
        self.shaking_hands = True
        try:
            self._session.do_handshake()
        except SSL.WantReadError:
            return b""
        self.client = ClientCertificates(_shown(self._session))
        self.shaking_hands = False
        self.waiting_since = None
        return b"".join(self._read())

    def _read(self) -> Iterable[bytes]:
        with suppress(SSL.WantReadError):
            try:
                while True:
                    yield self._session.recv(CHUNK)
            except SSL.ZeroReturnError:
                self.ended = True

    def _flush(self) -> None:
        """SSL.Error: nothing is left to be sent."""
        with suppress(SSL.Error):
            while not self._raw.is_closing():
                data = self._session.bio_read(CHUNK)
                self._raw.write(data)
                if len(data) < CHUNK:
                    return

    # The rest is the connection's underneath -----------------------------------------------------

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._raw.get_extra_info(name, default)

    def is_closing(self) -> bool:
        return self._raw.is_closing()

    def abort(self) -> None:
        self._raw.abort()

    def is_reading(self) -> bool:
        return self._raw.is_reading()

    def pause_reading(self) -> None:
        self._raw.pause_reading()

    def resume_reading(self) -> None:
        self._raw.resume_reading()

    def get_write_buffer_size(self) -> int:
        return self._raw.get_write_buffer_size()

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return self._raw.get_write_buffer_limits()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._raw.set_write_buffer_limits(high, low)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._raw.set_protocol(protocol)

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._raw.get_protocol()


def _now() -> float:
    return asyncio.get_running_loop().time()


def _shown(session: SSL.Connection) -> tuple[Certificate, ...]:
    own = session.get_peer_certificate(as_cryptography=True)
    if own is None:
        return ()
    beside = session.get_peer_cert_chain(as_cryptography=True) or []
    return (own, *[x for x in beside if x != own][:MAX_INTERMEDIATES])
