"""When events count as accepted, and how the spool gets empty again, against real brokers."""

import asyncio
import json
import secrets
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

import pytest
from apache_kafka import ApacheKafka, Installation
from brokers import AnyBroker
from kafka import KafkaConsumer
from kafka.admin import KafkaAdminClient

from producers.delivery import Delivery
from producers.publisher import Publisher, PublisherOptions
from producers.spool import Spool, SpoolOptions, read_events, segments
from raceline.topics import create_topics
from schemas.events import Event, Source
from schemas.topics import DEAD_LETTERS, EVENTS

pytestmark = [
    pytest.mark.usefixtures("collected_sockets"),
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]


def events(count: int) -> list[Event]:
    now = datetime.now(UTC)
    return [
        Event(event_id=uuid4(), name="a", source=Source.WEBSITE, site_id="s", occurred_at=now, received_at=now)
        for _ in range(count)
    ]


def delivery(folder: Path, bootstrap: str, mode: Literal["always", "fallback"], max_pending: int = 10**7) -> Delivery:
    spool = Spool(SpoolOptions(folder, "website", segment_seconds=0.2))
    return Delivery(Publisher(PublisherOptions(bootstrap, max_pending_bytes=max_pending)), spool, folder, mode)


def spooled_ids(folder: Path) -> set[str]:
    return {json.loads(line)["event_id"] for segment in segments(folder) for line in read_events(segment)}


def published(broker: AnyBroker, topic: str, expected: int) -> list[dict[str, Any]]:
    """What is in the topic, once there are as many different records as expected."""
    consumer = KafkaConsumer(topic, bootstrap_servers=broker.bootstrap, auto_offset_reset="earliest")
    found: set[bytes] = set()
    deadline = time.monotonic() + 15
    try:
        while len(found) < expected and time.monotonic() < deadline:
            for batch in consumer.poll(timeout_ms=200).values():
                found |= {record.value for record in batch}
    finally:
        consumer.close()
    return [json.loads(value) for value in found]


def published_ids(broker: AnyBroker, expected: int) -> set[str]:
    return {event["event_id"] for event in published(broker, EVENTS.name, expected)}


def ids_of(sent: list[Event]) -> set[str]:
    return {str(event.event_id) for event in sent}


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.05)


def test_always_answers_while_kafka_is_down_and_publishes_when_it_is_back(
    tmp_path: Path, stopped_broker: AnyBroker
) -> None:
    folder, broker = tmp_path / "spool", stopped_broker
    sent = events(50)

    async def scenario() -> None:
        running = delivery(folder, broker.bootstrap, "always")
        async with running.running():
            began = time.monotonic()
            await running.accept(sent)
            assert time.monotonic() - began < 0.5
            assert spooled_ids(folder) == ids_of(sent)
            broker.start()
            create_topics(broker.bootstrap, [EVENTS.name], 4)
            await until(lambda: running.publisher.stats.acknowledged == 50)

    asyncio.run(scenario())
    assert published_ids(broker, 50) == ids_of(sent)
    assert spooled_ids(folder) == ids_of(sent), "only who knows what is stored may delete"


def test_always_publishes_later_what_the_publisher_had_no_room_for(tmp_path: Path, stopped_broker: AnyBroker) -> None:
    folder, broker = tmp_path / "spool", stopped_broker
    sent = [events(20) for _ in range(20)]

    async def scenario() -> None:
        running = delivery(folder, broker.bootstrap, "always", max_pending=30_000)
        async with running.running():
            for batch in sent:
                await running.accept(batch)
            broker.start()
            create_topics(broker.bootstrap, [EVENTS.name], 4)
            await until(lambda: running.stats.drained > 0 and not running._unsent)

    asyncio.run(scenario())
    assert published_ids(broker, 400) == {one for batch in sent for one in ids_of(batch)}


