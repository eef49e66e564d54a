"""The first agent: rows, records for the other topics, dead letters."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import pytest
from clickhouse_connect.driver.client import Client

from schemas.classified import ClassifiedEvent
from schemas.events import Context, Event, event_json
from schemas.rejection import DeadLetter, RejectReason
from schemas.topics import BUCKETS, CLASSIFIED, DEAD_LETTERS, EVENTS, PARTITIONS, PERSONS
from schemas.touches import BARRIER_EVENT, BARRIER_SITE
from stream_processors.classify import ClassifyAgent, event_row, outgoing, sort_out
from stream_processors.fetches import Fetch, Record
from stream_processors.race.pipeline import Classified, classify
from stream_processors.store import Store, event_version
from stream_processors.tables import EVENTS as COLUMNS
from tests.stream_processors.memory_store import MemoryStore, at_once
from tests.stream_processors.named_events import happened, new_site, order
from tests.stream_processors.random_events import BOT, RECEIVED, START
from tests.stream_processors.simulated_log import SimulatedLog, SteppedLog

NOW = datetime(2024, 7, 1, tzinfo=UTC)


def fetch(*values: bytes, partition: int = 0) -> Fetch:
    return Fetch(EVENTS.name, partition, [Record(None, value, at, 0) for at, value in enumerate(values)], 1)


def sent(*values: bytes) -> dict[str, list[bytes]]:
    found: dict[str, list[bytes]] = {}
    for record in outgoing(sort_out([fetch(*values)], NOW)):
        found.setdefault(record.topic, []).append(record.value)
    return found


def test_a_person_is_asked_for_once_however_many_events_it_has() -> None:
    events = [happened("s", "page_view", at, visitor="v") for at in range(3)]
    found = sent(*map(event_json, events))
    assert len(found[CLASSIFIED.name]) == 3
    assert [json.loads(value) for value in found[PERSONS.name]] == [{"site_id": "s", "node": "v:v"}]
    assert BUCKETS.name not in found


def test_an_event_of_nobody_touches_its_bucket_at_once() -> None:
    bot = happened("s", "page_view", 61, visitor="v").model_copy(
        update={"context": Context(user_agent=BOT, imported=True)}
    )
    found = sent(event_json(bot), event_json(happened("s", "page_view", 5, source=bot.source)))
    assert PERSONS.name not in found
    assert {json.loads(value)["minute"] for value in found[BUCKETS.name]} == {
        "2024-05-01T10:00:00Z",
        "2024-05-01T10:01:00Z",
    }


def test_a_classified_event_is_the_event_with_what_was_concluded() -> None:
    event = order("s", "o1", 0, visitor="v", user="u")
    found = ClassifiedEvent.model_validate_json(sent(event_json(event))[CLASSIFIED.name][0])
    assert Event.model_validate(found.model_dump(include=set(Event.model_fields))) == event
    assert (found.stage, found.rule_id, found.person_id, found.device) == ("convert", "first_order", "v:v", "desktop")


def test_a_refused_record_is_a_dead_letter_that_is_the_same_each_time() -> None:
    bad = b'{"event_id": "e1", "site_id": "demo"}'
    letters = [DeadLetter.model_validate_json(value) for value in sent(bad, bad, b"\xff\0")[DEAD_LETTERS.name]]
    assert letters[0] == letters[1] != letters[2]
    assert (letters[0].reason, letters[0].site_id, letters[0].event_id) == (RejectReason.INVALID_EVENT, "demo", "e1")
    assert letters[2].reason is RejectReason.INVALID_JSON


@pytest.mark.parametrize(
    "payload", [b"[1]", b'{"site_id": {"a": 1}, "event_id": [2]}', b"[" * 90_000, b'"\\ud800"', b""]
)
def test_whatever_is_refused_becomes_a_dead_letter(payload: bytes) -> None:
    assert len(sent(payload)[DEAD_LETTERS.name]) == 1


def test_a_barrier_goes_to_every_partition_after_everything_else() -> None:
    live = {"context": Context(), "occurred_at": RECEIVED}
    barrier = happened(BARRIER_SITE, BARRIER_EVENT, 0, visitor="b").model_copy(update=live)
    records = list(outgoing(sort_out([fetch(event_json(barrier), event_json(order("s", "o", 0, visitor="v")))], NOW)))
    assert [record.partition for record in records[-PARTITIONS:]] == list(range(PARTITIONS))
    assert all(record.partition is None for record in records[:-PARTITIONS])


def row_of(raw: bytes) -> dict[str, Any]:
    found = classify(raw)
    assert isinstance(found, Classified)
    return dict(zip(COLUMNS, event_row(found), strict=True))


def test_of_two_copies_the_one_received_first_has_the_higher_version() -> None:
    event = happened("s", "page_view", 0, visitor="v")
    later = event.model_copy(update={"received_at": RECEIVED + timedelta(seconds=1)})
    assert row_of(event_json(event))["version"] > row_of(event_json(later))["version"]
    assert event_version(2, 10**12) > event_version(1, 0)


ODD = [
    {"a": 10**40},
    {"a": float("nan"), "b": [float("inf")]},
    {"a": "\U0001f600", "b": '"\\'},
    {"order_id": "o", "value": "9999999999999.99999"},
]


@pytest.mark.parametrize("properties", ODD, ids=str)
def test_odd_properties_are_kept_as_json(store: Store, client: Client, properties: dict[str, Any]) -> None:
    site = new_site("odd")
    event = happened(site, "purchase", 0, visitor="v", **properties)
    log = SimulatedLog()
    asyncio.run(ClassifyAgent(store, SteppedLog(log, at_once, Random(0)))([fetch(event_json(event))]))
    ((stored,),) = client.query(
        "select properties from events where site_id = {site:String}", parameters={"site": site}
    ).result_rows
    assert _strict(stored).keys() == properties.keys()
    assert _strict(sent(event_json(event))[CLASSIFIED.name][0])["properties"].keys() == properties.keys()


def _strict(text: str | bytes) -> Any:
    def refuse(constant: str) -> None:
        raise ValueError(constant)

    return json.loads(text, parse_constant=refuse)


EDGES = {
    "last microsecond of a minute": START + timedelta(seconds=59, microseconds=999_999),
    "1990": datetime(1990, 1, 1, tzinfo=UTC),
    "2099": datetime(2099, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
}


@pytest.mark.parametrize("edge", EDGES)
def test_an_event_is_in_the_minute_of_its_stored_time(store: Store, client: Client, edge: str) -> None:
    site = new_site("edge")
    event = happened(site, "page_view", 0, visitor="v")
    event = event.model_copy(update={"occurred_at": EDGES[edge], "received_at": max(RECEIVED, EDGES[edge])})
    found = classify(event_json(event))
    assert isinstance(found, Classified)
    asyncio.run(store.insert("events", [event_row(found)]))
    ((same,),) = client.query(
        "select toStartOfMinute(occurred_at) = minute from events where site_id = {site:String}",
        parameters={"site": site},
    ).result_rows
    assert same


def copies(*skews: timedelta) -> Sequence[bytes]:
    """One event by a client whose clock is off, sent several times, each a bit later on the way."""
    event = happened("s", "page_view", 0, visitor="v")
    return [event_json(event.model_copy(update={"sent_at": RECEIVED - skew})) for skew in skews]


LATE = {
    "all late": (10, 11, 12),
    "the second late": (0, 10, 11),
    "the first late": (10, 0, 11),
}


@pytest.mark.parametrize("case", LATE)
def test_copies_of_an_event_by_a_wrong_clock_keep_the_first_time(case: str) -> None:
    store = MemoryStore()
    first, second, third = copies(*(timedelta(minutes=minutes) for minutes in LATE[case]))
    agent = ClassifyAgent(store, SteppedLog(SimulatedLog(), at_once, Random(0)))
    for batch in ([first, second], [third]):
        asyncio.run(agent([fetch(*batch)]))
    (row,) = store.tables["events"].values()
    assert row["occurred_at"] == START + timedelta(minutes=LATE[case][0])
    assert isinstance(row["event_id"], UUID)


@pytest.mark.parametrize("case", LATE)
def test_copies_that_come_one_by_one_are_one_event_at_its_first_time(case: str, store: Store, client: Client) -> None:
    site = new_site("clock")
    agent = ClassifyAgent(store, SteppedLog(SimulatedLog(), at_once, Random(0)))
    event = happened(site, "page_view", 0, visitor="v")
    for minutes in LATE[case]:
        copy = event.model_copy(update={"sent_at": RECEIVED - timedelta(minutes=minutes)})
        asyncio.run(agent([fetch(event_json(copy))]))
    found = client.query(
        "select occurred_at from events final where site_id = {site:String}", parameters={"site": site}
    ).result_rows
    assert [moment.replace(tzinfo=UTC) for (moment,) in found] == [START + timedelta(minutes=LATE[case][0])]


def test_a_barrier_from_a_file_or_of_another_site_is_refused() -> None:
    from_a_file = happened(BARRIER_SITE, BARRIER_EVENT, 0, visitor="b")
    of_another_site = happened("s", BARRIER_EVENT, 0, visitor="b").model_copy(update={"context": Context()})
    batch = sort_out([fetch(event_json(from_a_file), event_json(of_another_site))], NOW)
    assert [letter.detail for letter in batch.letters] == [f"name: {BARRIER_EVENT} is reserved"] * 2
    assert batch.barriers == []


def test_an_event_that_is_sent_again_without_a_time_keeps_that_of_its_first_arrival(
    store: Store, client: Client
) -> None:
    site = new_site("timeless")
    agent = ClassifyAgent(store, SteppedLog(SimulatedLog(), at_once, Random(0)))
    event = happened(site, "page_view", 0, visitor="v").model_copy(update={"context": Context()})
    for minutes in (0, 2, 5):
        arrived = RECEIVED + timedelta(minutes=minutes)
        copy = event.model_copy(update={"occurred_at": arrived, "received_at": arrived})
        asyncio.run(agent([fetch(event_json(copy))]))
    found = client.query(
        "select occurred_at from events final where site_id = {site:String}", parameters={"site": site}
    ).result_rows
    assert [moment.replace(tzinfo=UTC) for (moment,) in found] == [RECEIVED]


@pytest.mark.parametrize("payload", [b"\x01" * 300_000, b"\xff" * 2_000_000, b'"' * 900_000])
def test_a_dead_letter_fits_into_a_kafka_record(payload: bytes) -> None:
    (letter,) = sort_out([fetch(payload)], NOW).letters
    assert len(letter.model_dump_json()) < 1_000_000
    assert letter.payload
