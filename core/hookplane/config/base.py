"""What all config documents share, and how they are written to and read from the store."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict

from hookplane.sealing import Sealer


class Document(BaseModel):
    """A frozen document. Secrets inside are sealed with the object's uid as associated data."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    uid: str
    """Identity: the object's uid in a cluster, `<plural>/<namespace>/<name>` on a laptop."""
    namespace: str
    name: str
    generation: int = 1

    def dump(self, sealer: Sealer) -> bytes:
        """JSON with sealed secrets."""
        return self.model_dump_json(context={"sealer": sealer, "aad": self.uid}).encode()

    @classmethod
    def load(cls, uid: str, data: bytes, sealer: Sealer) -> Self:
        """Reads `dump`'s form. Raises pydantic.ValidationError or SecretUnreadable."""
        return cls.model_validate_json(data, context={"sealer": sealer, "aad": uid})


class DocumentPart(BaseModel):
    """A part of a document."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class RateLimit(DocumentPart):
    """A token bucket: `tokens` are added over `per` milliseconds, at most `burst` are kept."""

    tokens: int
    per: int
    burst: int
