"""WebhookSubscription → SubscriptionConfig."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from hookplane.clock import Millis
from hookplane.compile.bounds import DISABLE_AFTER, HOUR, PAUSE, PROBE, bounded, rate_limit
from hookplane.compile.generated import GeneratedKeys
from hookplane.compile.model import Options, uid_of
from hookplane.compile.problems import Problems
from hookplane.compile.references import Neighbours, some_of
from hookplane.compile.secrets import SecretLookup
from hookplane.compile.signing import SigningCompiler
from hookplane.compile.target import TargetCompiler
from hookplane.config.subscription import (
    CircuitConfig,
    RetryConfig,
    SubscriptionConfig,
    TransformConfig,
)
from hookplane.filters.cel import check_expression
from hookplane.kinds.conditions import Reason
from hookplane.kinds.subscription import (
    Circuit,
    DeliverySpec,
    Retry,
    Transform,
    WebhookSubscription,
)
from hookplane.network.credentials import is_credential
from hookplane.units import format_duration

_DELIVERY: Final = "spec.delivery"
DEFAULT_IN_FLIGHT: Final = 16
_RESERVE: Final[Millis] = 24 * HOUR
"""For how long an event is kept after its last attempt, so that it can be replayed."""


@dataclass(frozen=True, slots=True)
class SubscriptionCompiler:
    """Compiles one subscription and adds what is wrong with it to `problems`."""

    resource: WebhookSubscription
    secrets: SecretLookup
    neighbours: Neighbours
    options: Options
    problems: Problems
    generated: GeneratedKeys

    def compile(self) -> SubscriptionConfig | None:
        """The document; None when there is an error."""
        spec, metadata = self.resource.spec, self.resource.metadata
        target = TargetCompiler(spec.target, self.secrets, self.options, self.problems).compile()
        sent = [header.name for header in spec.target.headers] + spec.target.forward_headers
        signing = SigningCompiler(spec.signing, self.secrets, self.problems, self.generated)
        endpoints = self.neighbours.endpoints(spec, self.problems)
        for index, name in enumerate(spec.target.forward_headers):
            self._note_unstored(name, f"spec.target.forwardHeaders[{index}]", endpoints)
        if spec.filter.keys:
            self._note_keyless(endpoints, "spec.filter.keys", "none of them is delivered")
        if spec.delivery.ordering == "Key":
            self._note_keyless(endpoints, f"{_DELIVERY}.ordering", "they are in no order")
        document = SubscriptionConfig(
            uid=uid_of(self.resource),
            namespace=metadata.namespace,
            name=metadata.name,
            generation=metadata.generation,
            endpoints=endpoints,
            start_from=spec.start_from,
            types=tuple(spec.filter.types),
            keys=tuple(spec.filter.keys),
            filter_cel=self._expression(
                spec.filter.cel, "spec.filter.cel", endpoints, expect_bool=True
            ),
            transform=self._transform(spec.transform, endpoints),
            target=target,
            signing=signing.compile(metadata.name, sent),
            operational=spec.operational_events,
            suspended=spec.suspend,
            **_delivery(spec.delivery, self.options, self.problems),
        )
        return None if self.problems.failed else self._ready(document)

    def _ready(self, document: SubscriptionConfig) -> SubscriptionConfig:
        """The document with the reason why it is not ready, if it is not; it then has no target."""
        reason = self.problems.not_ready
        if not reason:
            return document
        return document.model_copy(update={"not_ready": reason, "target": None})

    def _note_keyless(self, endpoints: tuple[str, ...], path: str, effect: str) -> None:
        """Events without a key are none of those that go by one."""
        for name in self.neighbours.keyless(self.resource.metadata.namespace, endpoints):
            self.problems.note(
                path,
                f'WebhookEndpoint "{name}" has no spec.key, so its events have no key and {effect}',
            )

    def _transform(
        self, spec: Transform | None, endpoints: tuple[str, ...]
    ) -> TransformConfig | None:
        if spec is None:
            return None
        cel = self._expression(spec.cel, "spec.transform.cel", endpoints, expect_bool=False)
        return TransformConfig(cel=cel, cloud_events=spec.cloud_events)

    def _expression(
        self, text: str | None, path: str, endpoints: tuple[str, ...], *, expect_bool: bool
    ) -> str | None:
        if text is not None:
            with self.problems.checking(path):
                for name in check_expression(text, expect_bool):
                    self._note_unstored(name, path, endpoints)
        return text

    def _note_unstored(self, name: str, path: str, endpoints: tuple[str, ...]) -> None:
        """A header that is asked for and that the events of an endpoint do not have."""
        header, namespace = name.lower(), self.resource.metadata.namespace
        lacking = self.neighbours.not_storing(header, namespace, endpoints)
        if is_credential(header) and (lacking or not endpoints):
            self.problems.note(path, _never_stored(name), Reason.HEADER_NOT_STORED)
        elif lacking:
            self.problems.note(path, _not_stored(name, lacking), Reason.HEADER_NOT_STORED)


def _never_stored(name: str) -> str:
    return (
        f'no event has the header "{name[:64]}", because it looks like a credential; only an '
        "endpoint that reads its events' type or key from it stores it"
    )


def _not_stored(name: str, lacking: list[str]) -> str:
    """`lacking`: names of the endpoints without it."""
    return (
        f'the header "{name[:64]}" is not stored with the events of WebhookEndpoint '
        f"{some_of(lacking)}; name it in spec.storeHeaders there"
    )


def _delivery(spec: DeliverySpec, options: Options, problems: Problems) -> dict[str, Any]:
    """How fast, in which order and how long: fields of the SubscriptionConfig."""
    strict = spec.ordering == "Strict"
    return {
        "strict": strict,
        "by_key": spec.ordering == "Key",
        "max_in_flight": 1 if strict else spec.max_in_flight or DEFAULT_IN_FLIGHT,
        "rate": rate_limit(spec.rate, f"{_DELIVERY}.rate", problems),
        "retry": _retry(spec.retry, options, problems),
        "circuit": _circuit(spec.circuit, problems),
        "disable_after": bounded(
            spec.disable_after, DISABLE_AFTER, f"{_DELIVERY}.disableAfter", problems
        ),
    }


def _longest_schedule(retention: Millis) -> Millis:
    """How long a retry schedule may take where events are kept for `retention`: the last day is
    left for replays, or half of the time where events are kept for less than two days."""
    return max(retention - _RESERVE, retention // 2)


def _retry(spec: Retry, options: Options, problems: Problems) -> RetryConfig:
    retention = options.retention_events
    path = f"{_DELIVERY}.retry.schedule"
    pauses = [
        max(bounded(text, PAUSE, f"{path}[{index}]", problems), options.least_pause)
        for index, text in enumerate(spec.schedule)
    ]
    total = sum(pauses) * (100 + spec.jitter_percent) // 100
    longest = _longest_schedule(retention)
    if total > longest:
        problems.error(
            path,
            f"takes {_hours(total)} with jitter; events are kept for "
            f"{format_duration(retention)}, so it can take at most {format_duration(longest)}",
        )
    return RetryConfig(schedule=tuple(pauses), jitter_percent=spec.jitter_percent)


def _circuit(spec: Circuit, problems: Problems) -> CircuitConfig:
    path = f"{_DELIVERY}.circuit"
    first = bounded(spec.probe_every, PROBE, f"{path}.probeEvery", problems)
    most = bounded(spec.probe_at_most_every, PROBE, f"{path}.probeAtMostEvery", problems)
    return CircuitConfig(failures=spec.failures, probe_every=first, probe_at_most_every=most)


def _hours(millis: Millis) -> str:
    """A duration without the seconds that jitter adds to it."""
    return format_duration(millis - millis % 60_000) if millis >= HOUR else format_duration(millis)
