"""What all config documents share: how they are written and read, and rates."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict

from hookplane.sealing import Opener, Sealer


class Document(BaseModel):
    """The config document of one object. Secrets inside are sealed and bound to the object's
    uid."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    uid: str
    """Identity: the object's uid in a cluster, `<plural>/<namespace>/<name>` on a laptop."""
    namespace: str
    name: str
    generation: int = 1

    def dump(self, sealer: Sealer) -> bytes:
        """The document as JSON with sealed secrets."""
        return self.model_dump_json(context={"sealer": sealer, "aad": self.uid}).encode()

    @classmethod
    def load(cls, uid: str, data: bytes, sealer: Opener) -> Self:
        """Reads what `dump` wrote. Raises pydantic.ValidationError or SecretUnreadable."""
        return cls.model_validate_json(data, context={"sealer": sealer, "aad": uid})


class DocumentPart(BaseModel):
    """Base of the models inside a document."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class RateLimit(DocumentPart):
    """A rate as a token bucket: `tokens` are added in `per` milliseconds, at most `burst` are
    kept."""

    tokens: int
    per: int
    burst: int
