"""What the live page shows: one JSON document about a site and a range."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from raceline.kpis import value_of
from raceline.live.period import Minutes, Period
from raceline.live.reader import Reader, Row, View
from schemas.kpi import GROUPS, KPIS, Group, Kpi

Json = dict[str, Any]

# Persons of each stage, as the view `kpis` names them.
_PERSONS: Final[Mapping[Group, str]] = {
    "reach": "visiting",
    "act": "acting",
    "convert": "customers",
    "engage": "engaging",
}
_TITLES: Final[Mapping[Group, str]] = {group: group.capitalize() for group in GROUPS}


def read_snapshot(reader: Reader, site: str | None, minutes: Minutes) -> Json:
    """Blocking. Raises `DatabaseError` when ClickHouse does not answer."""
    return snapshot_of(reader, reader.view(site, minutes))


def snapshot_of(reader: Reader, view: View) -> Json:
    now = reader.kpis(view.site, view.period)
    earlier = view.period.before() if view.minutes is not None else None
    before = (reader.kpis(view.site, earlier) or None) if earlier else None
    return {
        "site": view.site,
        "sites": [
            {"id": row["site_id"], "first": _instant(row["first"]), "last": _instant(row["last"])} for row in view.sites
        ],
        "range": {**_range(view.minutes, view.period), "compared": before is not None},
        "events": now.get("events", 0),
        "bot_events": now.get("bot_events", 0),
        "groups": [_group(group, now, before) for group in GROUPS],
        "funnel": [_stage(group, column, now, before) for group, column in _PERSONS.items()],
        "series": _series(view.period, reader.series(view)),
        "channels": [dict(row) for row in reader.channels(view)],
        "freshness": _freshness(reader.freshness(view)),
        "refusals": [dict(row) for row in reader.refusals(view)],
        "generated_at": _instant(view.now),
    }


def _range(minutes: Minutes, period: Period) -> Json:
    return {
        "minutes": "all" if minutes is None else minutes,
        "since": _instant(period.since),
        "until": _instant(period.until),
    }


def _group(group: Group, now: Row, before: Row | None) -> Json:
    return {
        "id": group,
        "title": _TITLES[group],
        "kpis": [_kpi(kpi, now, before) for kpi in KPIS if kpi.group == group],
    }


def _kpi(kpi: Kpi, now: Row, before: Row | None) -> Json:
    value = value_of(kpi, now)
    return {
        "id": kpi.id,
        "title": kpi.title,
        "unit": kpi.unit,
        "meaning": kpi.meaning,
        "good_when": kpi.good_when,
        "value": value,
        "previous": value_of(kpi, before) if before is not None else None,
        "reason": _why_missing(kpi) if value is None else None,
    }


def _why_missing(kpi: Kpi) -> str:
    """A rate's meaning ends with what it divides by."""
    return f"there are no {kpi.meaning.rpartition(' / ')[2]} to divide by"


def _stage(stage: Group, column: str, now: Row, before: Row | None) -> Json:
    return {
        "stage": stage,
        "title": _TITLES[stage],
        "persons": now.get(column, 0),
        "previous": before.get(column, 0) if before is not None else None,
        "events": now.get(f"{stage}_events", 0),
    }


def _series(period: Period, rows: Sequence[Row]) -> Json:
    """Every step has a point: where nothing happened, the counts are 0."""
    by_step = {row["step"]: row for row in rows}
    names = [name for name in (rows[0] if rows else {}) if name != "step"]
    return {
        "since": _instant(period.since),
        "step_seconds": period.step,
        "steps": period.steps,
        "values": {
            name: [by_step[step][name] if step in by_step else 0 for step in range(period.steps)] for name in names
        },
    }


def _freshness(row: Row) -> Json:
    return {**row, "newest_at": _instant(row["newest_at"])}


def _instant(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
