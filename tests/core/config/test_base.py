"""What holds for the config documents of all kinds."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from hookplane.config.base import Document, DocumentPart
from hookplane.errors import SecretUnreadable
from hookplane.sealing import Sealer
from hookplane.secret import Secret

SEALER = Sealer({"a": b"k" * 32}, "a")


class Part(DocumentPart):
    token: Secret
    size: int = 1


class Sample(Document):
    part: Part


SAMPLE = Sample(uid="u", namespace="shop", name="orders", part=Part(token=Secret("canary")))


def test_what_was_written_is_read_again() -> None:
    text = SAMPLE.dump(SEALER)
    assert b"canary" not in text
    assert Sample.load("u", text, SEALER) == SAMPLE
    assert SAMPLE.generation == 1


def test_a_document_of_another_object_cannot_be_opened() -> None:
    with pytest.raises(SecretUnreadable):
        Sample.load("other", SAMPLE.dump(SEALER), SEALER)


@pytest.mark.parametrize(
    ("old", "new"),
    [(b'"size":1', b'"size":"canary"'), (b'"name":"orders"', b'"name":["canary"]')],
    ids=["in a part", "in the document"],
)
def test_what_cannot_be_read_is_not_shown(old: bytes, new: bytes) -> None:
    text = SAMPLE.dump(SEALER)
    assert old in text
    with pytest.raises(ValidationError) as caught:
        Sample.load("u", text.replace(old, new), SEALER)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("old", [b'"size":1', b'"name":"orders"'])
def test_fields_of_a_later_version_are_refused(old: bytes) -> None:
    text = SAMPLE.dump(SEALER).replace(old, old + b',"later":1')
    with pytest.raises(ValidationError, match="later"):
        Sample.load("u", text, SEALER)


def test_documents_do_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        SAMPLE.name = "other"  # type: ignore[misc]
    with pytest.raises(ValidationError, match="frozen"):
        SAMPLE.part.size = 2  # type: ignore[misc]
