"""What agents ask of each other: one bucket however its minute is written, and nothing that stops a worker."""

import asyncio
import json
import logging
from datetime import UTC, datetime

import pytest

from schemas.events import Event
from schemas.rejection import Rejection
from stream_processors.derive import read_requests
from stream_processors.fetches import Fetch, Record
from stream_processors.keep_dead_letters import KeepDeadLettersAgent
from stream_processors.log import version
from stream_processors.race.pipeline import decode
from stream_processors.roll_up import read_buckets
from tests.stream_processors.memory_store import MemoryStore


def fetch(*values: bytes) -> Fetch:
    return Fetch("race.any", 2, [Record(None, value, offset, 0) for offset, value in enumerate(values)], 1)


def bucket(minute: str, **more: object) -> bytes:
    return json.dumps({"site_id": "s", "minute": minute, **more}).encode()


GARBAGE = [b"", b"{", b"[]", b"null", b'{"site_id": 7}', b"\xff", bucket("0001-01-01T00:00:00+05:00")]
GARBAGE += [bucket("9999-12-31T23:59:00Z"), bucket("yesterday"), bucket("2026-01-01T10:00:00Z", more=1)]


def test_one_minute_written_in_two_zones_is_one_bucket() -> None:
    asked = fetch(bucket("2026-01-01T12:00:00+02:00"), bucket("2026-01-01T10:00:00Z"), bucket("2026-01-01T10:00:59Z"))
    minute = int(datetime(2026, 1, 1, 10, tzinfo=UTC).timestamp())
    assert read_buckets([asked], generation=3)[0] == [("s", minute, version(3, 2))]


def test_what_nobody_can_read_is_skipped_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    good = bucket("2026-01-01T10:00:00Z")
    barrier = json.dumps({"barrier_id": "00000000-0000-4000-8000-000000000000", "path": [1]}).encode()
    with caplog.at_level(logging.ERROR):
        buckets, barriers = read_buckets([fetch(*GARBAGE, good, barrier)], generation=0)
    assert (len(buckets), [found.path for found in barriers]) == (1, [(1, 2)])
    assert len(caplog.messages) == len(GARBAGE)
    assert read_requests([fetch(*GARBAGE)], generation=0) == ({}, [])


def test_unreadable_dead_letter_does_not_stop_the_others() -> None:
    store = MemoryStore()
    letter = {
        "dead_letter_id": "00000000-0000-4000-8000-000000000001",
        "reason": "invalid_json",
        "detail": "d",
        "refused_by": "classify",
        "refused_at": "2026-01-01T10:00:00Z",
        "payload": "p",
    }
    asyncio.run(KeepDeadLettersAgent(store)([fetch(*GARBAGE, json.dumps(letter).encode())]))
    assert len(store.tables["dead_letters"]) == 1


TIMES = {"occurred_at": "2026-01-01T12:30:00+05:30", "received_at": "2026-01-01T10:00:00-00:30"}


def event(**changes: str) -> bytes:
    fields = {"event_id": "00000000-0000-4000-8000-000000000002", "name": "x", "source": "website", "site_id": "s"}
    return json.dumps({**fields, **TIMES, **changes}).encode()


def test_times_are_in_utc_whatever_zone_they_came_in() -> None:
    found = decode(event())
    assert isinstance(found, Event)
    assert (found.occurred_at.isoformat(), found.received_at.isoformat()) == (
        "2026-01-01T07:00:00+00:00",
        "2026-01-01T10:30:00+00:00",
    )


@pytest.mark.parametrize("field", ["occurred_at", "sent_at", "received_at"])
@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-05:00"])
def test_a_time_beyond_the_calendar_is_refused(field: str, moment: str) -> None:
    found = decode(event(**{field: moment}))
    assert isinstance(found, Rejection)
    assert field in found.detail
