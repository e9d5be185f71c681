"""Access tokens by client credentials (RFC 6749 §4.4), fetched through the egress client."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote_plus, urlencode

from hookplane.clock import Clock, Millis
from hookplane.config.subscription import OAuth2Config
from hookplane.errors import HookplaneError
from hookplane.secret import Secret
from hookplane_dispatcher.egress.client import EgressClient, OutboundRequest, OutboundResponse

RENEW_SECONDS: Final = 60
"""A token is not used in its last seconds, so that it does not end on its way."""
DEFAULT_LIFE_SECONDS: Final = 300
"""Where the answer does not say (RFC 6749 §5.1 only recommends it)."""
MAX_LIFE_SECONDS: Final = 86_400
MAX_TOKENS: Final = 1024
"""The one used longest ago goes first."""
_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/-]{1,8192}=*")
"""RFC 6750 §2.1; nothing that could end a header."""
_ERROR_CODE: Final = re.compile(r"[a-z_]{1,64}")


class NoToken(HookplaneError):
    """No access token could be had; for people, without address or anything secret. Attempts
    that it ends carry EgressError.TOKEN."""


@dataclass(frozen=True, slots=True)
class Token:
    """An access token and how long it is good for."""

    value: Secret
    life_seconds: int


@dataclass(slots=True)
class _Slot:
    """The token of one config, and the lock that lets only one fetch run."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    header: str = ""
    ends: float = 0
    """Monotonic seconds."""


class TokenSource:
    """Tokens, fetched once and kept until they are about to end."""

    def __init__(self, egress: EgressClient, clock: Clock) -> None:
        self._egress = egress
        self._clock = clock
        self._slots: OrderedDict[OAuth2Config, _Slot] = OrderedDict()

    async def header(self, config: OAuth2Config, timeout: Millis, namespace: str) -> str:
        """The value of `Authorization`, for a delivery of this namespace. Raises NoToken. `timeout`
        also bounds the wait for a fetch that another delivery began."""
        slot = self._slot(config)
        if self._good(slot):
            return slot.header
        try:
            async with asyncio.timeout(timeout / 1000), slot.lock:
                if not self._good(slot):
                    await self._fetch(slot, config, timeout, namespace)
                return slot.header
        except TimeoutError:
            raise NoToken("the token endpoint timed out") from None

    def rejected(self, config: OAuth2Config, header: str) -> None:
        """A target answered 401 to this value: the next delivery fetches a new token, once however
        many deliveries were refused with the old one."""
        slot = self._slots.get(config)
        if slot is not None and slot.header == header:
            slot.header = ""

    def _slot(self, config: OAuth2Config) -> _Slot:
        slot = self._slots.setdefault(config, _Slot())
        self._slots.move_to_end(config)
        if len(self._slots) > MAX_TOKENS:
            self._slots.popitem(last=False)
        return slot

    def _good(self, slot: _Slot) -> bool:
        return bool(slot.header) and self._clock.monotonic() < slot.ends

    async def _fetch(
        self, slot: _Slot, config: OAuth2Config, timeout: Millis, namespace: str
    ) -> None:
        started = self._clock.monotonic()
        token = read_token(await self._egress.post(token_request(config, timeout, namespace)))
        slot.header = "Bearer " + token.value.reveal().decode()
        slot.ends = started + max(token.life_seconds - RENEW_SECONDS, token.life_seconds // 2)


def token_request(config: OAuth2Config, timeout: Millis, namespace: str) -> OutboundRequest:
    """The client authenticates with `client_secret_basic` (RFC 6749 §2.3.1)."""
    user = quote_plus(config.client_id)
    password = quote_plus(config.client_secret.reveal())
    form = {"grant_type": "client_credentials"}
    if config.scopes:
        form["scope"] = " ".join(config.scopes)
    headers = (
        ("authorization", "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()),
        ("content-type", "application/x-www-form-urlencoded"),
        ("accept", "application/json"),
    )
    body = urlencode(form).encode()
    return OutboundRequest(Secret(config.token_url), headers, body, timeout, namespace=namespace)


def read_token(response: OutboundResponse) -> Token:
    """RFC 6749 §5. Raises NoToken with what people need to mend it."""
    if response.error is not None:
        raise NoToken(f"the token endpoint: {response.error}")
    answer = _object(response.body)
    if response.status_code != 200:
        raise NoToken(f"the token endpoint answered {response.status_code}{_error_code(answer)}")
    value = answer.get("access_token")
    if not isinstance(value, str) or not _TOKEN.fullmatch(value):
        raise NoToken("the token endpoint's answer has no access_token")
    if str(answer.get("token_type", "Bearer")).lower() != "bearer":
        raise NoToken("the token endpoint gives tokens of another type than Bearer")
    return Token(Secret(value), _life(answer.get("expires_in")))


def _object(body: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}


def _error_code(answer: dict[str, Any]) -> str:
    """`invalid_client` and the like, if it is one."""
    code = answer.get("error")
    return f": {code}" if isinstance(code, str) and _ERROR_CODE.fullmatch(code) else ""


def _life(seconds: Any) -> int:
    """Some servers send the number as text."""
    text = str(seconds)
    if text.isascii() and text.isdigit() and len(text) < 10:
        return min(int(text), MAX_LIFE_SECONDS)
    return DEFAULT_LIFE_SECONDS
