"""A way to sign requests, as data: the axes that all known providers differ in."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from hookplane.clock import Millis


class Algorithm(StrEnum):
    """How a signature is computed."""

    HMAC_SHA1 = "HMAC-SHA1"
    HMAC_SHA256 = "HMAC-SHA256"
    HMAC_SHA384 = "HMAC-SHA384"
    HMAC_SHA512 = "HMAC-SHA512"
    ED25519 = "Ed25519"
    ECDSA_P256_SHA256 = "ECDSA-P256-SHA256"
    RSA_SHA256 = "RSA-SHA256"
    EQUALITY = "Equality"


class Encoding(StrEnum):
    """How bytes are written as text."""

    HEX = "Hex"
    BASE64 = "Base64"


class KeyEncoding(StrEnum):
    """How a key is written in its Secret."""

    UTF8 = "UTF8"
    HEX = "Hex"
    BASE64 = "Base64"
    PEM = "PEM"


class Layout(StrEnum):
    """How a signature header is laid out."""

    BARE = "Bare"
    KEY_VALUE = "KeyValue"
    VERSIONED = "Versioned"


class TimeUnit(StrEnum):
    """How the signed time is written."""

    SECONDS = "Seconds"
    MILLISECONDS = "Milliseconds"
    RFC3339 = "RFC3339"


class Timestamp(BaseModel):
    """Where the signed time is, and how far from now it may be."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    header: str | None = None
    """None: it is the element `timestamp_key` of the signature header."""
    unit: TimeUnit = TimeUnit.SECONDS
    tolerance: Millis | None = 300_000
    """None: signed, but of any age; only in documents that an older version has compiled."""


class SignatureScheme(BaseModel):
    """One way to sign; header names in lower case. The fields are those of kinds.endpoint."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    header: str
    prefix: str = ""
    layout: Layout = Layout.BARE
    signature_key: str = "v1"
    timestamp_key: str = "t"
    separator: str = ","
    algorithm: Algorithm = Algorithm.HMAC_SHA256
    encoding: Encoding = Encoding.HEX
    key_encoding: KeyEncoding = KeyEncoding.UTF8
    key_prefix: str = ""
    content: str = "{body}"
    id_header: str | None = None
    timestamp: Timestamp | None = None
