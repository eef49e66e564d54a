"""The publisher against real brokers: what it says Kafka has, Kafka has."""

import asyncio
import time
from collections.abc import Callable, Iterator

import pytest
from brokers import AnyBroker
from kafka import KafkaConsumer

from producers.publisher import (
    OutgoingRecord,
    Publisher,
    PublisherClosed,
    PublisherFull,
    PublisherOptions,
    PublishFailed,
)
from raceline.topics import create_topics

TOPIC = "published"

pytestmark = [
    pytest.mark.usefixtures("collected_sockets"),
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]


def records(start: int, count: int, topic: str = TOPIC) -> list[OutgoingRecord]:
    return [OutgoingRecord(topic, f"k{i % 7}".encode(), f'{{"n": {i}}}'.encode()) for i in range(start, start + count)]


def missing(broker: AnyBroker, numbers: range, topic: str = TOPIC) -> set[bytes]:
    """Which of these records the broker does not have."""
    wanted = {record.value for record in records(numbers.start, len(numbers))}
    consumer = KafkaConsumer(topic, bootstrap_servers=broker.bootstrap, auto_offset_reset="earliest")
    deadline = time.monotonic() + 15
    try:
        while wanted and time.monotonic() < deadline:
            for batch in consumer.poll(timeout_ms=200).values():
                wanted -= {record.value for record in batch}
    finally:
        consumer.close()
    return wanted


def newcomer_is_served(broker: AnyBroker, seconds: float) -> bool:
    """Whether the broker takes a record of somebody who comes now, within this time."""
    newcomer = Publisher(PublisherOptions(broker.bootstrap))
    newcomer.start()
    try:
        newcomer.submit(records(0, 1), timeout=seconds).result(timeout=seconds + 5)
    except PublishFailed:
        return False
    finally:
        newcomer.close(1.0)
    return True


@pytest.fixture
def publisher(broker: AnyBroker) -> Iterator[Publisher]:
    create_topics(broker.bootstrap, [TOPIC], 4)
    running = Publisher(PublisherOptions(broker.bootstrap))
    running.start()
    yield running
    running.close(5.0)


def test_what_is_acknowledged_is_stored(publisher: Publisher, broker: AnyBroker) -> None:
    async def publish() -> None:
        await asyncio.gather(*(publisher.publish(records(i * 10, 10)) for i in range(50)))

    asyncio.run(publish())
    assert not missing(broker, range(500))
    assert publisher.connected
    assert publisher.stats.acknowledged == 500


def test_a_file_is_published_in_chunks(publisher: Publisher) -> None:
    seen: list[int] = []
    assert publisher.publish_all(iter(records(10_000, 2300)), on_acknowledged=seen.append) == 2300
    assert sum(seen) == 2300
    assert len(seen) > 3


def test_same_key_goes_to_the_partition_of_kafkas_default_partitioner(publisher: Publisher, broker: AnyBroker) -> None:
    create_topics(broker.bootstrap, ["keys"], 4)
    publisher.publish_all([OutgoingRecord("keys", b"21", b"x"), OutgoingRecord("keys", b"foobar", b"y")])
    consumer = KafkaConsumer("keys", bootstrap_servers=broker.bootstrap, auto_offset_reset="earliest")
    found: dict[bytes, int] = {}
    deadline = time.monotonic() + 15
    while len(found) < 2 and time.monotonic() < deadline:
        for partition, batch in consumer.poll(timeout_ms=200).items():
            found |= {record.key: partition.partition for record in batch}
    consumer.close()
    # murmur2 of Kafka's own tests: "21" is -973932308, "foobar" is -790332482
    assert found == {b"21": (-973932308 & 0x7FFFFFFF) % 4, b"foobar": (-790332482 & 0x7FFFFFFF) % 4}


def test_a_record_that_is_too_large_is_refused_at_once(publisher: Publisher) -> None:
    large = publisher.submit([OutgoingRecord(TOPIC, None, b"x" * 3_000_000)])
    with pytest.raises(PublishFailed, match="never"):
        large.result(timeout=5)
    publisher.submit(records(30_000, 1)).result(timeout=5)


def test_pending_records_survive_a_restart_of_the_broker(stopped_broker: AnyBroker) -> None:
    """The embedded one is empty then, the other has what it had."""
    broker = stopped_broker
    broker.start()
    publisher = Publisher(PublisherOptions(broker.bootstrap))
    try:
        create_topics(broker.bootstrap, [TOPIC], 4)
        publisher.start()
        publisher.submit(records(0, 100)).result(timeout=10)
        broker.stop(0.1)
        waiting = [publisher.submit(records(100 + i * 10, 10)) for i in range(20)]
        broker.start()
        newcomer_is_served(broker, 1.0)  # meanwhile the topics do not exist, or are what the broker makes of them
        waiting += [publisher.submit(records(300 + i * 10, 10)) for i in range(20)]
        create_topics(broker.bootstrap, [TOPIC], 4)
        assert newcomer_is_served(broker, 30.0)  # Apache Kafka is fenced for up to 4 s after a kill
        began = time.monotonic()
        for waiter in waiting:
            waiter.result(timeout=20)
        assert time.monotonic() - began < 5  # and less than 10 since they were sent: no request timeout is sat out
        assert not missing(broker, range(100, 500))
        assert publisher.connected
    finally:
        publisher.close(2.0)


def test_a_caller_is_told_at_its_deadline_when_nobody_listens(free_port: Callable[[], int]) -> None:
    publisher = Publisher(PublisherOptions(f"127.0.0.1:{free_port()}", delivery_timeout=0.5))
    publisher.start()
    began = time.monotonic()
    with pytest.raises(PublishFailed, match="cannot connect"):
        publisher.submit(records(0, 1)).result(timeout=5)
    assert time.monotonic() - began < 2
    assert not publisher.connected
    assert publisher.close(1.0) == 0


def test_a_full_queue_tells_the_caller(free_port: Callable[[], int]) -> None:
    publisher = Publisher(PublisherOptions(f"127.0.0.1:{free_port()}", max_pending_bytes=10_000))
    publisher.start()
    publisher.enqueue(records(0, 20))
    with pytest.raises(PublisherFull):
        publisher.enqueue(records(20, 20))
    assert publisher.close(0.2) == 20


def test_close_tells_those_who_wait_and_refuses_new_records(free_port: Callable[[], int]) -> None:
    publisher = Publisher(PublisherOptions(f"127.0.0.1:{free_port()}"))
    publisher.start()
    waiting = publisher.submit(records(0, 3))
    assert publisher.close(0.2) == 3
    with pytest.raises(PublisherClosed):
        waiting.result(timeout=1)
    with pytest.raises(PublisherClosed):
        publisher.submit(records(0, 1))


def test_close_flushes(broker: AnyBroker) -> None:
    create_topics(broker.bootstrap, ["flushed"], 1)
    publisher = Publisher(PublisherOptions(broker.bootstrap))
    publisher.start()
    publisher.enqueue(records(0, 1000, "flushed"))
    assert publisher.close(10.0) == 0
    assert not missing(broker, range(1000), "flushed")
