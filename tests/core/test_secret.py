from __future__ import annotations

import pytest
from pydantic import BaseModel, ValidationError

from hookplane.errors import InvalidValue, SecretUnreadable
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


def test_an_old_key_still_opens_and_a_new_one_seals() -> None:
    old = Sealer({"a": b"k" * 32}, "a").seal(b"x", "uid")
    both = Sealer({"a": b"k" * 32, "b": b"n" * 32}, "b")
    assert both.open(old, "uid") == b"x"
    assert both.seal(b"x", "uid").startswith("v1:b:")


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:-4] + "AAAA",  # tag changed
        lambda text: text.replace("v1:a:", "v1:z:"),  # unknown key
        lambda text: text.replace("v1:", "v9:"),  # unknown version
        lambda text: "v1:a:!!!",  # not base64
        lambda text: "v1:a:",  # nothing
    ],
)
def test_what_was_changed_does_not_open(sealer: Sealer, damage: object) -> None:
    assert callable(damage)
    with pytest.raises(SecretUnreadable):
        sealer.open(damage(sealer.seal(b"x", "uid")), "uid")


def test_keys_have_32_bytes() -> None:
    with pytest.raises(InvalidValue):
        Sealer({"a": b"short"}, "a")
