"""TLS contexts: one per set of certificates, so that connections are never shared across them."""

from __future__ import annotations

import asyncio
import ssl
import tempfile
from collections import OrderedDict
from typing import Final

from hookplane.config.subscription import TLSConfig
from hookplane.errors import HookplaneError

MAX_CONTEXTS: Final = 512
"""The one used longest ago goes first."""
_SYSTEM: Final = TLSConfig()
"""The certificate authorities of the system, and no certificate of our own."""


class UnusableTLS(HookplaneError):
    """Certificates or key of a subscription cannot be used."""


class TLSContexts:
    """Contexts by content. A pool that keys connections by context keeps tenants apart."""

    def __init__(self) -> None:
        self._made: OrderedDict[TLSConfig, ssl.SSLContext] = OrderedDict()

    async def get(self, config: TLSConfig | None) -> ssl.SSLContext:
        """Made in a thread, because certificates are read from disk. Raises UnusableTLS."""
        config = config or _SYSTEM
        if config not in self._made:
            made = await asyncio.to_thread(make_context, config)
            self._made.setdefault(config, made)
        self._made.move_to_end(config)
        context = self._made[config]
        if len(self._made) > MAX_CONTEXTS:
            self._made.popitem(last=False)
        return context


def make_context(config: TLSConfig) -> ssl.SSLContext:
    """Names and certificates are always checked. Raises UnusableTLS."""
    try:
        context = ssl.create_default_context(cadata=config.ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        _add_certificate(context, config)
    except (OSError, ValueError) as error:
        raise UnusableTLS("certificates or key cannot be used") from error
    return context


def _add_certificate(context: ssl.SSLContext, config: TLSConfig) -> None:
    """The library wants a file; this one is readable by us only and gone at once. A key under a
    passphrase is refused instead of asked for at the terminal."""
    if config.certificate is None or config.private_key is None:
        return
    with tempfile.NamedTemporaryFile(prefix="hookplane-") as file:
        file.write(config.private_key.reveal() + b"\n" + config.certificate.encode())
        file.flush()
        context.load_cert_chain(file.name, password=lambda: b"")
