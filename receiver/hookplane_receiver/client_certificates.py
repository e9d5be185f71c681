"""Whether a client's certificate is what an endpoint demands; pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from cryptography.x509 import Certificate, ExtendedKeyUsage, ExtensionNotFound, KeyUsage
from cryptography.x509.oid import ExtendedKeyUsageOID
from OpenSSL import crypto

from hookplane.clock import Millis
from hookplane.config.endpoint import ClientCertificate
from hookplane.network.certificates import (
    UNREADABLE,
    check_certificates,
    check_subject,
    weak_key,
    weak_signature,
)
from hookplane_receiver.ingress.server import ClientCertificates

HOLDS: Final[Millis] = 60_000
"""So long a connection is believed without verifying again, never beyond a certificate's end."""
SHOWN_CHARACTERS: Final = 200
NO_TLS: Final = (
    "the request came without TLS or through a proxy that ended it; a client certificate is only "
    "seen on the receiver's own https port"
)
NONE_SHOWN: Final = "the client showed no certificate"
_CLIENT: Final = frozenset(
    {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
)


class ClientVerifier:
    """Judges client certificates for one endpoint. Each new configuration of the endpoint makes a
    new one, so that a connection is verified again."""

    def __init__(self, config: ClientCertificate) -> None:
        """Raises InvalidValue."""
        self._authorities = [
            crypto.X509.from_cryptography(x) for x in check_certificates(config.authorities)
        ]
        self._subjects = tuple(check_subject(text) for text in config.subjects)

    def refusal(self, client: ClientCertificates | None, now: Millis) -> str:
        """What is wrong with what a client showed, in words for the endpoint's people; empty:
        nothing. Verifies once for each connection and HOLDS."""
        if client is None:
            return NO_TLS
        if not client.chain:
            return NONE_SHOWN
        if client.judged is None or client.judged[0] is not self or client.judged[1] <= now:
            refusal, until = self._judge(client.chain, now)
            client.judged = (self, min(until, now + HOLDS), refusal)
        return client.judged[2]

    def _judge(self, shown: Sequence[Certificate], now: Millis) -> tuple[str, Millis]:
        try:
            path = self._path(shown, now)
            ends = min(certificate.not_valid_after_utc for certificate in path)
            return _unfit(path) or self._check_subject(shown[0]), int(ends.timestamp() * 1000)
        except crypto.X509StoreContextError as error:
            return f"the client's certificate is not accepted: {error}", now + HOLDS
        except (crypto.Error, *UNREADABLE):
            return "the client's certificate cannot be read", now + HOLDS

    def _path(self, shown: Sequence[Certificate], now: Millis) -> list[Certificate]:
        """From the client's certificate to an authority that is trusted."""
        own, *beside = (crypto.X509.from_cryptography(certificate) for certificate in shown)
        verification = crypto.X509StoreContext(self._store(now), own, beside)
        return [found.to_cryptography() for found in verification.get_verified_chain()]

    def _store(self, now: Millis) -> crypto.X509Store:
        """A new one each time, because the time of one can be set only once."""
        store = crypto.X509Store()
        # An intermediate authority, or the client's own certificate, may be all that is trusted.
        store.set_flags(crypto.X509StoreFlags.PARTIAL_CHAIN)
        for authority in self._authorities:
            store.add_cert(authority)
        store.set_time(datetime.fromtimestamp(now / 1000, UTC))
        return store

    def _check_subject(self, own: Certificate) -> str:
        if not self._subjects or own.subject in self._subjects:
            return ""
        subject = own.subject.rfc4514_string()[:SHOWN_CHARACTERS]
        return f'the subject of the client\'s certificate, "{subject}", is none of subjects'


def _unfit(path: Sequence[Certificate]) -> str:
    """OpenSSL has looked at signatures, times, and who may issue; not at strength and purpose."""
    own, authority = path[0], path[-1]
    if not _may_sign(own) or not all(_for_clients(x) for x in path[:-1] or path):
        return "the client's certificate, or one that vouches for it, is not for clients"
    for certificate in path:
        weak = weak_key(certificate)
        if not weak and certificate is not authority:
            weak = weak_signature(certificate)
        if weak:
            return f"the client's certificate, or one that vouches for it, {weak}"
    return ""


def _for_clients(certificate: Certificate) -> bool:
    """RFC 5280 §4.2.1.12: without the extension it is for everything."""
    try:
        usage = certificate.extensions.get_extension_for_class(ExtendedKeyUsage)
    except ExtensionNotFound:
        return True
    return not _CLIENT.isdisjoint(usage.value)


def _may_sign(certificate: Certificate) -> bool:
    """A client proves itself by a signature."""
    try:
        return certificate.extensions.get_extension_for_class(KeyUsage).value.digital_signature
    except ExtensionNotFound:
        return True
