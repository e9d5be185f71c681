"""Why requests are refused: the one list of reasons."""

from __future__ import annotations

from enum import StrEnum


class RejectReason(StrEnum):
    """Why a request was not accepted; label of a metric and key in status."""

    SOURCE = "SourceNotAllowed"
    SIZE = "TooLarge"
    RATE = "RateLimited"
    SIGNATURE = "SignatureMismatch"
    SIGNATURE_MISSING = "SignatureMissing"
    TIMESTAMP = "TimestampOutOfTolerance"
    API_KEY = "ApiKeyMismatch"
    BASIC = "BasicMismatch"
    BEARER = "BearerMismatch"
    CLIENT_CERTIFICATE = "ClientCertificateMismatch"
    HANDSHAKE = "HandshakeRefused"
    MALFORMED = "Malformed"
    METHOD = "MethodNotAllowed"
    NOT_READY = "NotReady"
    SUSPENDED = "Suspended"
    STORE = "StoreUnavailable"
    EVENTS_QUOTA = "EventsQuotaExceeded"
    STORAGE_QUOTA = "StorageQuotaExceeded"
