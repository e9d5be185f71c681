"""What went wrong, in words for people: without address, URL or anything the target wrote."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import aiohttp

from hookplane.errors import InvalidValue
from hookplane.network.addresses import AddressNotAllowed
from hookplane_dispatcher.egress.client import EgressError
from hookplane_dispatcher.egress.guard import RefusedAddress
from hookplane_dispatcher.egress.headers import BadHeader
from hookplane_dispatcher.egress.tls import UnusableTLS

_OTHER_NAME: Final = frozenset({62, 64})
"""X509_V_ERR_HOSTNAME_MISMATCH and …_IP_ADDRESS_MISMATCH, whose texts hold the name."""


class BadAnswer(aiohttp.ClientError):
    """The target's answer cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why no answer came."""

    error: EgressError
    detail: str = ""


def describe(error: Exception) -> Failure:
    """The first row of the table that fits, with the cause of the whole chain looked at first."""
    for cause in _chain(error):
        if isinstance(cause, RefusedAddress):
            return Failure(EgressError.REFUSED_ADDRESS)
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


def _system(error: OSError) -> str:
    return os.strerror(error.errno).lower() if error.errno else ""


def _connecting(error: aiohttp.ClientConnectorError) -> str:
    """The library's own resets, which come without number, are those of TLS handshakes."""
    return _system(error) or "closed during the handshake"


def _certificate(error: aiohttp.ClientConnectorCertificateError) -> str:
    cause = error.certificate_error
    if not isinstance(cause, ssl.SSLCertVerificationError):
        return ""
    if cause.verify_code in _OTHER_NAME:
        return "the certificate is for another name"
    return cause.verify_message


def _handshake(error: aiohttp.ClientConnectorSSLError) -> str:
    reason = getattr(error.os_error, "reason", None) or "no handshake"
    return str(reason).lower().replace("_", " ")


_TABLE: Final[tuple[tuple[type[Exception], EgressError, Callable[[Any], str]], ...]] = (
    (AddressNotAllowed, EgressError.REFUSED_ADDRESS, _nothing),
    (InvalidValue, EgressError.BAD_URL, _nothing),
    (BadHeader, EgressError.BAD_HEADER, str),
    (UnusableTLS, EgressError.TLS, str),
    (aiohttp.ClientConnectorDNSError, EgressError.DNS, _nothing),
    (aiohttp.ClientConnectorCertificateError, EgressError.TLS, _certificate),
    (aiohttp.ClientConnectorSSLError, EgressError.TLS, _handshake),
    (aiohttp.ClientConnectorError, EgressError.CONNECT, _connecting),
    (ssl.SSLError, EgressError.TLS, _nothing),
    (TimeoutError, EgressError.TIMEOUT, _nothing),
    (aiohttp.ServerDisconnectedError, EgressError.CLOSED, _nothing),
    (aiohttp.ClientPayloadError, EgressError.CLOSED, lambda _: "in the middle of the answer"),
    (BadAnswer, EgressError.PROTOCOL, str),
    (OSError, EgressError.CLOSED, _system),
    (aiohttp.ClientConnectionError, EgressError.CLOSED, _nothing),
    (aiohttp.ClientError, EgressError.PROTOCOL, _nothing),
)
"""From narrow to wide."""
