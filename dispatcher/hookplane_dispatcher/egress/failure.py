"""What went wrong, in words for people: without URL or anything the target wrote, and with an
address only where that is what is wrong."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from hookplane.errors import InvalidValue
from hookplane.network.addresses import AddressNotAllowed
from hookplane_dispatcher.egress.answer_parser import BadAnswer
from hookplane_dispatcher.egress.client import EgressError
from hookplane_dispatcher.egress.connection import ConnectionLost
from hookplane_dispatcher.egress.dialer import ConnectFailed, HandshakeFailed
from hookplane_dispatcher.egress.guard import RefusedAddress
from hookplane_dispatcher.egress.headers import BadHeader
from hookplane_dispatcher.egress.names import LookupGivenUp
from hookplane_dispatcher.egress.tls import UnusableTLS

_OTHER_NAME: Final = frozenset({62, 64})
"""X509_V_ERR_HOSTNAME_MISMATCH and …_IP_ADDRESS_MISMATCH, whose texts hold the name."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why no answer came."""

    error: EgressError
    detail: str = ""


def describe(error: Exception) -> Failure:
    """The first row of the table that fits, with the cause of the whole chain looked at first."""
    for cause in _chain(error):
        if isinstance(cause, RefusedAddress):
            return Failure(EgressError.REFUSED_ADDRESS, str(cause))
    for kind, failure, detail in _TABLE:
        if isinstance(error, kind):
            return Failure(failure, detail(error))
    return Failure(EgressError.PROTOCOL, type(error).__name__)


def _chain(error: BaseException | None) -> list[BaseException]:
    chain: list[BaseException] = []
    while error is not None and error not in chain:
        chain.append(error)
        error = error.__cause__
    return chain


def _nothing(_: Any) -> str:
    return ""


def _system(error: BaseException | None) -> str:
    number = error.errno if isinstance(error, OSError) else None
    return os.strerror(number).lower() if number else ""


def _cause(error: Exception) -> str:
    return _system(error.__cause__)


def _handshake(error: HandshakeFailed) -> str:
    """The libraries' own resets come without number."""
    return _cause(error) or "closed during the handshake"


def _certificate(error: ssl.SSLCertVerificationError) -> str:
    if error.verify_code in _OTHER_NAME:
        return "the certificate is for another name"
    return error.verify_message


def _tls(error: ssl.SSLError) -> str:
    return str(error.reason or "no handshake").lower().replace("_", " ")


def _lost(error: ConnectionLost) -> str:
    return _cause(error) or str(error)


_TABLE: Final[tuple[tuple[type[Exception], EgressError, Callable[[Any], str]], ...]] = (
    (AddressNotAllowed, EgressError.REFUSED_ADDRESS, str),
    (InvalidValue, EgressError.BAD_URL, _nothing),
    (BadHeader, EgressError.BAD_HEADER, str),
    (UnusableTLS, EgressError.TLS, str),
    (socket.gaierror, EgressError.DNS, _nothing),
    (ConnectFailed, EgressError.CONNECT, _cause),
    (HandshakeFailed, EgressError.CONNECT, _handshake),
    (ssl.SSLCertVerificationError, EgressError.TLS, _certificate),
    (ssl.SSLError, EgressError.TLS, _tls),
    (ConnectionLost, EgressError.CLOSED, _lost),
    (LookupGivenUp, EgressError.CLOSED, _nothing),
    (TimeoutError, EgressError.TIMEOUT, _nothing),
    (BadAnswer, EgressError.PROTOCOL, str),
)
"""From narrow to wide."""
