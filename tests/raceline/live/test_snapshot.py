"""The page's numbers against questions asked directly of the stored facts, without roll-ups and views."""

import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from raceline.database import Database
from raceline.live.reader import Reader
from raceline.live.snapshot import read_snapshot
from schemas.kpi import KPIS
from tests.raceline.live.seeding import UNTIL

DIRECT = (Path(__file__).resolve().parent / "direct.sql").read_text()
HOSTILE = ["' or 1=1 --", "demo'; drop table events; --", "{site:String}", "\\'", "%", "\x00", "<script>", "ö" * 100]


@pytest.fixture(scope="module")
def reader(database: Database) -> Reader:
    return Reader(lambda: database, lambda: UNTIL)


def direct(database: Database, site: str, since: datetime, until: datetime) -> dict[str, Any]:
    result = database._client.query(DIRECT, parameters={"site": site, "since": since, "until": until})
    return dict(next(iter(result.named_results())))


def values(snapshot: dict[str, Any], which: str = "value") -> dict[str, Any]:
    return {kpi["id"]: kpi[which] for group in snapshot["groups"] for kpi in group["kpis"]}


@pytest.mark.parametrize("minutes", [15, 60, 1440, None])
def test_numbers_equal_a_direct_count_of_the_facts(reader: Reader, database: Database, minutes: int | None) -> None:
    snapshot = read_snapshot(reader, "demo", minutes)
    edges = [datetime.fromisoformat(snapshot["range"][edge]) for edge in ("since", "until")]
    expected = direct(database, "demo", edges[0], edges[1])
    found = {**values(snapshot), **{f"{stage['stage']}_persons": stage["persons"] for stage in snapshot["funnel"]}}
    assert {name: found[name] for name in expected} == pytest.approx(expected)
    assert expected["orders"] > 0


def test_the_period_before_is_compared(reader: Reader, database: Database) -> None:
    snapshot = read_snapshot(reader, "demo", 60)
    since = datetime.fromisoformat(snapshot["range"]["since"])
    expected = direct(database, "demo", since - timedelta(hours=1), since)
    found = values(snapshot, "previous")
    assert found["unique_visitors"] == expected["unique_visitors"] > 0
    assert found["revenue"] == pytest.approx(expected["revenue"])
    assert snapshot["funnel"][0]["previous"] == expected["reach_persons"]
    assert snapshot["range"]["compared"]


def test_nothing_is_compared_where_nothing_was(reader: Reader) -> None:
    snapshot = read_snapshot(reader, "demo", 1440)
    assert not snapshot["range"]["compared"]
    assert set(values(snapshot, "previous").values()) == {None}


def test_every_kpi_is_shown_once_in_its_group(reader: Reader) -> None:
    snapshot = read_snapshot(reader, "demo", 60)
    shown = [(group["id"], kpi["id"]) for group in snapshot["groups"] for kpi in group["kpis"]]
    assert sorted(shown) == sorted((kpi.group, kpi.id) for kpi in KPIS)


@pytest.mark.parametrize("minutes", [60, 360, None])
def test_the_series_adds_up_to_the_range(reader: Reader, minutes: int | None) -> None:
    snapshot = read_snapshot(reader, "demo", minutes)
    series, found = snapshot["series"], values(snapshot)
    assert {len(course) for course in series["values"].values()} == {series["steps"]}
    for name in ("orders", "page_views", "sessions", "revenue", "new_visitors", "add_to_carts"):
        assert sum(series["values"][name]) == pytest.approx(found[name])
    assert sum(series["values"]["act_events"]) == snapshot["funnel"][1]["events"]


def test_channels_add_up_to_the_site(reader: Reader) -> None:
    snapshot = read_snapshot(reader, "demo", None)
    assert sum(row["events"] for row in snapshot["channels"]) == snapshot["events"]
    persons = [row["persons"] for row in snapshot["channels"]]
    assert persons == sorted(persons, reverse=True)


def test_refusals_of_the_range_are_counted_with_those_of_no_known_site(reader: Reader) -> None:
    assert read_snapshot(reader, "demo", 60)["refusals"] == [
        {"reason": "not_json", "refused": 1},
        {"reason": "too_late", "refused": 1},
    ]
    assert {"reason": "too_late", "refused": 2} in read_snapshot(reader, "demo", None)["refusals"]


def test_freshness_tells_the_newest_event_and_the_delay(reader: Reader) -> None:
    freshness = read_snapshot(reader, "demo", 15)["freshness"]
    assert UNTIL - timedelta(minutes=1) < datetime.fromisoformat(freshness["newest_at"]) <= UNTIL
    assert freshness["events_last_minute"] > 0
    assert 0 <= freshness["delay_p95_seconds"] <= 3


def test_without_a_site_the_one_with_the_newest_events_is_shown(reader: Reader) -> None:
    assert read_snapshot(reader, None, 60)["site"] in ("demo", "other")


def test_an_unknown_site_is_empty_and_its_rates_have_a_reason(reader: Reader) -> None:
    snapshot = read_snapshot(reader, "nobody", 60)
    kpis = [kpi for group in snapshot["groups"] for kpi in group["kpis"]]
    for kpi in kpis:
        if kpi["unit"] == "share" or kpi["id"] == "aov":
            assert kpi["value"] is None
            assert re.fullmatch("there are no .+ to divide by", kpi["reason"])
        else:
            assert (kpi["value"], kpi["reason"]) == (0, None)
    assert [stage["persons"] for stage in snapshot["funnel"]] == [0, 0, 0, 0]
    assert snapshot["channels"] == []
    assert snapshot["series"]["values"] == {}
    assert snapshot["freshness"] == {"newest_at": None, "events_last_minute": 0, "delay_p95_seconds": None}


@pytest.mark.parametrize("site", HOSTILE)
def test_a_hostile_site_is_only_text(reader: Reader, site: str) -> None:
    snapshot = read_snapshot(reader, site, 60)
    assert (snapshot["site"], snapshot["events"]) == (site, 0)
    assert read_snapshot(reader, "demo", 60)["events"] > 0
