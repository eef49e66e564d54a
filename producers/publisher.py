"""Producers → Kafka: the one file of the producers that imports `kafka`.

One thread takes what callers hand in within a few milliseconds, sends it, and tells all callers of that batch together.
Kafka's idempotent producer is off on purpose: event ids make a repeated record harmless, and an embedded broker that
was replaced by an empty one has forgotten the sequence numbers and would refuse the producer for ever.
"""

import asyncio
import math
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError, MessageSizeTooLargeError, RecordListTooLargeError

from producers.outgoing import (
    Answer,
    OutgoingRecord,
    PendingQueue,
    PublisherClosed,
    PublisherFull,
    PublishFailed,
    Request,
    Waiter,
    size_of,
)
from producers.rounds import NotNow, PublisherStats, Rounds, Unsendable

__all__ = ["OutgoingRecord", "PublishFailed", "Publisher", "PublisherClosed", "PublisherFull", "PublisherOptions"]

_CHUNK_RECORDS = 500
_TOO_LARGE = (MessageSizeTooLargeError, RecordListTooLargeError)

_KAFKA_SETTINGS: dict[str, Any] = {
    "client_id": "raceline",
    "acks": "all",
    "enable_idempotence": False,
    "compression_type": "lz4",
    "linger_ms": 50,  # batches are complete when they are flushed, at the end of every round
    "batch_size": 256 * 1024,
    "max_block_ms": 500,
    "request_timeout_ms": 10_000,
    "delivery_timeout_ms": 12_000,  # then the next round sends again, with fresh metadata
    "reconnect_backoff_max_ms": 500,
    "metadata_max_age_ms": 30_000,
    "bootstrap_timeout_ms": 3000,
    "allow_auto_create_topics": False,  # whoever owns the topics knows the number of partitions
    "metrics_enabled": False,
}


@dataclass(frozen=True)
class PublisherOptions:
    bootstrap: str
    delivery_timeout: float = 30.0  # seconds until a caller is told that Kafka did not take its records
    linger: float = 0.003
    max_pending_bytes: int = 64 * 1024 * 1024


