"""Sealed texts: which keys open them, and what opens not at all."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hookplane.errors import InvalidValue, SecretUnreadable
from hookplane.sealing import Sealer


@pytest.fixture
def sealer() -> Sealer:
    return Sealer({"a": b"k" * 32}, "a")


def test_an_old_key_still_opens_and_a_new_one_seals() -> None:
    old = Sealer({"a": b"k" * 32}, "a").seal(b"x", "uid")
    both = Sealer({"a": b"k" * 32, "b": b"n" * 32}, "b")
    assert both.open(old, "uid") == b"x"
    assert both.seal(b"x", "uid").startswith("v1:b:")


def test_texts_that_were_sealed_by_earlier_versions_open(sealer: Sealer) -> None:
    sealed = "v1:a:bm5ubm5ubm5ubm5u4EIl8y0M8Pb/W0V5co2QH40="
    assert sealer.open(sealed, "uid-1") == b"x"
    assert not sealer.check_place(sealed, b"x", "uid-1", b"wherever")


def test_the_version_before_opens_what_is_sealed_for_a_place(sealer: Sealer) -> None:
    """It knows the key's id, a nonce of 12 bytes, and the uid as associated data."""
    version, key_id, payload = sealer.seal(b"x", "uid-1", b"place").split(":")
    raw = base64.b64decode(payload)
    assert (version, key_id) == ("v1", "a")
    assert AESGCM(b"k" * 32).decrypt(raw[:12], raw[12:], b"uid-1") == b"x"


def test_a_text_is_bound_to_its_place(sealer: Sealer) -> None:
    text = sealer.seal(b"x", "uid-1", b"place")
    assert sealer.open(text, "uid-1") == b"x"
    assert sealer.check_place(text, b"x", "uid-1", b"place")
    with pytest.raises(SecretUnreadable, match="sealed for elsewhere"):
        sealer.check_place(text, b"x", "uid-1", b"another")


def test_no_two_nonces_are_alike(sealer: Sealer) -> None:
    """But for the same content in the same place, where the whole texts are."""
    sealed = [
        base64.b64decode(sealer.seal(plain, aad, place).split(":")[2])[:12]
        for plain in (b"x", b"xy", b"")
        for aad in ("uid-1", "uid-1x")
        for place in (b"", b"x", b"1")
    ]
    halves = {half for nonce in sealed for half in (nonce[:6], nonce[6:])}
    assert len(halves) == 2 * len(sealed)
    assert sealer.seal(b"x", "uid-1", b"p") == sealer.seal(b"x", "uid-1", b"p")


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


def test_the_current_key_must_be_there() -> None:
    with pytest.raises(InvalidValue):
        Sealer({"a": b"k" * 32}, "b")


def test_a_text_opens_for_its_object_only(sealer: Sealer) -> None:
    sealed = sealer.seal(b"x", "uid-1")
    assert sealer.open(sealed, "uid-1") == b"x"
    with pytest.raises(SecretUnreadable, match='key "a"'):
        sealer.open(sealed, "uid-2")


def test_a_document_with_an_older_key_in_it_is_stale() -> None:
    keys = {"a": b"k" * 32, "b": b"n" * 32}
    old, new = Sealer(keys, "a").seal(b"x", "uid"), Sealer(keys, "b").seal(b"x", "uid")
    current = Sealer(keys, "b")
    assert current.is_stale(f'{{"x":"{new}","y":"{old}"}}'.encode())
    assert not current.is_stale(f'{{"x":"{new}","y":"text"}}'.encode())
    assert not current.is_stale(b"{}")
