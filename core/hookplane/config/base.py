"""What all config documents share: how they are written and read, and rates."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict

from hookplane.config import sealed
from hookplane.errors import InvalidValue
from hookplane.sealing import Opener, Sealer
from hookplane.secret import SEALED_LATER


class Document(BaseModel):
    """The config document of one object. Secrets inside are sealed and bound to the object, to
    their field and to the rest of the document."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    uid: str
    """Identity: the object's uid in a cluster, `<plural>/<namespace>/<name>` on a laptop."""
    namespace: str
    name: str
    generation: int = 1

    def dump(self, sealer: Sealer) -> bytes:
        """The document as JSON with sealed secrets."""
        return sealed.seal(self.model_dump(context=SEALED_LATER), self.uid, sealer)

    @classmethod
    def load(cls, uid: str, data: bytes, sealer: Opener) -> Self:
        """Reads what `dump` wrote for the object with this uid. Raises pydantic.ValidationError,
        SecretUnreadable, and InvalidValue if it says that it is another's."""
        reading = sealed.Reading(sealer)
        document = cls.model_validate_json(data, context={"opener": reading, "aad": uid})
        if document.uid != uid:
            raise InvalidValue(f'the document of "{uid}" says that it is of "{document.uid}"')
        reading.check(data, uid)
        return document


class DocumentPart(BaseModel):
    """Base of the models inside a document."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class RateLimit(DocumentPart):
    """A rate as a token bucket: `tokens` are added in `per` milliseconds, at most `burst` are
    kept."""

    tokens: int
    per: int
    burst: int
