"""A sealed secret opens in its field of its document, beside what was there when it was sealed."""

from __future__ import annotations

import base64
import itertools
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import ValidationError

from hookplane.config.base import Document
from hookplane.config.endpoint import ApiKey, Basic, ClientCertificate, EndpointConfig, Source
from hookplane.config.subscription import (
    HttpTargetConfig,
    OAuth2Config,
    RetryConfig,
    SubscriptionConfig,
    TLSConfig,
)
from hookplane.errors import InvalidValue, SecretUnreadable
from hookplane.sealing import NoKeys, Sealer
from hookplane.secret import Secret
from hookplane.signatures.signing import SigningConfig

KEY = b"k" * 32
SEALER = Sealer({"a": KEY}, "a")
SUBSCRIPTION = SubscriptionConfig(
    uid="uid-s",
    namespace="shop",
    name="orders",
    endpoints=("uid-e",),
    retry=RetryConfig(schedule=(1000,)),
    signing=SigningConfig(keys=(Secret("signing"), Secret("signing before"))),
    target=HttpTargetConfig(
        url=Secret("https://shop.example.com"),
        host="shop.example.com",
        headers=(("Authorization", Secret("Bearer t")), ("X-Key", Secret("header"))),
        oauth2=OAuth2Config(token_url="https://t", client_id="c", client_secret=Secret("client")),
        tls=TLSConfig(private_key=Secret("private")),
    ),
)
ENDPOINT = EndpointConfig(
    uid="uid-e",
    namespace="shop",
    name="orders",
    path="/shop/orders",
    provider="Generic",
    event_type=Source(value="x"),
    keys=(Secret("key"), Secret("key before")),
    parameters={"app": Secret("parameter")},
    api_key=ApiKey(header="x-api-key", keys=(Secret("api"),)),
    basic=Basic(username="u", passwords=(Secret("password"),)),
    bearer=(Secret("bearer"),),
    client_certificate=ClientCertificate(authorities=Secret("authorities")),
)
DOCUMENTS = [SUBSCRIPTION, ENDPOINT]
Path = tuple[str | int, ...]


def leaves(tree: Any, path: Path = ()) -> dict[Path, Any]:
    """Path → what is there."""
    if not isinstance(tree, dict | list):
        return {path: tree}
    items = tree.items() if isinstance(tree, dict) else enumerate(tree)
    return {k: v for at, inner in items for k, v in leaves(inner, (*path, at)).items()}


def is_sealed(value: Any) -> bool:
    return str(value).startswith("v1:a:")


def with_leaf(tree: Any, path: Path, value: Any) -> Any:
    copy = json.loads(json.dumps(tree))
    at = copy
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return copy


def as_the_version_before_sealed(document: Document) -> bytes:
    """With random nonces, bound to the object only."""
    tree = json.loads(document.dump(SEALER))
    for path, text in leaves(tree).items():
        if is_sealed(text):
            sealed = AESGCM(KEY).encrypt(
                b"n" * 12, SEALER.open(text, document.uid), document.uid.encode()
            )
            before = f"v1:a:{base64.b64encode(b'n' * 12 + sealed).decode()}"
            tree = with_leaf(tree, path, before)
    return json.dumps(tree).encode()


@pytest.mark.parametrize("document", DOCUMENTS)
def test_what_was_sealed_is_read_again(document: Document) -> None:
    assert type(document).load(document.uid, document.dump(SEALER), SEALER) == document


@pytest.mark.parametrize("document", DOCUMENTS)
def test_no_two_secrets_of_a_document_can_change_places(document: Document) -> None:
    tree = json.loads(document.dump(SEALER))
    sealed = {path: text for path, text in leaves(tree).items() if is_sealed(text)}
    assert len(sealed) == 7
    for (one, text), (other, moved) in itertools.permutations(sealed.items(), 2):
        exchanged = with_leaf(with_leaf(tree, one, moved), other, text)
        for changed in (exchanged, with_leaf(tree, one, moved)):
            with pytest.raises(SecretUnreadable, match="sealed for elsewhere"):
                type(document).load(document.uid, json.dumps(changed).encode(), SEALER)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_nothing_opens_beside_what_it_was_not_sealed_with(document: Document) -> None:
    tree = json.loads(document.dump(SEALER))
    for path in (x for x, value in leaves(tree).items() if type(value) is str):
        if path != ("uid",) and not is_sealed(leaves(tree)[path]):
            changed = with_leaf(tree, path, f"{leaves(tree)[path]}x")
            with pytest.raises((SecretUnreadable, ValidationError), match=r"elsewhere|type=enum"):
                type(document).load(document.uid, json.dumps(changed).encode(), SEALER)


def test_a_sealed_text_in_a_plain_field_opens_nothing() -> None:
    tree = json.loads(ENDPOINT.dump(SEALER))
    shown = with_leaf(tree, ("answer", "body"), tree["keys"][0])
    with pytest.raises(SecretUnreadable, match="sealed for elsewhere"):
        EndpointConfig.load("uid-e", json.dumps(shown).encode(), SEALER)


def test_a_secret_of_another_object_does_not_open() -> None:
    other = SUBSCRIPTION.model_copy(update={"uid": "uid-o"})
    text = json.loads(other.dump(SEALER))["target"]["url"]
    tree = with_leaf(json.loads(SUBSCRIPTION.dump(SEALER)), ("target", "url"), text)
    with pytest.raises(SecretUnreadable, match="does not open"):
        SubscriptionConfig.load("uid-s", json.dumps(tree).encode(), SEALER)


def test_a_number_that_no_document_has_is_told_as_that() -> None:
    data = SUBSCRIPTION.dump(SEALER).replace(b'"generation":1', b'"generation":1' + b"0" * 30)
    with pytest.raises(InvalidValue, match="something that none has"):
        SubscriptionConfig.load("uid-s", data, SEALER)


def test_the_order_of_fields_says_nothing() -> None:
    tree = json.loads(ENDPOINT.dump(SEALER))
    turned = dict(reversed(tree.items()))
    assert EndpointConfig.load("uid-e", json.dumps(turned).encode(), SEALER) == ENDPOINT


@pytest.mark.parametrize("document", DOCUMENTS)
def test_documents_of_the_version_before_are_read(document: Document) -> None:
    before = as_the_version_before_sealed(document)
    assert type(document).load(document.uid, before, SEALER) == document


@pytest.mark.parametrize("document", DOCUMENTS)
def test_all_but_the_secrets_is_read_without_keys(document: Document) -> None:
    read = type(document).load(document.uid, document.dump(SEALER), NoKeys())
    assert (read.uid, read.name) == (document.uid, document.name)


def test_the_last_of_two_fields_of_one_name_counts_for_both_readers() -> None:
    """Or something could be checked that is not what is used."""
    text = ENDPOINT.dump(SEALER)
    twice = text[:-1] + b',"path":"/evil/path"}'
    with pytest.raises(SecretUnreadable, match="sealed for elsewhere"):
        EndpointConfig.load("uid-e", twice, SEALER)
