"""Sends sample events to a receiver over HTTP, as the provider would."""

from __future__ import annotations

import base64
import re
from typing import Final

import aiohttp

from hookplane.clock import Clock
from hookplane.config.endpoint import EndpointConfig
from hookplane.errors import InvalidValue
from hookplane.providers.sample_forms import Headers
from hookplane.providers.samples import Sample, sample
from hookplane.signatures.request import sign_request
from hookplane.signatures.scheme import Algorithm
from hookplane_cli.wished_sample import wished
from hookplane_console.trigger import SampleWish, TriggerRefused, TriggerResult

TIMEOUT_SECONDS: Final = 20.0
MAX_ANSWER_BYTES: Final = 64 * 1024
SHOWN_CHARACTERS: Final = 500
_PUBLIC_KEY: Final = frozenset(
    {Algorithm.ED25519, Algorithm.ECDSA_P256_SHA256, Algorithm.RSA_SHA256}
)
_EVENT_ID: Final = re.compile(r"evt_[0-9a-z]{26}")


class TriggerRequest:
    """Implements `hookplane_console.trigger.Trigger`."""

    def __init__(self, receiver_url: str, clock: Clock) -> None:
        """`receiver_url`: as `Receiver.start` returned it."""
        self._receiver_url = receiver_url
        self._clock = clock

    async def __call__(self, endpoint: EndpointConfig, wish: SampleWish) -> TriggerResult:
        """Raises TriggerRefused when no sample can be made or the receiver does not answer."""
        url = self._receiver_url + endpoint.path
        made, headers = signed_sample(endpoint, wish, url, self._clock.now())
        try:
            status, body = await _post(url, headers, made.body)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise TriggerRefused(f"the receiver does not answer at {url}") from error
        except ValueError as error:
            raise TriggerRefused("one of the endpoint's keys is no text for a header") from error
        text = body.decode("utf-8", "replace")
        found = _EVENT_ID.search(text)
        return TriggerResult(
            made.type, status, text[:SHOWN_CHARACTERS], found.group() if found else ""
        )


def signed_sample(
    endpoint: EndpointConfig, wish: SampleWish, url: str, now: int
) -> tuple[Sample, Headers]:
    """A sample with every header that the endpoint wants to see. Raises TriggerRefused."""
    if endpoint.client_certificate is not None:
        raise TriggerRefused(
            f"{endpoint.name} demands a client certificate, and its key is the sender's alone"
        )
    try:
        made = wished(endpoint, wish, sample(endpoint.provider, wish.type or "", now))
        signature = _signature(endpoint, made, url, now)
    except InvalidValue as error:
        raise TriggerRefused(str(error)) from error
    headers = {**dict(_sources(endpoint, made)), **dict(made.headers), **dict(signature)}
    headers |= _key_header(endpoint, wish)
    return made, tuple({**headers, **dict(_credentials(endpoint)), **dict(wish.headers)}.items())


def _key_header(endpoint: EndpointConfig, wish: SampleWish) -> dict[str, str]:
    source = endpoint.event_key
    if wish.key is None or source is None or source.header is None:
        return {}
    return {source.header: wish.key}


def _signature(endpoint: EndpointConfig, made: Sample, url: str, now: int) -> Headers:
    scheme = endpoint.signature
    if scheme is None:
        return ()
    if scheme.algorithm in _PUBLIC_KEY:
        raise TriggerRefused(
            f"{endpoint.provider} signs with a private key that only the sender has; the endpoint "
            "knows the public one, which cannot sign. Send from the provider's own page instead"
        )
    if not endpoint.keys:
        raise TriggerRefused(endpoint.not_ready or "the endpoint has no key to sign with")
    return tuple(
        sign_request(
            scheme,
            endpoint.keys[0],
            method="POST",
            url=endpoint.public_url or url,
            body=made.body,
            id=made.id,
            now=now,
        )
    )


def _sources(endpoint: EndpointConfig, made: Sample) -> Headers:
    """Headers in which a Generic endpoint looks for the type and the key of an event."""
    wanted = ((endpoint.event_type, made.type), (endpoint.dedup_key, made.id))
    return tuple((source.header, value) for source, value in wanted if source and source.header)


def _credentials(endpoint: EndpointConfig) -> Headers:
    headers: list[tuple[str, str]] = []
    if endpoint.api_key is not None:
        headers.append((endpoint.api_key.header, _text(endpoint.api_key.keys[0].reveal())))
    if endpoint.basic is not None:
        pair = endpoint.basic.username.encode() + b":" + endpoint.basic.passwords[0].reveal()
        headers.append(("authorization", "Basic " + base64.b64encode(pair).decode()))
    elif endpoint.bearer:
        headers.append(("authorization", "Bearer " + _text(endpoint.bearer[0].reveal())))
    return tuple(headers)


def _text(key: bytes) -> str:
    return key.decode("utf-8", "surrogateescape").strip()


async def _post(url: str, headers: Headers, body: bytes) -> tuple[int, bytes]:
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
    async with (
        aiohttp.ClientSession(timeout=timeout, trust_env=False) as session,
        session.post(url, data=body, headers=list(headers), allow_redirects=False) as answer,
    ):
        return answer.status, await answer.content.read(MAX_ANSWER_BYTES)
