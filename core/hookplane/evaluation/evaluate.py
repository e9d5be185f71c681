"""One evaluation, in whatever process this is, without a limit."""

from __future__ import annotations

from hookplane import fault
from hookplane.errors import InvalidValue
from hookplane.evaluation.protocol import NoValue, Verdict, Wanted
from hookplane.filters.cel import Program
from hookplane.filters.event import EventView


def evaluate(program: Program, wanted: Wanted, event: EventView) -> Verdict:
    """What it gives. Raises MemoryError, and nothing else."""
    try:
        return program.holds(event) if wanted is Wanted.BOOL else program.json(event)
    except InvalidValue as error:
        return NoValue(str(error))
    except MemoryError:
        raise
    except Exception as error:  # one event must not hold up the others
        return NoValue(fault.describe(error))
