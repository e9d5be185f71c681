"""How deliveries are signed, as data: a part of a subscription's config document."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from hookplane.secret import Secret
from hookplane.signatures.scheme import Algorithm, Encoding


class SigningScheme(StrEnum):
    """How deliveries are signed."""

    STANDARD = "StandardWebhooks"
    """Standard Webhooks `v1`: HMAC-SHA256 with a shared key."""
    ED25519 = "StandardWebhooksEd25519"
    """Standard Webhooks `v1a`: Ed25519, so that receivers need no secret."""
    CUSTOM = "Custom"
    """In a header of the user's own form, besides the headers of Standard Webhooks."""
    NONE = "None"
    """Not at all."""


class CustomFormat(BaseModel):
    """A signature header of the user's own form."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    header: str
    prefix: str = ""
    algorithm: Algorithm = Algorithm.HMAC_SHA256
    encoding: Encoding = Encoding.HEX
    content: str = "{body}"
    id_header: str | None = None
    timestamp_header: str | None = None


class SigningConfig(BaseModel):
    """How deliveries are signed. Every key makes a signature; keys are in their text form
    (`whsec_…`, `whsk_…`, or raw for CUSTOM)."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    scheme: SigningScheme = SigningScheme.STANDARD
    keys: tuple[Secret, ...] = ()
    custom: CustomFormat | None = None


class GeneratedKind(StrEnum):
    """What is generated into a Secret of ours."""

    WHSEC = "whsec"
    """A Standard Webhooks v1 secret: `whsec_` and base64 of 32 random bytes."""
    WHSK = "whsk"
    """A Standard Webhooks v1a private key: `whsk_` and base64 of an Ed25519 seed."""
    HEX = "hex"
    """64 hexadecimal digits."""
