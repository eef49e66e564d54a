"""Which refused events are still listed, asked of a real ClickHouse."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from raceline.database import Database
from raceline.dead_letters import letters
from raceline.embedded.clickhouse import ClickHouse
from raceline.migrate import migrate
from raceline.settings import CommandSettings

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
EVENT = UUID(int=17)


@pytest.fixture(scope="module")
def migrated(clickhouse: ClickHouse) -> Iterator[Database]:
    settings = CommandSettings(clickhouse_url=clickhouse.url, clickhouse_database="listed_letters")
    list(migrate(settings))
    database = Database.connect(settings)
    yield database
    database.close()


@pytest.fixture
def database(migrated: Database) -> Database:
    migrated.run("truncate table events")
    migrated.run("truncate table dead_letters")
    return migrated


def refuse(database: Database, *, site: str = "demo", event_id: str = str(EVENT), payload: str = "{}") -> None:
    row = [UUID(int=1), "invalid_event", "", "classify", NOW, site, event_id, payload]
    columns = ["dead_letter_id", "reason", "detail", "refused_by", "refused_at", "site_id", "event_id", "payload"]
    database.insert("dead_letters", [row], columns)


def accept(database: Database, received_at: datetime, *, site: str = "demo", event_id: UUID = EVENT) -> None:
    columns = ["site_id", "minute", "event_id", "version", "occurred_at", "received_at", "name", "stored_at"]
    row = [site, NOW, event_id, 1, NOW, received_at, "page_view", NOW + timedelta(minutes=5)]
    database.insert("events", [row], columns)


def listed(database: Database) -> int:
    return len(letters(database))


def test_letter_is_not_listed_once_a_later_copy_is_accepted(database: Database) -> None:
    refuse(database)
    assert listed(database) == 1
    accept(database, NOW + timedelta(milliseconds=1))
    assert listed(database) == 0


def test_copy_accepted_before_hides_no_refusal(database: Database) -> None:
    accept(database, NOW - timedelta(seconds=1))
    refuse(database, payload=json.dumps({"received_at": NOW.isoformat()}))
    assert listed(database) == 1


@pytest.mark.parametrize("text", ["2026-03-02T11:59:58.123456+00:00", "2026-03-02T12:59:58.123Z"])
def test_retried_letter_is_not_listed_once_it_is_accepted(database: Database, text: str) -> None:
    refuse(database, payload=json.dumps({"received_at": text}))
    accept(database, datetime.fromisoformat(text))
    assert listed(database) == 0


def test_event_of_another_site_hides_nothing(database: Database) -> None:
    refuse(database)
    accept(database, NOW + timedelta(hours=1), site="other")
    assert listed(database) == 1


def test_letter_of_no_known_site_is_found_by_its_id(database: Database) -> None:
    refuse(database, site="")
    accept(database, NOW + timedelta(hours=1), site="other")
    assert listed(database) == 0


@pytest.mark.parametrize("event_id", ["", "x", "[/x]", "0"])
def test_letter_without_an_id_stays_whatever_is_accepted(database: Database, event_id: str) -> None:
    refuse(database, event_id=event_id)
    accept(database, NOW + timedelta(hours=1), event_id=UUID(int=0))
    assert listed(database) == 1


def test_letters_are_chosen_by_reason_and_id(database: Database) -> None:
    refuse(database)
    assert len(letters(database, reason="invalid_event", id_prefix="00000000-")) == 1
    assert not letters(database, reason="too_old")
    assert not letters(database, id_prefix="1")
