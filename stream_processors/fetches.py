"""What an agent gets instead of single records, and the loop that every agent runs over it."""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from stream_processors.watchdog import Progress

log = logging.getLogger(__name__)

_SHORTEST_GATHER = 0.02  # one poll brings a fetch of each partition, one after the other


class Record(NamedTuple):
    """One Kafka record, as raw as it came."""

    key: bytes | None
    value: bytes | None
    offset: int
    timestamp_ms: int


@dataclass(frozen=True, slots=True)
class Fetch:
    """The records that one poll brought for a partition, in offset order; at least one."""

    topic: str
    partition: int
    records: Sequence[Record]
    generation: int  # of the consumer group, when they were fetched

    @property
    def first_offset(self) -> int:
        return self.records[0].offset

    @property
    def last_offset(self) -> int:
        return self.records[-1].offset


def split(records: Sequence[Record], max_records: int, max_bytes: int) -> Iterator[Sequence[Record]]:
    """Cut into pieces of at most so many records and, unless a single one is larger, bytes of values."""
    start = size = 0
    for index, record in enumerate(records):
        length = len(record.value or b"")
        if index > start and (index - start >= max_records or size + length > max_bytes):
            yield records[start:index]
            start, size = index, 0
        size += length
    if start < len(records):
        yield records[start:]


# What it returns it wants again, with what comes next; all else is done.
Handle = Callable[[Sequence[Fetch]], Awaitable[Sequence[Fetch] | None]]


@dataclass(frozen=True)
class Pace:
    """How patient the loop is. All in seconds, except the counts."""

    first_backoff: float = 0.1
    longest_backoff: float = 5.0
    stop: float = 5.0  # what a running `handle` gets to finish in when the worker stops
    # One call of `handle` gets no more fetches once it has so many records, and no more than so many fetches.
    enough_records: int = 16_000
    most_fetches: int = 64

    def backoffs(self) -> Iterator[float]:
        seconds = self.first_backoff
        while True:
            yield seconds
            seconds = min(seconds * 2, self.longest_backoff)


async def handle_fetches(
    stream: Any,
    handle: Handle,
    *,
    app: Any,
    outages: tuple[type[BaseException], ...],
    gather_seconds: float = 0.0,
    pace: Pace = Pace(),
) -> None:
    """Give every fetch of the stream to `handle` until the stream ends; acknowledge it when `handle` returned.

    `handle` gets one fetch, or with `gather_seconds` all that arrive within that time after the call before. It must
    return only when everything is durable, must be idempotent (after kills and rebalances fetches come again, cut
    differently) and must not block the event loop. Fetches that it returns are not acknowledged yet: the next call,
    after `gather_seconds` at the latest, gets them first.

    An exception of `outages` is retried with back-off for as long as it lasts, or until the partition has another
    owner, who then reads the fetch again. Any other exception is a bug: it leaves here, the fetch stays
    unacknowledged, and the worker crashes (`agent_supervisor` of `faust_settings`). On cancellation a running
    `handle` gets `pace.stop` seconds.
    """
    loop = _Loop(handle, app, outages, pace, app.transport.progress)
    reader = _Reader(stream.noack().events())
    try:
        while not reader.ended:
            await loop.process(await reader.take(gather_seconds, pace, hurry=bool(loop.kept)))
    finally:
        await reader.close()


