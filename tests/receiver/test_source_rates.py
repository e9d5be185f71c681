"""What each source may ask before it is known who it is."""

from __future__ import annotations

from hookplane.config.base import RateLimit
from hookplane_receiver.source_rates import SourceRates

TWO = RateLimit(tokens=1, per=1000, burst=2)


def test_each_source_has_a_bucket_for_each_endpoint() -> None:
    rates = SourceRates()
    for endpoint, source in (("e", "a"), ("e", "b"), ("f", "a")):
        assert [rates.try_spend(endpoint, TWO, source, 0) for _ in range(3)] == [0, 0, 1]
    assert rates.try_spend("e", TWO, "a", 1) == 0


def test_a_changed_rate_is_another_bucket() -> None:
    rates, one = SourceRates(), RateLimit(tokens=1, per=2000, burst=1)
    assert [rates.try_spend("e", one, "a", 0) for _ in range(2)] == [0, 2]
    assert rates.try_spend("e", TWO, "a", 0) == 0


def test_however_many_sources_come_there_are_so_many_buckets() -> None:
    """And those that are in use stay."""
    rates = SourceRates(most=3)
    rates.try_spend("e", TWO, "busy", 0)
    assert rates.try_spend("e", TWO, "busy", 0) == 0
    for number in range(100):
        rates.try_spend("e", TWO, f"stranger {number}", 0)
        assert rates.try_spend("e", TWO, "busy", 0) > 0
        assert len(rates) <= 3
    assert len(rates) == 3
    assert rates.try_spend("e", TWO, "stranger 0", 0) == 0
