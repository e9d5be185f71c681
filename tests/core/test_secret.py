"""Secrets that never show themselves, alone and in models."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, ValidationError

from hookplane.errors import SecretUnreadable
from hookplane.sealing import Sealer
from hookplane.secret import SEALED_LATER, Secret

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
def test_nothing_is_opened_without_an_opener(
    sealer: Sealer, context: dict[str, str] | None
) -> None:
    with pytest.raises(ValidationError, match="a sealed secret needs an opener"):
        Holder.model_validate_json(sealed(sealer), context=context)


@pytest.mark.parametrize("context", [None, {}, {"secrets": "shown"}])
def test_it_is_dumped_for_whoever_seals_it_only(context: dict[str, str] | None) -> None:
    with pytest.raises(Exception, match="only by whoever seals it"):
        Holder(value=Secret(PLAIN)).model_dump(context=context)
    assert Holder(value=Secret(PLAIN)).model_dump(context=SEALED_LATER) == {"value": Secret(PLAIN)}


def test_no_dump_to_json_shows_it() -> None:
    for context in (None, SEALED_LATER):
        with pytest.raises(Exception, match=r"serialise|unknown type") as caught:
            Holder(value=Secret(PLAIN)).model_dump_json(context=context)
        assert PLAIN not in str(caught.value)


def test_opened(sealer: Sealer) -> None:
    context = {"opener": sealer, "aad": "uid-1"}
    opened = Holder.model_validate_json(sealed(sealer), context=context)
    assert opened.value.reveal() == PLAIN.encode()


def test_bound_to_its_object(sealer: Sealer) -> None:
    with pytest.raises(SecretUnreadable):
        Holder.model_validate_json(sealed(sealer), context={"opener": sealer, "aad": "uid-2"})


def test_a_plain_string_is_not_a_sealed_secret(sealer: Sealer) -> None:
    with pytest.raises((ValidationError, SecretUnreadable)):
        Holder.model_validate_json(
            f'{{"value":"{PLAIN}"}}', context={"opener": sealer, "aad": "uid-1"}
        )


@pytest.mark.parametrize("value", ["5", "null", "[]", "{}"])
def test_what_is_no_text_is_not_a_sealed_secret(value: str, sealer: Sealer) -> None:
    with pytest.raises(ValidationError, match="a sealed secret is a string"):
        Holder.model_validate_json(
            f'{{"value":{value}}}', context={"opener": sealer, "aad": "uid-1"}
        )


def sealed(sealer: Sealer) -> str:
    """A holder of it as JSON."""
    return f'{{"value":"{sealer.seal(PLAIN.encode(), "uid-1")}"}}'
