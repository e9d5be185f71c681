"""How old is what we know, and in which words that is told."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry

from hookplane.units import format_time
from hookplane_operator.kube.kinds import ENDPOINT, QUOTA, SUBSCRIPTION
from hookplane_operator.metrics import Metrics
from hookplane_operator.watch.knowledge import OLD_SECONDS, UNWATCHED_SECONDS, Knowledge
from support.clocks.manual import START, ManualClock

AGE = "hookplane_operator_known_age_seconds"


class Scene:
    def __init__(self) -> None:
        self.seconds, self.registry = 0.0, CollectorRegistry()
        self.clock = ManualClock()
        metrics = Metrics(self.registry)
        self.knowledge = Knowledge(metrics, self.clock, lambda: self.seconds)

    def wait_until(self, seconds: float) -> None:
        self.clock.advance(round((seconds - self.seconds) * 1000))
        self.seconds = seconds

    def metric(self, kind: str) -> float | None:
        return self.registry.get_sample_value(AGE, {"kind": kind})

    def told(self) -> tuple[str, str, str]:
        found = self.knowledge.judge()
        return found.truth, found.reason.value, found.message


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_the_oldest_source_of_a_kind_counts(scene: Scene) -> None:
    first, second = (scene.knowledge.source(ENDPOINT, x) for x in ("a", "b"))
    scene.wait_until(10.0)
    scene.knowledge.learned(first)
    assert not scene.knowledge.has_listed(ENDPOINT.kind)
    scene.knowledge.learned(second, as_of=4.0)
    assert scene.knowledge.has_listed(ENDPOINT.kind)
    scene.wait_until(15.0)
    assert scene.knowledge.age(ENDPOINT.kind) == scene.metric(ENDPOINT.kind) == 11.0


def test_what_is_new_and_watched_needs_no_words(scene: Scene) -> None:
    scene.knowledge.learned(scene.knowledge.source(ENDPOINT, None))
    scene.wait_until(OLD_SECONDS)
    assert scene.told() == ("True", "Watching", "")
    assert scene.knowledge.is_fresh


def test_what_is_old_is_told_with_the_last_failure(scene: Scene) -> None:
    source = scene.knowledge.source(ENDPOINT, "shop")
    scene.knowledge.learned(source)
    scene.wait_until(OLD_SECONDS + 1)
    scene.knowledge.failed(source, "500: no", watch=False)
    since = format_time(START)
    message = f"nothing is known of webhookendpoints in shop since {since}: 500: no"
    assert scene.told() == ("False", "NotInformed", message)
    scene.wait_until(OLD_SECONDS + 31)
    assert scene.told()[2] == message, "the words change by time alone"
    assert not scene.knowledge.is_fresh


def test_what_was_never_listed_is_old_after_a_while(scene: Scene) -> None:
    source = scene.knowledge.source(ENDPOINT, None)
    scene.knowledge.failed(source, "403: no", watch=False)
    assert scene.told()[1] == "Watching"
    scene.wait_until(OLD_SECONDS + 1)
    assert scene.told()[2] == "nothing is known of webhookendpoints yet: 403: no"


def test_lists_in_place_of_watches_are_told_after_a_while(scene: Scene) -> None:
    source = scene.knowledge.source(ENDPOINT, None)
    scene.knowledge.failed(source, "403: no watch", watch=True)
    scene.knowledge.learned(source)
    assert scene.told()[1] == "Watching"
    scene.wait_until(UNWATCHED_SECONDS + 1)
    scene.knowledge.learned(source)
    scene.knowledge.failed(source, "403: no watch", watch=True)
    words = "lists every minute do the work: webhookendpoints cannot be watched: 403: no watch"
    assert scene.told() == ("True", "Listing", words)
    scene.knowledge.heard(source)
    assert scene.told() == ("True", "Watching", "")


def test_an_outage_is_no_refusal_of_watches(scene: Scene) -> None:
    source = scene.knowledge.source(ENDPOINT, None)
    scene.knowledge.failed(source, "no answer", watch=True)
    scene.knowledge.failed(source, "no answer", watch=False)
    scene.wait_until(UNWATCHED_SECONDS + 1)
    scene.knowledge.learned(source)
    assert scene.told() == ("True", "Watching", "")


def test_what_does_not_count_is_told_by_the_metric_alone(scene: Scene) -> None:
    scene.knowledge.source(QUOTA, None, counts=False)
    scene.seconds = OLD_SECONDS + 1
    assert scene.told() == ("True", "Watching", "")
    assert scene.knowledge.is_fresh
    assert scene.metric(QUOTA.kind) == scene.seconds


def test_few_of_many_are_named(scene: Scene) -> None:
    for number in range(5):
        scene.knowledge.source(ENDPOINT, f"n{number}")
    scene.wait_until(OLD_SECONDS + 1)
    assert scene.told()[2].endswith("; and 2 more")


def test_what_is_forgotten_has_no_age(scene: Scene) -> None:
    kept, gone = scene.knowledge.source(ENDPOINT, None), scene.knowledge.source(SUBSCRIPTION, None)
    scene.wait_until(OLD_SECONDS + 1)
    scene.knowledge.learned(kept)
    scene.knowledge.forget(gone)
    assert scene.knowledge.is_fresh
    assert scene.metric(SUBSCRIPTION.kind) is None
