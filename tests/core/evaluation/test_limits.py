"""How it is told that an expression was stopped."""

from __future__ import annotations

from hookplane.evaluation.limits import EvaluationLimits


def test_each_limit_is_told_with_its_number() -> None:
    limits = EvaluationLimits(cpu_seconds=0.5, memory_bytes=64 << 20)
    assert limits.too_long == "the expression took longer than 0.5 s of CPU for one event"
    assert limits.too_large == "the expression took more than 64Mi of memory"


def test_all_processes_together_leave_half_of_a_container_to_the_rest() -> None:
    assert EvaluationLimits.within(None).memory_bytes == 256 << 20
    assert EvaluationLimits.within(8 << 30).memory_bytes == 256 << 20
    assert EvaluationLimits.within(768 << 20).memory_bytes == 192 << 20
