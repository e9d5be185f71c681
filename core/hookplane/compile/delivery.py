"""How fast, in which order and how long: delivery settings with every duration as milliseconds."""

from __future__ import annotations

from typing import Any, Final

from hookplane.clock import Millis
from hookplane.compile.bounds import DISABLE_AFTER, HOUR, PAUSE, PROBE, bounded, rate_limit
from hookplane.compile.findings import Findings
from hookplane.config.subscription import CircuitConfig, RetryConfig
from hookplane.kinds.subscription import Circuit, DeliverySpec, Retry
from hookplane.units import format_duration

PATH: Final = "spec.delivery"
DEFAULT_IN_FLIGHT: Final = 16
_RESERVE: Final[Millis] = 24 * HOUR


def compile_delivery(spec: DeliverySpec, retention: Millis, findings: Findings) -> dict[str, Any]:
    """Fields of the SubscriptionConfig."""
    strict = spec.ordering == "Strict"
    return {
        "strict": strict,
        "max_in_flight": 1 if strict else spec.max_in_flight or DEFAULT_IN_FLIGHT,
        "rate": rate_limit(spec.rate, f"{PATH}.rate", findings),
        "retry": _retry(spec.retry, retention, findings),
        "circuit": _circuit(spec.circuit, findings),
        "disable_after": bounded(
            spec.disable_after, DISABLE_AFTER, f"{PATH}.disableAfter", findings
        ),
    }


def longest_schedule(retention: Millis) -> Millis:
    """An event must outlive its schedule by a day, so that what died can still be replayed; where
    events are kept for less than two days, by half of that time."""
    return max(retention - _RESERVE, retention // 2)


def _retry(spec: Retry, retention: Millis, findings: Findings) -> RetryConfig:
    path = f"{PATH}.retry.schedule"
    pauses = [
        bounded(text, PAUSE, f"{path}[{index}]", findings)
        for index, text in enumerate(spec.schedule)
    ]
    total = sum(pauses) * (100 + spec.jitter_percent) // 100
    longest = longest_schedule(retention)
    if total > longest:
        findings.error(
            path,
            f"takes {_hours(total)} with jitter; events are kept for "
            f"{format_duration(retention)}, so it can take at most {format_duration(longest)}",
        )
    return RetryConfig(schedule=tuple(pauses), jitter_percent=spec.jitter_percent)


def _circuit(spec: Circuit, findings: Findings) -> CircuitConfig:
    path = f"{PATH}.circuit"
    first = bounded(spec.probe_every, PROBE, f"{path}.probeEvery", findings)
    most = bounded(spec.probe_at_most_every, PROBE, f"{path}.probeAtMostEvery", findings)
    return CircuitConfig(failures=spec.failures, probe_every=first, probe_at_most_every=most)


def _hours(millis: Millis) -> str:
    """Without the small parts that jitter makes."""
    return format_duration(millis - millis % 60_000) if millis >= HOUR else format_duration(millis)
