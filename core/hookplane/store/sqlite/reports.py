"""What receivers add to the numbers of endpoints."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

from hookplane.store.event_log import EndpointReport
from hookplane.store.sql import load_statements
from hookplane.store.sqlite.connection import transaction
from hookplane.store.sqlite.id_map import SQLiteIdMap
from hookplane.store.storable_text import storable

_SQL: Final = load_statements("hookplane.store.sqlite", "reports.sql")


def add_reports(
    db: sqlite3.Connection, id_map: SQLiteIdMap, reports: Sequence[EndpointReport]
) -> None:
    """Reports of endpoints that are gone are left out."""
    with transaction(db):
        for report in reports:
            if (endpoint := id_map.endpoints.get(report.endpoint)) is not None:
                _add(db, endpoint, report)


def _add(db: sqlite3.Connection, endpoint: int, report: EndpointReport) -> None:
    db.execute(
        _SQL["add_report"],
        (
            report.duplicates,
            report.conflicts,
            report.last_rejected,
            report.last_rejected_reason,
            storable(report.last_rejected_detail),
            endpoint,
        ),
    )
    rejections = [(endpoint, reason, count) for reason, count in report.rejected.items()]
    db.executemany(_SQL["add_rejections"], rejections)
