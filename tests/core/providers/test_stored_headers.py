"""Which headers are stored with an event: those that somebody has named."""

from __future__ import annotations

import pytest

from hookplane.config.endpoint import ApiKey, EndpointConfig, Source
from hookplane.network.headers import CONNECTION_HEADERS
from hookplane.providers.registry import FACTS, PRESETS
from hookplane.providers.stored_headers import GENERAL, stored_headers
from hookplane.secret import Secret
from hookplane.signatures.scheme import SignatureScheme

UNNAMED = """
x-partner x-access-code x-accesscode x-passkey x-userkey x-appkey x-sharedkey x-license
x-licence-code x-private x-authcode x-authn x-login x-user x-pw x-pincode x-magic-link x-client-id
x-client-cert x-forwarded-client-cert x-ssl-client-cert x-seal x-crumb x-nonce x-verify
x-verification-code x-security-code x-hash x-mac dpop
"""
"""Names as credentials have them, without a word by which they could be told from others."""
OPEN_DOORS = """
authorization proxy-authorization cookie set-cookie x-api-key x-gitlab-token x-hub-signature
x-telegram-bot-api-secret-token x-hub-signature-256 stripe-signature x-shopify-hmac-sha256
x-forwarded-access-token x-auth-password x-amz-security-token x-session-id www-authenticate x-auth
x-access-key x-bearer x-jwt x-partner_key x-sig x-api.keys x-csrf x-pwd x-passphrase x-gateway-sid
x-sso x-otp key auth x-sso-ticket
"""
FOUND_AGAIN = """
content-type content-encoding content-language content-digest user-agent date x-request-id
request-id x-correlation-id traceparent tracestate idempotency-key x-idempotency-key x-event-key
x-github-event x-github-delivery x-shopify-topic
"""


def endpoint(provider: str = "Generic", **axes: object) -> EndpointConfig:
    fields = {"event_type": Source(value="x"), **axes}
    about = {"uid": "u", "namespace": "n", "name": "e", "path": "/n/e", "provider": provider}
    return EndpointConfig.model_validate({**about, **fields})


def kept(config: EndpointConfig, *names: str) -> list[str]:
    headers = tuple((name, "x") for name in names)
    return [name for name, _ in stored_headers(config).of(headers)]


def test_of_thirty_names_that_nobody_has_named_none_is_stored() -> None:
    names = UNNAMED.split()
    assert len(names) == 30
    for provider in PRESETS:
        assert kept(endpoint(provider), *names) == []


@pytest.mark.parametrize("name", [*OPEN_DOORS.split(), *sorted(CONNECTION_HEADERS)])
def test_what_opens_doors_is_not_stored_whoever_names_it(name: str) -> None:
    assert kept(endpoint(store_headers=(name,)), name) == []
    assert stored_headers(endpoint()).refusal(name)


@pytest.mark.parametrize("name", FOUND_AGAIN.split())
def test_what_says_something_is_stored(name: str) -> None:
    assert kept(endpoint(), name) == [name]


@pytest.mark.parametrize("name", sorted({*GENERAL, *FACTS}))
def test_what_every_endpoint_stores_is_no_credential(name: str) -> None:
    assert name == name.lower()
    assert kept(endpoint(), name) == [name]


@pytest.mark.parametrize("provider", sorted(PRESETS))
def test_all_of_a_preset_is_stored(provider: str) -> None:
    preset = PRESETS[provider]
    for variant in preset.variants:
        scheme, key = variant.signature, variant.dedup_key
        config = endpoint(provider, signature=scheme, event_type=preset.event_type, dedup_key=key)
        names = [*preset.facts, *preset.stored]
        if scheme is not None:
            time = scheme.timestamp.header if scheme.timestamp else None
            names += [x for x in (scheme.id_header, time) if x and "signature" not in x]
            assert kept(config, scheme.header) == []
        assert kept(config, *names) == names


def test_names_of_the_spec_are_stored_and_those_beside_are_not() -> None:
    config = endpoint(store_headers=("x-tenant", "x-region"))
    assert kept(config, "x-tenant", "x-tenants", "x-region") == ["x-tenant", "x-region"]


def test_a_header_that_came_twice_is_stored_twice() -> None:
    both = (("x-tenant", "a"), ("x-tenant", "b"))
    assert stored_headers(endpoint(store_headers=("x-tenant",))).of(both) == both


def test_what_events_are_read_from_is_stored_unless_it_is_surely_a_credential() -> None:
    parts = (Source(header="x-sequence"), Source(body_path="id"))
    config = endpoint(
        event_type=Source(header="x-routing-key"),
        dedup_key=Source(parts=parts),
        event_key=Source(header="x-token"),
    )
    asked = ("x-routing-key", "x-sequence", "x-token", "x-other-key")
    assert kept(config, *asked) == ["x-routing-key", "x-sequence"]


def test_what_requests_are_verified_by_is_not_stored() -> None:
    config = endpoint(
        signature=SignatureScheme(header="x-erp-check"),
        api_key=ApiKey(header="ce-pass", keys=(Secret("k"),)),
        event_type=Source(header="x-erp-check"),
        store_headers=("x-erp-check", "ce-pass"),
    )
    assert kept(config, "x-erp-check", "ce-pass") == []
    assert "verified" in stored_headers(config).refusal("x-erp-check")


def test_attributes_of_a_cloud_event_are_stored_but_no_credential_among_them() -> None:
    names = ("ce-id", "ce-partitionkey", "ce-tenant", "ce-token", "ce-auth")
    assert kept(endpoint(), *names) == ["ce-id", "ce-partitionkey", "ce-tenant"]


def test_an_extractor_that_is_not_known_here_adds_nothing() -> None:
    config = endpoint("New", event_type=Source(extractor="new_type"))
    assert kept(config, "x-new-event", "content-type") == ["content-type"]
