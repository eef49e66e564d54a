"""What the agents send, on real brokers: it returns when Kafka has every record, in its partition."""

import asyncio
import os
import time
from collections.abc import Iterable
from typing import NamedTuple

import pytest
from brokers import AnyBroker
from kafka import KafkaConsumer

from raceline.topics import create_topics
from stream_processors.log import Log, Outage, Outgoing

pytestmark = [
    pytest.mark.usefixtures("collected_sockets"),
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]


class Found(NamedTuple):
    partition: int
    key: bytes | None
    value: bytes


def found(broker: AnyBroker, topic: str, wanted: set[bytes]) -> set[Found]:
    """The records of a topic, once it has these values, or after a while."""
    consumer = KafkaConsumer(topic, bootstrap_servers=broker.bootstrap, auto_offset_reset="earliest")
    records: set[Found] = set()
    deadline = time.monotonic() + 15
    try:
        while wanted - {record.value for record in records} and time.monotonic() < deadline:
            for place, batch in consumer.poll(timeout_ms=200).items():
                records |= {Found(place.partition, record.key, record.value) for record in batch}
    finally:
        consumer.close()
    return records


def send(broker: AnyBroker, records: Iterable[Outgoing]) -> None:
    async def once() -> None:
        log = Log(broker.bootstrap, partitions=4)
        try:
            await log.send(records)
        finally:
            await log.stop()

    asyncio.run(once())


def test_a_record_goes_to_the_partition_of_its_key_or_to_the_one_it_names(broker: AnyBroker) -> None:
    create_topics(broker.bootstrap, ["sent"], 4)
    keyed = [Outgoing("sent", b"21", b"a"), Outgoing("sent", b"foobar", b"b")]
    named = [Outgoing("sent", b"21", b"to %d" % partition, partition) for partition in range(4)]
    send(broker, [*keyed, *named])
    # murmur2 of Kafka's own tests: "21" is -973932308, "foobar" is -790332482
    by_key = {Found((-973932308 & 0x7FFFFFFF) % 4, b"21", b"a"), Found((-790332482 & 0x7FFFFFFF) % 4, b"foobar", b"b")}
    wanted = {record.value for record in (*keyed, *named)}
    assert found(broker, "sent", wanted) == by_key | {Found(number, b"21", b"to %d" % number) for number in range(4)}


def test_many_batches_arrive_whole(broker: AnyBroker) -> None:
    create_topics(broker.bootstrap, ["many"], 4)
    values = {b"%d " % number + os.urandom(500) for number in range(8000)}  # 4 MB: several batches a partition
    send(broker, [Outgoing("many", value[:3], value) for value in values])
    assert {record.value for record in found(broker, "many", values)} == values


def test_the_largest_record_arrives_and_a_larger_one_holds_nothing_up(broker: AnyBroker) -> None:
    create_topics(broker.bootstrap, ["large"], 1)
    largest = os.urandom(1_000_000)
    send(broker, [Outgoing("large", None, value, 0) for value in (os.urandom(1_000_001), largest, b"small")])
    assert {record.value for record in found(broker, "large", {largest, b"small"})} == {largest, b"small"}


async def insist(log: Log, record: Outgoing) -> None:
    """As the agents do."""
    async with asyncio.timeout(30):
        while True:
            try:
                return await log.send([record])
            except Outage:
                await asyncio.sleep(0.1)


def test_an_outage_is_told_and_what_was_refused_is_taken_later(stopped_broker: AnyBroker) -> None:
    async def scenario() -> None:
        log = Log(stopped_broker.bootstrap, partitions=4)
        try:
            with pytest.raises(Outage):
                await log.send([Outgoing("again", b"k", b"too early")])
            for value in (b"at last", b"after a restart"):
                stopped_broker.start()
                create_topics(stopped_broker.bootstrap, ["again"], 4)
                await insist(log, Outgoing("again", b"k", value))
                assert value in {record.value for record in found(stopped_broker, "again", {value})}
                stopped_broker.stop(0.1)
        finally:
            await log.stop()

    asyncio.run(scenario())
