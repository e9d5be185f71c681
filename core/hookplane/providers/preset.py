"""What Hookplane knows of one provider, as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from hookplane.config.endpoint import Answer, Source
from hookplane.errors import InvalidValue
from hookplane.providers.extract import Extractor
from hookplane.providers.handshakes import Handshake
from hookplane.providers.sample_forms import Samples
from hookplane.secret import Secret
from hookplane.signatures.scheme import SignatureScheme
from hookplane.signatures.signing import GeneratedKind

STORED: Final = Answer()
NO_CONTENT: Final = Answer(status=204, body="")
EMPTY: Final = Answer(status=200, content_type="text/plain; charset=utf-8", body="")


@dataclass(frozen=True, slots=True)
class Variant:
    """One way in which a provider signs, chosen by how the key begins."""

    signature: SignatureScheme | None
    """None: only Generic, where the user says it."""
    dedup_key: Source | None
    key_prefix: str = ""
    """Keys of this variant begin so; the empty one is for all other keys and comes last."""
    repeats_identical: bool = False
    """A repeat has the same bytes, so another body under a known key is another event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """One provider. Compile copies these facts into the EndpointConfig."""

    name: str
    doc: str
    """One line for people: what the key is and where it is found."""
    variants: tuple[Variant, ...]
    event_type: Source
    handshake: str | None = None
    """Name of one of the known handshakes, mostly of `handshakes`."""
    answer: Answer = STORED
    answers: Mapping[str, Answer] = field(default_factory=dict)
    """Answers to events of certain types, before `answer`; dropped when the user sets one."""
    facts: tuple[str, ...] = ()
    """Headers that say what an event is, such as its type or shop, in lower case. They travel with
    the event to its targets; none of them may carry a credential."""
    stored: tuple[str, ...] = ()
    """Headers that are stored with an event besides, and do not travel, in lower case."""
    max_body_size: int = 1 << 20
    """Bytes; what the provider documents as the most that it sends, where it does."""
    generated_key: GeneratedKind | None = None
    """What is generated when no key is given; None: the key comes from the provider."""
    extractors: Mapping[str, Extractor] = field(default_factory=dict)
    """Functions that this preset brings for sources, by the name that documents carry."""
    handshakes: Mapping[str, Handshake] = field(default_factory=dict)
    """Handshakes that this preset brings, by the name that documents carry."""
    samples: Samples

    def variant(self, keys: Sequence[Secret] = ()) -> Variant:
        """The way of signing that the form of the keys tells. Raises InvalidValue when the keys
        are of different forms."""
        chosen = {self._of(key) for key in keys} or {len(self.variants) - 1}
        if len(chosen) > 1:
            forms = " and ".join(f'"{v.key_prefix}…"' for v in self.variants if v.key_prefix)
            raise InvalidValue(
                f"keys of one endpoint must be of one form: either all begin with {forms} or none"
            )
        return self.variants[chosen.pop()]

    def _of(self, key: Secret) -> int:
        text = key.reveal()
        return next(
            i for i, v in enumerate(self.variants) if text.startswith(v.key_prefix.encode())
        )
