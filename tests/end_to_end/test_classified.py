"""`race.classified`, for anybody downstream: what history decides later is published again with a higher version."""

import json
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


def published(stack: RunningStack, site: str) -> list[ClassifiedEvent]:
    consumer = KafkaConsumer(
        CLASSIFIED.name, bootstrap_servers=stack.settings.kafka, auto_offset_reset="earliest", consumer_timeout_ms=2000
    )
    try:
        found = [json.loads(record.value) for record in consumer]
    finally:
        consumer.close()
    return [ClassifiedEvent.model_validate(event) for event in found if event["site_id"] == site]


def latest(events: list[ClassifiedEvent]) -> dict[int, tuple[str | None, str]]:
    by_version = sorted(events, key=lambda event: event.version)
    return {event.event_id.int & 0xFF: (event.stage, event.customer_state) for event in by_version}


def test_an_older_order_makes_the_first_one_a_repeat_order_downstream_too(stack: RunningStack, tmp_path: Path) -> None:
    newer, older = tmp_path / "newer.ndjson", tmp_path / "older.ndjson"
    newer.write_text(json.dumps(order(1, NOW - timedelta(days=1))))
    older.write_text(json.dumps(order(2, NOW - timedelta(days=3))))
    stack.send(newer, site="downstream")
    stack.settle()
    assert latest(published(stack, "downstream")) == {1: ("convert", "anonymous")}
    stack.send(older, site="downstream")
    stack.settle()
    until(lambda: len(published(stack, "downstream")) >= 3)
    assert latest(published(stack, "downstream")) == {1: ("engage", "customer"), 2: ("convert", "anonymous")}
