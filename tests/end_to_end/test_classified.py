"""`race.classified`, for anybody downstream: what history decides later is published again with a higher version."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer
from running_stack import RunningStack, until

from schemas.classified import ClassifiedEvent
from schemas.topics import CLASSIFIED

pytestmark = pytest.mark.e2e

NOW = datetime.now(UTC).replace(microsecond=0)


def order(number: int, at: datetime) -> dict[str, Any]:
    return {
        "event_id": f"00000000-0000-4000-9000-{number:012}",
        "name": "purchase",
        "source": "website",
        "site_id": "downstream",
        "user_id": "u1",
        "occurred_at": at.isoformat(),
        "received_at": NOW.isoformat(),
        "properties": {"value": 5, "currency": "EUR"},
    }


class Downstream:
    """Somebody who reads what is published, from the beginning on."""

    def __init__(self, kafka: str) -> None:
        self._consumer = KafkaConsumer(CLASSIFIED.name, bootstrap_servers=kafka, auto_offset_reset="earliest")
        self._seen: list[ClassifiedEvent] = []

    def of(self, site: str) -> list[ClassifiedEvent]:
        """All so far."""
        for records in self._consumer.poll(timeout_ms=500).values():
            events = (json.loads(record.value) for record in records)
            self._seen += [ClassifiedEvent.model_validate(event) for event in events if event["site_id"] == site]
        return self._seen

    def close(self) -> None:
        self._consumer.close()


@pytest.fixture
def downstream(stack: RunningStack) -> Iterator[Downstream]:
    reader = Downstream(stack.settings.kafka)
    yield reader
    reader.close()


def latest(events: list[ClassifiedEvent]) -> dict[int, tuple[str | None, str]]:
    by_version = sorted(events, key=lambda event: event.version)
    return {event.event_id.int & 0xFF: (event.stage, event.customer_state) for event in by_version}


def test_an_older_order_makes_the_first_one_a_repeat_order_downstream_too(
    stack: RunningStack, downstream: Downstream, tmp_path: Path
) -> None:
    newer, older = tmp_path / "newer.ndjson", tmp_path / "older.ndjson"
    newer.write_text(json.dumps(order(1, NOW - timedelta(days=1))))
    older.write_text(json.dumps(order(2, NOW - timedelta(days=3))))
    stack.send(newer, site="downstream")
    until(lambda: latest(downstream.of("downstream")) == {1: ("convert", "anonymous")})
    stack.settle()
    stack.send(older, site="downstream")
    both = {1: ("engage", "customer"), 2: ("convert", "anonymous")}
    until(lambda: latest(downstream.of("downstream")) == both)
    assert len(downstream.of("downstream")) >= 3
