"""What goes to a URL, and an access token's part of the time and of the blame."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from hookplane.config.subscription import HttpTargetConfig, OAuth2Config
from hookplane.evaluation.pool import EvaluationPool
from hookplane.filters.event import EventView
from hookplane.secret import Secret
from hookplane.signatures.signing import CustomFormat, SigningConfig, SigningScheme
from hookplane_dispatcher.egress.client import EgressError, OutboundRequest, OutboundResponse
from hookplane_dispatcher.transports.http.target import HttpTransport
from hookplane_dispatcher.transports.transport import Outcome, OutcomeKind, Send
from support.clocks.manual import ManualClock
from support.planes.dispatcher import subscription

TARGET, TOKENS = "https://shop.example.com/hook", "https://login.example.com/token"
EVENT = EventView("evt_1", "t", "orders", "shop", 1_800_000_000_000, (("x-other", "1"),), b"{}")
UNSIGNED = SigningConfig(scheme=SigningScheme.NONE)
OAUTH2 = OAuth2Config(token_url=TOKENS, client_id="me", client_secret=Secret("s3cret"))


class Network:
    """Answers by URL; each answer takes `millis`."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.millis = {TARGET: 0, TOKENS: 0}
        self.status = {TARGET: 200, TOKENS: 200}
        self.requests: list[OutboundRequest] = []
        self.fault: Exception | None = None
        self.answer = b"answered"
        """Empty: it echoes the headers of the request."""
        self._tokens = 0

    async def post(self, request: OutboundRequest) -> OutboundResponse:
        url = request.url.reveal().decode()
        self.requests.append(request)
        if self.fault is not None:
            raise self.fault
        self.clock.advance(self.millis[url])
        body = self.answer or repr(request.headers).encode()
        if url == TOKENS:
            self._tokens += 1
            body = json.dumps({"access_token": f"t{self._tokens}", "expires_in": 3600}).encode()
        return OutboundResponse(self.status[url], self.millis[url], body)

    async def close(self) -> None:
        """Nothing is open."""

    def to(self, url: str) -> list[OutboundRequest]:
        return [x for x in self.requests if x.url.reveal().decode() == url]

    def sender(
        self, event: EventView = EVENT, signing: SigningConfig = UNSIGNED, **fields: Any
    ) -> Callable[[], Outcome]:
        """Sends the event once."""
        given = {"url": Secret(TARGET), "host": "shop.example.com", "timeout": 10_000}
        target = HttpTransport(self, self.clock).target(
            subscription(target=HttpTargetConfig(**(given | fields)), signing=signing),
            EvaluationPool(),
        )

        def send() -> Outcome:
            return asyncio.run(_finished(target.prepare(event, self.clock.now())))

        return send


async def _finished(prepared: Awaitable[Send]) -> Outcome:
    send = await prepared
    return await send()


def values(request: OutboundRequest, name: str) -> list[str]:
    return [value for key, value in request.headers if key == name]


def test_headers_of_the_target_win_over_ours_and_the_others_stay() -> None:
    network = Network()
    own = (("X-Other", Secret("mine")), ("X-Source", Secret("chat")))
    network.sender(headers=own, forward_headers=("x-other",))()
    network.sender(forward_headers=("x-other",))()
    with_own, without = network.requests
    assert values(with_own, "x-other") == ["mine"]
    assert values(with_own, "x-source") == ["chat"]
    assert values(without, "x-other") == ["1"]


def test_no_header_of_a_sender_stands_beside_one_of_the_signature() -> None:
    """Whoever reads the first of two would take what the sender wrote for what is signed."""
    form = CustomFormat(
        header="X-GitHub-Event",
        id_header="Idempotency-Key",
        timestamp_header="CE-Time",
        content="{id}.{timestamp}.{body}",
    )
    names = ("x-github-event", "idempotency-key", "ce-time")
    event = replace(EVENT, headers=tuple((name, "of the sender") for name in names))
    network = Network()
    signing = SigningConfig(scheme=SigningScheme.CUSTOM, keys=(Secret("k" * 16),), custom=form)
    network.sender(event, signing)()
    network.sender(event)()
    signed, unsigned = network.requests
    assert values(signed, "idempotency-key") == [event.event_id]
    assert [len(values(signed, name)) for name in names] == [1, 1, 1]
    assert "of the sender" not in dict(signed.headers).values()
    assert [values(unsigned, name) for name in names] == [["of the sender"]] * 3


def test_a_token_goes_with_the_request_in_place_of_any_other_authorization() -> None:
    network = Network()
    send = network.sender(oauth2=OAUTH2, headers=(("Authorization", Secret("Basic x")),))
    assert [send().kind for _ in range(2)] == [OutcomeKind.DELIVERED] * 2
    assert len(network.to(TOKENS)) == 1
    assert [values(x, "authorization") for x in network.to(TARGET)] == [["Bearer t1"]] * 2


def test_nothing_that_shows_who_we_are_comes_back_with_an_answer() -> None:
    network = Network()
    network.answer = b""
    own = (("X-Api-Key", Secret("of the target")), ("Authorization", Secret("Bearer fixed-one")))
    plain = network.sender(headers=own)().answer
    assert b"('x-api-key', '***'), ('authorization', '***')" in plain
    renewed = network.sender(oauth2=OAUTH2)().answer
    assert b"('authorization', '***')" in renewed
    assert b"Bearer" not in plain + renewed


def test_where_no_answers_are_wanted_none_is_told() -> None:
    network = Network()
    assert network.sender()().answer == b"answered"
    assert network.sender(keep_answers=False)().answer == b""


def test_what_a_token_takes_counts_towards_the_time_of_the_request() -> None:
    network = Network()
    network.millis[TOKENS] = 4_000
    send = network.sender(oauth2=OAUTH2)
    send()
    send()
    assert [x.timeout for x in network.to(TOKENS)] == [10_000]
    assert [x.timeout for x in network.to(TARGET)] == [6_000, 10_000]


def test_a_token_that_took_all_the_time_leaves_the_request_a_moment() -> None:
    network = Network()
    network.millis[TOKENS] = 11_000
    network.sender(oauth2=OAUTH2)()
    assert [x.timeout for x in network.to(TARGET)] == [1]


def test_without_a_token_nothing_is_sent_and_the_reason_is_told() -> None:
    network = Network()
    network.status[TOKENS], network.millis[TOKENS] = 403, 1_500
    outcome = network.sender(oauth2=OAUTH2)()
    assert network.to(TARGET) == []
    assert (outcome.kind, outcome.duration, outcome.status_code) == (OutcomeKind.FAILED, 1_500, 0)
    assert outcome.error.startswith(EgressError.TOKEN)
    assert "403" in outcome.error


@pytest.mark.parametrize(("status", "tokens"), [(401, ["t1", "t2"]), (403, ["t1", "t1"])])
def test_a_token_that_the_target_refuses_is_not_used_again(status: int, tokens: list[str]) -> None:
    network = Network()
    send = network.sender(oauth2=OAUTH2)
    network.status[TARGET] = status
    assert send().status_code == status
    send()
    assert [values(x, "authorization") for x in network.to(TARGET)] == [
        [f"Bearer {token}"] for token in tokens
    ]


def test_a_fault_of_the_client_is_a_failed_attempt_and_shows_no_message() -> None:
    network = Network()
    network.fault = KeyError("s3cret")
    outcome = network.sender()()
    assert (outcome.kind, outcome.status_code) == (OutcomeKind.FAILED, 0)
    assert "KeyError" in outcome.error
    assert "s3cret" not in outcome.error
