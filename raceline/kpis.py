"""`raceline kpis`: every KPI of a site over a range, by RACE group."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from raceline.database import Database
from schemas.kpi import GROUPS, KPIS, Kpi

Value = int | float | None
Report = dict[str, dict[str, Value]]

EARLIEST: Final = datetime(1990, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2100, 1, 1, tzinfo=UTC)


def kpi_report(
    database: Database,
    site: str,
    since: datetime = EARLIEST,
    until: datetime = LATEST,
    channel: str | None = None,
) -> Report:
    """The KPIs by group. `since` is inclusive, `until` exclusive. What cannot be computed is None, not 0."""
    rows = database.rows(
        "database.kpis",
        {
            "site": site,
            "since": since,
            "until": until,
            "dimension": "channel" if channel else "all",
            "value": channel or "",
        },
    )
    found = rows[0] if rows else {}
    report: Report = {group: {} for group in GROUPS}
    for kpi in KPIS:
        report[kpi.group][kpi.id] = value_of(kpi, found)
    return {**report, "plan": {}}


def value_of(kpi: Kpi, row: Mapping[str, Any]) -> Value:
    """Counts and sums of nothing are 0; a rate of nothing is None."""
    value = row.get(kpi.id)
    if value is None:
        return 0 if kpi.additive else None
    return float(value) if isinstance(value, Decimal) else value