class Publisher:
    """Sends records to Kafka and says when Kafka has them. `start` it, and `close` it to flush.

    Every record is sent at least once: again after every error, through restarts and replacements of the broker, until
    the deadline of its request. Order within a key is kept unless something had to be sent again.
    """

    def __init__(self, options: PublisherOptions, clock: Callable[[], float] = time.monotonic) -> None:
        self._options = options
        self._clock = clock
        self._queue = PendingQueue(options.max_pending_bytes)
        self._rounds = Rounds(self._queue, lambda: _KafkaLink(options.bootstrap), options.linger, clock)
        self._thread = threading.Thread(target=self._rounds.run, name="publisher", daemon=True)

    def start(self) -> None:
        """Returns at once; the connection is made in the background."""
        self._thread.start()

    @property
    def connected(self) -> bool:
        """False from the first failed attempt to reach Kafka or to send until the next successful one."""
        return self._rounds.outage is None

    @property
    def outage(self) -> str | None:
        """Why it is not connected, in words."""
        return self._rounds.outage

    @property
    def pending_bytes(self) -> int:
        return self._queue.bytes_held

    @property
    def stats(self) -> PublisherStats:
        return self._rounds.stats

    async def publish(self, records: Sequence[OutgoingRecord], timeout: float | None = None) -> None:
        """Returns when Kafka has all records.

        Raises PublisherFull, PublisherClosed, PublishFailed at the timeout, NeverPublished for what is too large.
        """
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._put(records, timeout, waiter)
        await waiter

    def submit(self, records: Sequence[OutgoingRecord], timeout: float | None = None) -> "Future[None]":
        """For callers without an event loop. Never blocks; raises PublisherFull and PublisherClosed."""
        waiter: Future[None] = Future()
        self._put(records, timeout, waiter)
        return waiter

    def enqueue(self, records: Sequence[OutgoingRecord], timeout: float = math.inf) -> None:
        """Nobody is told what became of it. For what the spool has already, and for what may get lost.

        Never blocks; raises PublisherFull and PublisherClosed. What is left at `close` is dropped.
        """
        self._put(records, timeout, None)

    def publish_all(
        self,
        records: Iterable[OutgoingRecord],
        timeout: float | None = None,
        on_acknowledged: Callable[[int], None] = lambda count: None,
    ) -> int:
        """For files: blocks until Kafka has every record, in bounded memory, and returns how many.

        The timeout is for each chunk of records, not for all. Raises like `publish`; earlier chunks have arrived then.
        """
        iterator, waiting, total = iter(records), deque[tuple[int, Future[None]]](), 0
        timeout = self._options.delivery_timeout if timeout is None else timeout
        while chunk := list(islice(iterator, _CHUNK_RECORDS)):
            waiting.append((len(chunk), Future()))
            self._put(chunk, timeout, waiting[-1][1], wait_seconds=timeout)
            while waiting and waiting[0][1].done():
                total += _settled(waiting.popleft(), on_acknowledged)
        while waiting:
            total += _settled(waiting.popleft(), on_acknowledged)
        return total

    def close(self, timeout: float = 10.0) -> int:
        """Flush, and end the thread. Blocks up to the timeout and a little; returns how many records were dropped."""
        self._rounds.close_by = self._clock() + timeout
        self._queue.close()
        if self._thread.ident is not None:
            self._thread.join(timeout + 5.0)
        return sum(len(request.unsent) + len(request.in_flight) for request in self._rounds.pending)

    def _put(
        self, records: Sequence[OutgoingRecord], timeout: float | None, waiter: Waiter, wait_seconds: float = 0.0
    ) -> None:
        now = self._clock()
        deadline = now + (self._options.delivery_timeout if timeout is None else timeout)
        self._queue.put(Request(list(records), size_of(records), now, deadline, waiter), wait_seconds)


def _settled(chunk: tuple[int, "Future[None]"], on_acknowledged: Callable[[int], None]) -> int:
    count, waiter = chunk
    waiter.result()
    on_acknowledged(count)
    return count


class _KafkaLink:
    """One kafka-python producer (see `producers.rounds.Link`)."""

    def __init__(self, bootstrap: str) -> None:
        try:
            # A producer whose first connection fails leaks its sockets (3.0.12): see first that somebody listens.
            _knock(bootstrap)
            self._producer = KafkaProducer(bootstrap_servers=bootstrap.split(","), **_KAFKA_SETTINGS)
        except (KafkaError, OSError) as error:
            raise NotNow(f"cannot connect to {bootstrap}: {error}") from error

    def send(self, record: OutgoingRecord) -> Answer:
        try:
            answer: Answer = self._producer.send(record.topic, value=record.value, key=record.key)
        except _TOO_LARGE as error:
            raise Unsendable(str(error)) from error
        except (KafkaError, ValueError) as error:  # ValueError: the topic vanished between two looks at it
            raise NotNow(str(error)) from error
        return answer

    def flush(self, timeout: float) -> None:
        with suppress(KafkaError):  # at the timeout; the answers themselves tell what arrived
            self._producer.flush(timeout=timeout)

    def is_final(self, failure: Exception | None) -> bool:
        return isinstance(failure, _TOO_LARGE)  # of a batch of several, the client has tried each alone by then

    def close(self) -> None:
        with suppress(KafkaError):
            self._producer.close(timeout=1.0)
            return
        # It raises when records are left, and then its thread would live on (3.0.12).
        self._producer._sender.force_close()
        self._producer._sender.join(1.0)


def _knock(bootstrap: str) -> None:
    """Raises OSError unless one of the addresses accepts a connection."""
    problem = OSError("no address given")
    for address in bootstrap.split(","):
        host, _, port = address.strip().rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=1.0).close()
        except OSError as error:
            problem = error
        else:
            return
    raise problem
