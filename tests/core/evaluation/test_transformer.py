"""What is sent of an event, and what becomes of one that has no transform now."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from hookplane.config.subscription import TransformConfig
from hookplane.errors import InvalidValue
from hookplane.evaluation.limits import EvaluationLimits
from hookplane.evaluation.pool import EvaluationPool
from hookplane.evaluation.strikes import STRIKES
from hookplane.evaluation.transformer import HeldBack, Transformer
from support.expressions import BAD, ENDLESS, GOOD, event
from support.planes.dispatcher import subscription

JSON = (("content-type", "application/json"),)


@pytest.fixture
async def pool() -> AsyncIterator[EvaluationPool]:
    made = EvaluationPool(EvaluationLimits(cpu_seconds=0.3))
    yield made
    await made.close()


def transformer(pool: EvaluationPool, **fields: str) -> Transformer:
    transform = TransformConfig(**fields) if fields else None
    return Transformer(subscription(transform=transform), pool)


async def test_without_a_transform_the_body_is_sent_as_it_came(pool: EvaluationPool) -> None:
    assert (await transformer(pool).payload(event())).body == GOOD


async def test_a_cloud_event(pool: EvaluationPool) -> None:
    payload = await transformer(pool, cloud_events="Binary").payload(event())
    assert ("ce-id", "evt_1") in payload.headers


async def test_cel_wherever_it_runs(pool: EvaluationPool) -> None:
    for text in ("{'t': event.type}", "[{'t': event.type}].map(x, x)[0]"):
        payload = await transformer(pool, cel=text).payload(event())
        assert (payload.headers, payload.body) == (JSON, b'{"t":"order.created"}')


async def test_who_takes_too_much_has_no_payload_and_is_held_back_then(
    pool: EvaluationPool,
) -> None:
    endless = transformer(pool, cel=ENDLESS)
    for _ in range(STRIKES):
        with pytest.raises(InvalidValue, match=r"longer than 0\.3 s"):
            await endless.payload(event(BAD))
    with pytest.raises(HeldBack, match="again and again"):
        await endless.payload(event())


def test_what_does_not_compile_is_told_at_once() -> None:
    with pytest.raises(InvalidValue, match="line 1"):
        transformer(EvaluationPool(), cel="event ==")
