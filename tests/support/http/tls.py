"""TLS between tests and receivers: one authority for servers, contexts for both ends."""

from __future__ import annotations

import ssl
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from OpenSSL import SSL

from hookplane.network.certificates import check_pair
from hookplane.secret import Secret
from hookplane_receiver.ingress.tls import context
from hookplane_receiver.settings import TlsSettings
from support.kubernetes.pki import Authority, Pair, write_pair


@cache
def servers() -> Authority:
    """Who vouches for receivers."""
    return Authority("servers")


def server_pair(name: str = "receiver") -> Pair:
    return servers().server(name, ("localhost",), ("127.0.0.1",))


@cache
def server_context(*, ask: bool) -> SSL.Context:
    """What a receiver serves with."""
    pair = server_pair()
    return context(check_pair(Secret(pair.certificate), Secret(pair.key)), ask=ask)


def tls_settings(folder: Path, pair: Pair | None = None) -> TlsSettings:
    """A port of a receiver's, with its files in `folder`."""
    write_pair(folder, "tls", pair or server_pair())
    return TlsSettings("127.0.0.1:0", folder / "tls.crt", folder / "tls.key")


def client_context(own: Pair | None = None, *beside: bytes) -> ssl.SSLContext:
    """Believes in `servers`, and shows a certificate with those that vouch for it."""
    made = ssl.create_default_context(cadata=servers().certificate.decode())
    if own is not None:
        made.set_ciphers("DEFAULT:@SECLEVEL=0")  # clients show what servers should not believe
        with TemporaryDirectory() as folder:
            chain = Pair(own.key, b"".join((own.certificate, *beside)))
            write_pair(Path(folder), "client", chain)
            made.load_cert_chain(Path(folder) / "client.crt", Path(folder) / "client.key")
    return made
