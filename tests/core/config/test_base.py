"""What holds for the config documents of all kinds."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from pydantic import BaseModel, ValidationError

from hookplane.config.base import Document, DocumentPart
from hookplane.config.endpoint import EndpointConfig
from hookplane.config.subscription import SubscriptionConfig
from hookplane.errors import InvalidValue, SecretUnreadable
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


def test_a_document_that_says_it_is_another_s_is_refused() -> None:
    text = Sample.model_construct(**{**SAMPLE.__dict__, "uid": "other"}).dump(SEALER)
    text = text.replace(b'"uid":"other"', b'"uid":"u"')
    with pytest.raises(InvalidValue, match='the document of "other" says that it is of "u"'):
        Sample.load("other", text, SEALER)


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


def kinds_in(*roots: type) -> list[Any]:
    """These types, and all that their fields may hold."""
    found: list[Any] = []
    left: list[Any] = list(roots)
    while left:
        kind = left.pop()
        left += get_args(kind)
        if isinstance(kind, type) and kind not in found:
            found.append(kind)
            if issubclass(kind, BaseModel):
                left += [info.annotation for info in kind.model_fields.values()]
    return found


MODELS = [x for x in kinds_in(EndpointConfig, SubscriptionConfig) if issubclass(x, BaseModel)]


@pytest.mark.parametrize("model", MODELS)
def test_no_part_of_a_document_changes_takes_other_fields_or_shows_secrets(
    model: type[BaseModel],
) -> None:
    config = model.model_config
    assert (config["frozen"], config["extra"]) == (True, "forbid")
    assert Secret not in kinds_in(model) or config["hide_input_in_errors"]