def test_fallback_empties_its_own_and_abandoned_segments_into_kafka(tmp_path: Path, stopped_broker: AnyBroker) -> None:
    folder, broker = tmp_path / "spool", stopped_broker
    left, sent = events(3), events(40)
    folder.mkdir()
    lines = b"".join(event.model_dump_json().encode() + b"\n" for event in left)
    (folder / "website-1-1700000000000.open").write_bytes(lines + b'{"event_id": "to')

    async def scenario() -> None:
        running = delivery(folder, broker.bootstrap, "fallback")
        async with running.running():
            await running.accept(sent)
            assert spooled_ids(folder) == ids_of([*left, *sent])
            broker.start()
            create_topics(broker.bootstrap, [EVENTS.name], 4)
            await until(lambda: not segments(folder))
            assert running.stats.drained == 43
            after = events(1)
            await running.accept(after)
            assert segments(folder) == []
            sent.extend(after)

    asyncio.run(scenario())
    assert published_ids(broker, 44) == ids_of([*left, *sent])


def test_fallback_leaves_alone_what_another_process_is_writing(tmp_path: Path, broker: AnyBroker) -> None:
    folder = tmp_path / "spool"
    other = Spool(SpoolOptions(folder, "crm"))
    other.append([event.model_dump_json().encode() for event in events(1)])
    running = delivery(folder, broker.bootstrap, "fallback")
    running.drain()
    assert len(segments(folder)) == 1
    other.close()


@pytest.fixture
def own_kafka(kafka_installation: Installation, tmp_path: Path) -> Iterator[ApacheKafka]:
    broker = ApacheKafka(kafka_installation, tmp_path / "kafka")
    yield broker
    broker.kill()


def create_topics_of(broker: ApacheKafka, largest: dict[str, int]) -> None:
    """With so many bytes in a record at most."""
    admin = KafkaAdminClient(bootstrap_servers=broker.bootstrap)
    options = {
        name: {"num_partitions": 4, "configs": {"max.message.bytes": str(size)}} for name, size in largest.items()
    }
    admin.create_topics(options, wait_for_metadata=True)
    admin.close()


@pytest.mark.parametrize(("largest_letter", "kept"), [(1_000_000, 60_000), (10_000, 500)])
def test_what_kafka_refuses_for_its_size_becomes_a_dead_letter_and_the_rest_goes_on(
    tmp_path: Path, own_kafka: ApacheKafka, largest_letter: int, kept: int
) -> None:
    folder, sent, later = tmp_path / "spool", events(40), events(1)
    sent[7] = large = sent[7].model_copy(update={"properties": {"text": secrets.token_hex(30_000)}})

    async def scenario() -> None:
        running = delivery(folder, own_kafka.bootstrap, "fallback")
        async with running.running():
            await running.accept(sent)
            running.spool.close()
            await running.accept(later)
            assert len(segments(folder)) == 2
            own_kafka.start()
            create_topics_of(own_kafka, {EVENTS.name: 10_000, DEAD_LETTERS.name: largest_letter})
            await until(lambda: not segments(folder))
            assert running.stats.dead_letters == 1

    asyncio.run(scenario())
    assert published_ids(own_kafka, 40) == ids_of([*sent, *later]) - ids_of([large])
    [letter] = published(own_kafka, DEAD_LETTERS.name, 1)
    assert (letter["reason"], letter["event_id"]) == ("too_large", str(large.event_id))
    assert kept <= len(letter["payload"]) < kept + 1000


def test_segments_are_deleted_only_when_kafka_has_them(tmp_path: Path, free_port: Callable[[], int]) -> None:
    folder = tmp_path / "spool"

    async def scenario() -> None:
        running = delivery(folder, f"127.0.0.1:{free_port()}", "fallback")
        async with running.running():
            await running.accept(events(5))
            await asyncio.sleep(2.5)  # at least one attempt
            assert len(spooled_ids(folder)) == 5

    asyncio.run(scenario())
    assert len(spooled_ids(folder)) == 5
