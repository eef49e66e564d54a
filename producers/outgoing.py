"""What waits to be sent to Kafka: records, the requests they came in, and the bounded queue between callers and
the publisher's thread. No Kafka in here."""

import asyncio
import threading
from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Protocol


class PublisherFull(Exception):
    """More is waiting than the publisher may hold. Nothing was taken: keep the records, try later."""


class PublisherClosed(Exception):
    """The publisher was closed before Kafka had the records."""


class PublishFailed(Exception):
    """Kafka did not acknowledge all records in time, or can never take one of them. Some may have arrived."""


@dataclass(frozen=True, slots=True)
class OutgoingRecord:
    topic: str
    key: bytes | None
    value: bytes


class NeverPublished(PublishFailed):
    """Kafka refuses these records whenever they come, for their size. It has the others of the same request."""

    def __init__(self, refused: "Sequence[OutgoingRecord]", why: str) -> None:
        super().__init__(f"a record for {refused[0].topic} can never be sent: {why}")
        self.refused = refused


class Answer(Protocol):
    """Kafka's answer to one record, once there is one."""

    exception: Exception | None

    def succeeded(self) -> bool: ...
    def failed(self) -> bool: ...


Waiter = asyncio.Future[None] | Future[None] | None
Outcome = tuple[Waiter, Exception | None]


@dataclass(eq=False, slots=True)
class Request:
    """Records that one caller handed in together. `deadline` is by the publisher's clock."""

    unsent: list[OutgoingRecord]
    size: int
    submitted: float
    deadline: float
    waiter: Waiter
    in_flight: list[tuple[OutgoingRecord, Answer]] = field(default_factory=list)
    refused: list[OutgoingRecord] = field(default_factory=list)
    why_refused: str = ""
    error: Exception | None = None

    @property
    def finished(self) -> bool:
        return self.error is not None or not (self.unsent or self.in_flight)


# What a record costs in memory beside its key and value: about this much in lists, futures and the batch's buffer.
_OVERHEAD_BYTES = 300


def size_of(records: Sequence[OutgoingRecord]) -> int:
    return sum(_OVERHEAD_BYTES + len(record.value) + len(record.key or b"") for record in records)


class PendingQueue:
    """Hands requests to one reading thread. Bounded by the bytes of all requests that are not released yet."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._bytes = 0
        self._requests: deque[Request] = deque()
        self._changed = threading.Condition()
        self._closed = False

    @property
    def bytes_held(self) -> int:
        return self._bytes

    @property
    def closed(self) -> bool:
        return self._closed

    def put(self, request: Request, wait_seconds: float = 0.0) -> None:
        """Raises PublisherFull when there is no room within the time, PublisherClosed after `close`."""
        with self._changed:
            # A single request larger than the limit is taken when it is alone: else it could never be sent.
            self._changed.wait_for(lambda: self._closed or self._fits(request), wait_seconds)
            if self._closed:
                raise PublisherClosed("the publisher is closed")
            if not self._fits(request):
                raise PublisherFull(f"{self._bytes} bytes wait to be sent to Kafka, the limit is {self._limit}")
            self._bytes += request.size
            self._requests.append(request)
            self._changed.notify_all()

    def take(self, wait_seconds: float, limit_bytes: int) -> list[Request]:
        """The oldest requests, at least one if there is any. Blocks up to `wait_seconds` for the first."""
        taken: list[Request] = []
        with self._changed:
            self._changed.wait_for(lambda: self._requests or self._closed, wait_seconds)
            while self._requests and limit_bytes > 0:
                taken.append(self._requests.popleft())
                limit_bytes -= taken[-1].size
        return taken

    def release(self, finished: Iterable[Request]) -> None:
        with self._changed:
            self._bytes -= sum(request.size for request in finished)
            self._changed.notify_all()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _fits(self, request: Request) -> bool:
        return not self._bytes or self._bytes + request.size <= self._limit


def tell(outcomes: Sequence[Outcome]) -> None:
    """Resolve every waiter: each event loop is woken once, whatever the number of its requests."""
    loops: dict[asyncio.AbstractEventLoop, list[Outcome]] = {}
    for waiter, error in outcomes:
        if isinstance(waiter, asyncio.Future):
            loops.setdefault(waiter.get_loop(), []).append((waiter, error))
        else:
            _resolve([(waiter, error)])
    for loop, batch in loops.items():
        if not loop.is_closed():  # else nobody waits any more
            loop.call_soon_threadsafe(_resolve, batch)


def _resolve(outcomes: Sequence[Outcome]) -> None:
    for waiter, error in outcomes:
        if waiter is None or waiter.done():  # a caller that stopped waiting has cancelled it
            continue
        if error is None:
            waiter.set_result(None)
        else:
            waiter.set_exception(error)