class _Reader:
    """Takes events off a stream, several at a time. A read that waits survives the end of a gather."""

    def __init__(self, events: Any) -> None:
        self._events = aiter(events)
        self._waiting: asyncio.Future[Any] | None = None
        self._taken_at = -math.inf
        self.ended = False

    async def take(self, gather_seconds: float, pace: Pace, *, hurry: bool = False) -> list[Any]:
        """The next event and those that follow it until `gather_seconds` after the previous take.

        So an event that comes after a pause hardly waits, and a steady flow is taken once in that time. Empty at the
        end of the stream, and in a `hurry` when no event comes in that time.
        """
        clock = asyncio.get_running_loop().time
        taken: list[Any] = []
        deadline, records = math.inf, 0
        if hurry:
            deadline = max(clock() + _SHORTEST_GATHER, self._taken_at + gather_seconds)
        while len(taken) < pace.most_fetches and records < pace.enough_records and clock() < deadline:
            self._waiting = self._waiting or asyncio.ensure_future(anext(self._events))
            await asyncio.wait({self._waiting}, timeout=None if math.isinf(deadline) else deadline - clock())
            if not self._waiting.done():
                break
            try:
                taken.append(self._waiting.result())
                records += len(taken[-1].value.records)
            except StopAsyncIteration:
                self.ended = True
                break
            self._waiting = None
            if len(taken) == 1:
                deadline = max(clock() + min(gather_seconds, _SHORTEST_GATHER), self._taken_at + gather_seconds)
        self._taken_at = clock()
        return taken

    async def close(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            with suppress(asyncio.CancelledError, StopAsyncIteration):
                await self._waiting


@dataclass
class _Loop:
    handle: Handle
    app: Any
    outages: tuple[type[BaseException], ...]
    pace: Pace
    progress: Progress
    kept: list[Any] = field(default_factory=list)  # what `handle` wants again

    async def process(self, events: list[Any]) -> None:
        """Returns when the events are handled and acknowledged, kept for the next call, or belong to somebody else."""
        events = [*self._still_ours(self.kept), *events]
        self.kept = []
        backoffs = self.pace.backoffs()
        failures = 0
        while events:
            try:
                await self._attempt(events)
            except self.outages as outage:
                if not failures:
                    log.warning("The sink does not take %s: %r; retrying until it does.", _named(events), outage)
                failures += 1
                self.progress.attempted(_topics(events), succeeded=False)
            else:
                if failures:
                    log.warning("The sink takes %s again after %d failures.", _named(events), failures)
                return
            # Fetches of an older generation are read again by whoever owns the partition now.
            events = self._still_ours(events)
            if events:
                await asyncio.sleep(next(backoffs))
                events = self._still_ours(events)
        if failures:
            log.warning("Gave up a fetch whose partition was reassigned during the outage; its owner reads it again.")

    def _still_ours(self, events: list[Any]) -> list[Any]:
        current = self.app.consumer_generation_id
        return [event for event in events if event.message.generation_id == current]

    async def _attempt(self, events: list[Any]) -> None:
        # Shielded: a sink client that is cancelled in the middle of a request leaves its connection unusable.
        job = asyncio.ensure_future(self.handle([event.value for event in events]))
        try:
            await asyncio.shield(job)
        except asyncio.CancelledError:
            await self._finish(job, events)
            raise
        self._conclude(job, events)

    async def _finish(self, job: asyncio.Future[Any], events: list[Any]) -> None:
        """The worker stops: acknowledge only what is known to be durable."""
        await asyncio.wait({job}, timeout=self.pace.stop)
        if not job.done():
            job.cancel()
        elif not job.cancelled() and job.exception() is None:
            self._conclude(job, events)

    def _conclude(self, job: asyncio.Future[Any], events: list[Any]) -> None:
        wanted = {id(fetch) for fetch in job.result() or ()}
        self.kept = [event for event in events if id(event.value) in wanted]
        self._acknowledge([event for event in events if id(event.value) not in wanted])

    def _acknowledge(self, events: list[Any]) -> None:
        self.progress.attempted(_topics(events), succeeded=True)
        for event in events:
            event.ack()
            event.message.value = None  # the message itself stays until the commit; its records need not
        self.progress.acknowledged()


def _topics(events: list[Any]) -> set[str]:
    return {event.message.topic for event in events}


def _named(events: list[Any]) -> str:
    return ", ".join(f"{e.message.topic}[{e.message.partition}]@{e.value.first_offset}" for e in events)
