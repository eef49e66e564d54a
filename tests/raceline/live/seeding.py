"""A believable shop for the live page's tests, rolled up by the worker's own statement."""

from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from raceline.database import Database, query
from stream_processors.race.rules import LEAD_NAMES

HERE = Path(__file__).resolve().parent
VERSIONS = count(1)
UNTIL = datetime(2026, 3, 2, 12, 0, 30, tzinfo=UTC)


def seed(database: Database, site: str, until: datetime, *, minutes: int, visits: int, visitors: int) -> None:
    _run(
        database,
        "seed_events",
        {"site": site, "until": until, "minutes": minutes, "visits": visits, "visitors": visitors},
    )
    _run(database, "seed_derived", {"site": site})
    roll_up(database, site)


def roll_up(database: Database, site: str) -> None:
    found = database._client.query((HERE / "seed_buckets.sql").read_text(), parameters={"site": site}).result_rows
    version = next(VERSIONS)
    for start in range(0, len(found), 500):
        part = found[start : start + 500]
        parameters = {
            "sites": [site for site, _ in part],
            "minutes": [minute for _, minute in part],
            "versions": [version] * len(part),
            "lead_names": sorted(LEAD_NAMES),
        }
        database.run(query("roll_up.recompute"), parameters)


def visit(database: Database, site: str, visitor: str, at: datetime) -> None:
    """One more page view, rolled up."""
    event_id = str(uuid5(NAMESPACE_URL, f"{site} {visitor} {at}"))
    row = {
        "site_id": site,
        "minute": at.replace(second=0, microsecond=0),
        "event_id": event_id,
        "version": 1,
        "occurred_at": at,
        "received_at": at,
        "name": "page_view",
        "source": "website",
        "visitor_id": visitor,
        "stage": "reach",
        "channel": "direct",
        "stored_at": at + timedelta(seconds=1),
    }
    database.insert("events", [list(row.values())], list(row))
    roll_up(database, site)


def refuse(database: Database, site: str, reason: str, refused_at: datetime) -> None:
    letter = str(uuid5(NAMESPACE_URL, f"{site} {reason} {refused_at}"))
    columns = ["dead_letter_id", "reason", "refused_by", "refused_at", "site_id"]
    database.insert("dead_letters", [[letter, reason, "classify", refused_at, site]], columns)


def _run(database: Database, name: str, parameters: dict[str, object]) -> None:
    database.run((HERE / f"{name}.sql").read_text(), parameters)
