"""Proves that everything that is in Kafka now has reached the KPIs: a barrier goes through every way of the pipeline.

A barrier enters each partition of `race.events`; each agent passes it on to every partition of its next topic, after
all that came before it; the last writes down by which way it came. They are sent one after the other, since a barrier
may overtake what `derive` asks of the owner of another node, and that owner of a third.
"""

import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Final
from uuid import UUID, uuid4

from kafka.partitioner import murmur2

from producers.outgoing import OutgoingRecord
from producers.publisher import Publisher
from raceline.database import Database
from schemas.events import Event, Source, event_json
from schemas.topics import EVENTS, PARTITIONS
from schemas.touches import BARRIER_EVENT, BARRIER_SITE

ROUNDS: Final = 3
_WAYS: Final = PARTITIONS**3
_POLL_SECONDS: Final = 0.1
# A barrier dies with an embedded broker that is replaced: after this long another is sent. The first may only be slow,
# so it is looked for all the same.
_LOST_SECONDS: Final = 15.0

Clock = Callable[[], float]


def pass_barriers(
    publisher: Publisher,
    database: Database,
    deadline: float,
    clock: Clock = time.monotonic,
    check: Callable[[], None] = lambda: None,
) -> bool:
    """True when all that was in Kafka before the call is in the KPIs; False when the deadline came first.

    `check` is called again and again meanwhile and may raise to end it.
    """
    return all(_pass_one(publisher, database, deadline, clock, check) for _ in range(ROUNDS))


def _pass_one(
    publisher: Publisher, database: Database, deadline: float, clock: Clock, check: Callable[[], None]
) -> bool:
    sent: list[UUID] = []
    send_at = clock()
    while clock() < deadline:
        if clock() >= send_at:
            sent.append(uuid4())
            publisher.submit(list(_records(sent[-1])), timeout=max(deadline - clock(), 0.1)).result()
            send_at = clock() + _LOST_SECONDS
        if any(_has_passed(database, barrier_id) for barrier_id in sent):
            return True
        check()
        time.sleep(_POLL_SECONDS)
    return False


def _has_passed(database: Database, barrier_id: UUID) -> bool:
    ways: int = database.rows("database.barriers", {"barrier_id": str(barrier_id)})[0]["ways"]
    return ways == _WAYS


def _records(barrier_id: UUID) -> Iterable[OutgoingRecord]:
    now = datetime.now(UTC)
    for key in _keys():
        event = Event(
            event_id=barrier_id,
            name=BARRIER_EVENT,
            source=Source.SERVER,
            site_id=BARRIER_SITE,
            visitor_id=key,
            occurred_at=now,
            received_at=now,
        )
        yield OutgoingRecord(EVENTS.name, key.encode(), event_json(event))


def _keys() -> list[str]:
    """One key for each partition."""
    found: dict[int, str] = {}
    number = 0
    while len(found) < PARTITIONS:
        key = f"barrier-{number}"
        found.setdefault((murmur2(key.encode()) & 0x7FFFFFFF) % PARTITIONS, key)
        number += 1
    return [found[partition] for partition in sorted(found)]
