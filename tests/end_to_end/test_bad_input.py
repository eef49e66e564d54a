"""Bad input gets a 4xx or a dead letter with its reason; nothing hangs, nothing good around it is lost."""

import http.client
import json
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from running_stack import RunningStack

from producers.outgoing import OutgoingRecord
from producers.publisher import Publisher, PublisherOptions
from raceline.database import Database
from raceline.dead_letters import letters
from schemas.rejection import RejectReason
from schemas.topics import EVENTS

pytestmark = pytest.mark.e2e

NOW = datetime.now(UTC)


def event(number: int, **changes: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "event_id": f"00000000-0000-4000-8000-{number:012}",
        "name": "page_view",
        "source": "website",
        "site_id": "bad_input",
        "visitor_id": f"v{number}",
        "occurred_at": NOW.isoformat(),
        "received_at": NOW.isoformat(),
    }
    return {**fields, **changes}


def record(fields: Mapping[str, Any]) -> bytes:
    return json.dumps(fields).encode()


BAD_RECORDS: dict[str, tuple[RejectReason, bytes]] = {
    "broken JSON": (RejectReason.INVALID_JSON, b'{"event_id": '),
    "no JSON at all": (RejectReason.INVALID_JSON, b"\xff\xfe\x00"),
    "an empty record": (RejectReason.INVALID_JSON, b""),
    "a raw NUL": (RejectReason.INVALID_JSON, b'{"name": "a\x00b"}'),
    "an array": (RejectReason.INVALID_EVENT, b"[]"),
    "a wrong type": (RejectReason.INVALID_EVENT, record(event(100, visitor_id=7))),
    "an unknown field": (RejectReason.INVALID_EVENT, record(event(101, colour="red"))),
    "a NUL in a text": (RejectReason.INVALID_EVENT, record(event(102, properties={"note": "a\0b"}))),
    "an order whose value is a word": (
        RejectReason.INVALID_EVENT,
        record(event(103, name="purchase", properties={"value": "much"})),
    ),
    "an order beyond all money": (
        RejectReason.INVALID_EVENT,
        record(event(104, name="purchase", properties={"value": 1e300})),
    ),
    "an unknown version": (RejectReason.UNKNOWN_VERSION, record(event(105, schema_version=2))),
    "a week and a minute ago": (
        RejectReason.TOO_OLD,
        record(event(106, occurred_at=(NOW - timedelta(days=7, minutes=1)).isoformat())),
    ),
    "an import of 1989": (
        RejectReason.TOO_OLD,
        record(event(107, occurred_at="1989-12-31T23:59:59Z", context={"imported": True})),
    ),
    "an hour and a minute ahead": (
        RejectReason.IN_THE_FUTURE,
        record(event(108, occurred_at=(NOW + timedelta(minutes=61)).isoformat())),
    ),
    "a record of 300 KiB": (RejectReason.TOO_LARGE, record(event(109, properties={"note": "x" * 300 * 1024}))),
}


def test_bad_records_become_dead_letters_and_the_good_ones_around_them_count(stack: RunningStack) -> None:
    publisher = Publisher(PublisherOptions(stack.settings.kafka))
    publisher.start()
    records = []
    for number, (_, bad) in enumerate(BAD_RECORDS.values()):
        records += [record(event(number)), bad]
    publisher.publish_all(OutgoingRecord(EVENTS.name, b"one partition", value) for value in records)
    publisher.close()
    stack.settle()
    assert stack.kpis("bad_input")["reach"]["page_views"] == len(BAD_RECORDS)
    database = Database.connect(stack.settings)
    found = {letter.payload: letter.reason for letter in letters(database, limit=1000)}
    database.close()
    for name, (reason, bad) in BAD_RECORDS.items():
        assert (name, found.get(bad.decode("utf-8", "replace"))) == (name, reason)


def post(stack: RunningStack, body: bytes, key: str = "demo") -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPConnection("127.0.0.1", stack.port, timeout=20)
    try:
        connection.request("POST", "/v1/events", body, {"X-Raceline-Key": key, "Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    except (BrokenPipeError, ConnectionResetError):
        return 413, {"error": "too_large"}  # it need not read to the end what it refuses
    finally:
        connection.close()


def sent(name: str = "page_view", **changes: Any) -> dict[str, Any]:
    return {"name": name, "visitor_id": "mixed", **changes}


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        (b"{", 400, "invalid_json"),
        (b'{"name": "a\x00"}', 400, "invalid_json"),
        (json.dumps(sent(visitor_id="a\0")).encode(), 400, "invalid_json"),
        (json.dumps(sent(visitor_id=7)).encode(), 400, "invalid_event"),
        (json.dumps(sent("Page View")).encode(), 400, "invalid_event"),
        (json.dumps(sent(schema_version=9)).encode(), 400, "unknown_version"),
        (b" " * 5_000_000, 413, "too_large"),
    ],
)
def test_bad_requests_are_answered_with_their_reason(stack: RunningStack, body: bytes, status: int, error: str) -> None:
    found = post(stack, body)
    assert (found[0], found[1]["error"]) == (status, error)


def test_unknown_key_is_refused(stack: RunningStack) -> None:
    assert post(stack, b"{}", key="nobody")[0] == 401


def test_good_events_of_a_mixed_request_count_and_the_others_say_why(stack: RunningStack) -> None:
    before = Counter(stack.kpis("demo")["reach"])["page_views"]
    old = (NOW - timedelta(days=8)).isoformat()
    many = [sent(), sent(visitor_id=[]), sent(occurred_at=old), sent("purchase", properties={"value": "x"}), sent()]
    status, answer = post(stack, json.dumps(many).encode())
    assert (status, answer["accepted"]) == (200, 4)
    assert [(one["index"], one["reason"]) for one in answer["refused"]] == [(1, "invalid_event")]
    stack.settle()
    assert stack.kpis("demo")["reach"]["page_views"] == before + 2
    database = Database.connect(stack.settings)
    reasons = Counter((letter.refused_by, letter.reason) for letter in letters(database, limit=1000))
    database.close()
    assert reasons["classify", "too_old"] >= 1
    assert reasons["collector", "invalid_event"] >= 1
