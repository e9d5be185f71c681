"""Ways to sign that several providers share."""

from __future__ import annotations

from typing import Final

from hookplane.signatures.scheme import (
    Algorithm,
    Encoding,
    KeyEncoding,
    Layout,
    SignatureScheme,
    Timestamp,
)


def standard_webhooks(prefix: str) -> SignatureScheme:
    """Standard Webhooks v1 with headers `<prefix>-id`, `-timestamp` and `-signature`.

    https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
    """
    return SignatureScheme(
        header=f"{prefix}-signature",
        layout=Layout.VERSIONED,
        signature_key="v1",
        encoding=Encoding.BASE64,
        key_encoding=KeyEncoding.BASE64,
        key_prefix="whsec_",
        content="{id}.{timestamp}.{body}",
        id_header=f"{prefix}-id",
        timestamp=Timestamp(header=f"{prefix}-timestamp"),
    )


STANDARD: Final = standard_webhooks("webhook")
STANDARD_ED25519: Final = STANDARD.model_copy(
    update={"signature_key": "v1a", "algorithm": Algorithm.ED25519, "key_prefix": "whpk_"}
)
HUB_SHA256: Final = SignatureScheme(header="x-hub-signature-256", prefix="sha256=")


def token(header: str) -> SignatureScheme:
    """The key itself stands in the header."""
    return SignatureScheme(header=header, algorithm=Algorithm.EQUALITY)
