"""A believable shop for the live page's tests, rolled up by the worker's own statement."""

from datetime import datetime
from pathlib import Path

from raceline.database import Database, query
from stream_processors.race.rules import LEAD_NAMES

HERE = Path(__file__).resolve().parent


def seed(database: Database, site: str, until: datetime, *, minutes: int, visits: int, visitors: int) -> None:
    _run(
        database,
        "seed_events",
        {"site": site, "until": until, "minutes": minutes, "visits": visits, "visitors": visitors},
    )
    _run(database, "seed_derived", {"site": site})
    _run(database, "seed_sessions", {"site": site})
    roll_up(database, site, version=1)


def roll_up(database: Database, site: str, version: int) -> None:
    found = database._client.query((HERE / "seed_buckets.sql").read_text(), parameters={"site": site}).result_rows
    for start in range(0, len(found), 500):
        part = found[start : start + 500]
        parameters = {
            "sites": [site for site, _ in part],
            "minutes": [minute for _, minute in part],
            "versions": [version] * len(part),
            "lead_names": sorted(LEAD_NAMES),
        }
        database.run(query("roll_up.recompute"), parameters)


def refuse(database: Database, site: str, reason: str, refused_at: datetime, letter: str) -> None:
    columns = ["dead_letter_id", "reason", "refused_by", "refused_at", "site_id"]
    database.insert("dead_letters", [[letter, reason, "classify", refused_at, site]], columns)


def _run(database: Database, name: str, parameters: dict[str, object]) -> None:
    database.run((HERE / f"{name}.sql").read_text(), parameters)
