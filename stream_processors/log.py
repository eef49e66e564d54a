"""Writes to Kafka for the agents: whole batches, every record acknowledged by all replicas before it returns."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.partitioner import murmur2

log = logging.getLogger(__name__)

Outage = KafkaError
_BATCH_BYTES: Final = 512 * 1024
_LARGEST_RECORD: Final = 1000 * 1000


class Outgoing(NamedTuple):
    topic: str
    key: bytes | None
    value: bytes
    partition: int | None = None  # only barriers name one; everything else goes by its key


def version(generation: int, offset: int) -> int:
    """Orders the answers to requests of one partition: by the broker's generation, then by the request's offset.

    Offsets start again with each generation. 16 bits, then 48: as large as the tables' UInt64. Never 0, which is
    what a join shows for a row that is not there.
    """
    return generation << 48 | offset + 1


def generation_of(row_version: int) -> int:
    return row_version >> 48


class Log:
    """Sends records; raises `KafkaError` while Kafka does not take them. Repeats after an error are expected."""

    def __init__(self, bootstrap: str, *, partitions: int) -> None:
        self._bootstrap = bootstrap
        self._partitions = partitions
        self._producer: Any = None
        self._starting = asyncio.Lock()

    async def send(self, records: Iterable[Outgoing]) -> None:
        grouped: defaultdict[tuple[str, int], list[Outgoing]] = defaultdict(list)
        for record in records:
            if len(record.value) > _LARGEST_RECORD:  # would be refused for ever, and hold up all that follows
                log.error("Not sent to %s: a record of %d bytes", record.topic, len(record.value))
                continue
            grouped[record.topic, self._partition(record)].append(record)
        if not grouped:
            return
        producer = await self._started()
        pending = [
            acknowledged
            for (topic, partition), group in grouped.items()
            for acknowledged in await self._hand_over(producer, topic, partition, group)
        ]
        await asyncio.gather(*pending)

    async def stop(self) -> None:
        if self._producer is not None:
            await self._producer.stop()

    async def _started(self) -> Any:
        async with self._starting:
            if self._producer is None:
                producer = AIOKafkaProducer(
                    bootstrap_servers=self._bootstrap,
                    acks="all",
                    compression_type="lz4",
                    max_batch_size=_BATCH_BYTES,
                    max_request_size=4 * _BATCH_BYTES,
                    request_timeout_ms=10_000,
                )
                try:
                    await producer.start()
                except BaseException:
                    await producer.stop()
                    raise
                self._producer = producer
        return self._producer

    async def _hand_over(
        self, producer: Any, topic: str, partition: int, group: list[Outgoing]
    ) -> list[asyncio.Future[Any]]:
        pending, batch = [], producer.create_batch()
        for record in group:
            if batch.append(key=record.key, value=record.value, timestamp=None) is None:
                pending.append(await producer.send_batch(batch, topic, partition=partition))
                batch = producer.create_batch()
                batch.append(key=record.key, value=record.value, timestamp=None)
        pending.append(await producer.send_batch(batch, topic, partition=partition))
        return pending

    def _partition(self, record: Outgoing) -> int:
        if record.partition is not None:
            return record.partition
        hashed: int = murmur2(record.key or b"")
        return (hashed & 0x7FFFFFFF) % self._partitions
