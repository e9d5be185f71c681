"""Secrets that never show themselves, alone and in models."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, ValidationError

from hookplane.errors import SecretUnreadable
from hookplane.sealing import Sealer
from hookplane.secret import Secret

PLAIN = "tr0ub4dor-canary"


class Holder(BaseModel):
    value: Secret


@pytest.fixture
def sealer() -> Sealer:
    return Sealer({"a": b"k" * 32}, "a")


def test_it_never_shows_itself() -> None:
    secret = Secret(PLAIN)
    shown = f"{secret} {secret!r} {secret:>10} {[secret]} {Holder(value=secret)!r}"
    assert PLAIN not in shown
    assert "***" in shown


@pytest.mark.parametrize(("value", "truth"), [(b"", False), (b" \n", False), (b"x", True)])
def test_blank_is_no_secret(value: bytes, truth: bool) -> None:
    assert bool(Secret(value)) is truth


def test_it_equals_only_a_secret_of_the_same_value() -> None:
    assert Secret(PLAIN) == Secret(PLAIN.encode())
    assert Secret(PLAIN) != Secret("another")
    assert Secret(PLAIN) != PLAIN


@pytest.mark.parametrize("context", [None, {}, {"aad": "uid-1"}])
def test_nothing_is_opened_without_a_sealer(sealer: Sealer, context: dict[str, str] | None) -> None:
    text = Holder(value=Secret(PLAIN)).model_dump_json(context={"sealer": sealer, "aad": "uid-1"})
    with pytest.raises(ValidationError, match="a sealed secret needs a sealer"):
        Holder.model_validate_json(text, context=context)


def test_a_dump_without_sealer_fails() -> None:
    with pytest.raises(Exception, match="sealer"):
        Holder(value=Secret(PLAIN)).model_dump_json()


def test_sealed_and_opened(sealer: Sealer) -> None:
    context = {"sealer": sealer, "aad": "uid-1"}
    text = Holder(value=Secret(PLAIN)).model_dump_json(context=context)
    assert PLAIN not in text
    assert Holder.model_validate_json(text, context=context).value.reveal() == PLAIN.encode()


def test_bound_to_its_object(sealer: Sealer) -> None:
    text = Holder(value=Secret(PLAIN)).model_dump_json(context={"sealer": sealer, "aad": "uid-1"})
    with pytest.raises(SecretUnreadable):
        Holder.model_validate_json(text, context={"sealer": sealer, "aad": "uid-2"})


def test_a_plain_string_is_not_a_sealed_secret(sealer: Sealer) -> None:
    with pytest.raises((ValidationError, SecretUnreadable)):
        Holder.model_validate_json(
            f'{{"value":"{PLAIN}"}}', context={"sealer": sealer, "aad": "uid-1"}
        )


@pytest.mark.parametrize("value", ["5", "null", "[]", "{}"])
def test_what_is_no_text_is_not_a_sealed_secret(value: str, sealer: Sealer) -> None:
    with pytest.raises(ValidationError, match="a sealed secret is a string"):
        Holder.model_validate_json(
            f'{{"value":{value}}}', context={"sealer": sealer, "aad": "uid-1"}
        )
