"""What receivers add to the numbers of endpoints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hookplane.store.event_log import EndpointReport
from hookplane.store.postgres.db import Db
from hookplane.store.postgres.id_map import PostgresIdMap
from hookplane.store.sql import load_statements
from hookplane.store.storable_text import storable

_SQL: Final = load_statements("hookplane.store.postgres", "reports.sql")


async def add_reports(db: Db, id_map: PostgresIdMap, reports: Sequence[EndpointReport]) -> None:
    """Reports of endpoints that are gone are left out. In the order of the endpoints, because
    other receivers write theirs at the same time."""
    await id_map.know(db, endpoints=[report.endpoint for report in reports])
    known = sorted(
        (id_map.endpoints[report.endpoint], i)
        for i, report in enumerate(reports)
        if report.endpoint in id_map.endpoints
    )
    async with db.transaction():
        for endpoint, i in known:
            await _add(db, endpoint, reports[i])


async def _add(db: Db, endpoint: int, report: EndpointReport) -> None:
    await db.execute(
        _SQL["add_report"],
        endpoint,
        report.duplicates,
        report.conflicts,
        report.last_rejected,
        report.last_rejected_reason,
        storable(report.last_rejected_detail),
    )
    if report.rejected:
        reasons, counts = list(report.rejected), list(report.rejected.values())
        await db.execute(_SQL["add_rejections"], endpoint, reasons, counts)
