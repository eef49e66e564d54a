"""The publisher's thread: rounds of take, send, wait, tell. Knows Kafka only as a `Link`."""

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from producers.metrics import Histogram
from producers.outgoing import (
    Answer,
    NeverPublished,
    OutgoingRecord,
    PendingQueue,
    PublisherClosed,
    PublishFailed,
    Request,
    tell,
)

log = logging.getLogger(__name__)

_ROUND_BYTES = 4 * 1024 * 1024  # about 5,000 events: more in one round keeps other threads from the interpreter
_FLUSH_SECONDS = 1.0  # then newly arrived records may join
_IDLE_SECONDS = 0.5
_RETRY_SECONDS = 0.1
_STALLED_SECONDS = 15.0  # without any acknowledgement: start over with a new connection and new metadata


class NotNow(Exception):
    """The link cannot send this at the moment: no connection, or no metadata for the topic."""


class Unsendable(Exception):
    """The link can never send this record."""


class Link(Protocol):
    """A connection to Kafka. Used by one thread; every method may block for the time its docstring says."""

    def send(self, record: OutgoingRecord) -> Answer:
        """Blocks up to 0.5 s when the topic is unknown. Raises NotNow and Unsendable."""

    def flush(self, timeout: float) -> None:
        """Blocks until all sent records have their answer, at most for the timeout."""

    def is_final(self, failure: Exception | None) -> bool:
        """Whether the record of an answer with this failure would be refused again."""

    def close(self) -> None:
        """Blocks up to 2 s. Answers that are still missing never come."""


@dataclass
class PublisherStats:
    """Counted by the publisher's thread, read by anybody."""

    acknowledged: int = 0
    failed: int = 0
    latency: Histogram = field(default_factory=Histogram)


class Rounds:
    """What is pending, and one attempt after the other to send it."""

    def __init__(
        self, queue: PendingQueue, connect: Callable[[], Link], linger: float, clock: Callable[[], float]
    ) -> None:
        self._queue = queue
        self._connect = connect
        self._linger = linger
        self._clock = clock
        self._link: Link | None = None
        self._last_progress = clock()
        self.pending: list[Request] = []
        self.outage: str | None = "no connection to Kafka yet"
        self.close_by = math.inf
        self.stats = PublisherStats()

    def run(self) -> None:
        """Returns when the queue is closed and everything is sent, or at `close_by`."""
        try:
            while not (self._queue.closed and self._nothing_left()):
                self._round()
        finally:
            self.pending += self._queue.take(0.0, 2**62)
            error = PublisherClosed("the publisher was closed before Kafka had the records")
            tell([(request.waiter, error) for request in self.pending])
            self._disconnect()

    def _nothing_left(self) -> bool:
        return self._clock() >= self.close_by or not (self.pending or self._queue.bytes_held)

    def _round(self) -> None:
        self._ensure_link()
        self._take()
        if not self.pending:
            return
        try:
            if self._link is not None:
                self._send(self._link)
                self._flush(self._link)
        except Exception as error:  # a bug in here or in the client: keep the thread alive and start afresh
            log.exception("publishing failed, starting over")
            self._start_over(str(error))
        self._settle()
        if self.pending and self.outage:
            time.sleep(_RETRY_SECONDS)

    def _ensure_link(self) -> None:
        if self._link is not None:
            return
        try:
            self._link = self._connect()
        except NotNow as error:
            self._note_outage(str(error))
            if not self._queue.closed:
                time.sleep(_RETRY_SECONDS)
        else:
            self._last_progress = self._clock()
            self._note_connection()

    def _take(self) -> None:
        retrying = bool(self.pending)
        room = _ROUND_BYTES - sum(request.size for request in self.pending)
        taken = self._queue.take(0.0 if retrying else _IDLE_SECONDS, room)
        if taken and not retrying and self._linger:
            time.sleep(self._linger)
            taken += self._queue.take(0.0, room - sum(request.size for request in taken))
        self.pending += taken

    def _send(self, link: Link) -> None:
        missing: set[str] = set()  # an unknown topic blocks for half a second, so it is tried once a round
        now = self._clock()
        for request in self.pending:
            if request.deadline > now:
                unsent, request.unsent = request.unsent, []
                for record in unsent:
                    self._send_one(link, request, record, missing)

    def _send_one(self, link: Link, request: Request, record: OutgoingRecord, missing: set[str]) -> None:
        if record.topic in missing:
            request.unsent.append(record)
            return
        try:
            request.in_flight.append((record, link.send(record)))
        except Unsendable as error:
            _refuse(request, record, error)
        except NotNow as error:
            missing.add(record.topic)
            request.unsent.append(record)
            self._note_outage(f"{record.topic}: {error}")

    def _flush(self, link: Link) -> None:
        earliest = min((request.deadline for request in self.pending), default=math.inf)
        wait = min(earliest, self.close_by) - self._clock()
        link.flush(max(0.05, min(wait, _FLUSH_SECONDS)))

    def _settle(self) -> None:
        now = self._clock()
        acknowledged = sum(self._collect(request) for request in self.pending)
        if acknowledged:
            self._last_progress = now
            self.stats.acknowledged += acknowledged
            if not any(request.unsent for request in self.pending):
                self._note_connection()
        self._report(now)
        if not self.pending:
            self._last_progress = now
        elif self._link is not None and now - self._last_progress > _STALLED_SECONDS:
            self._start_over(self.outage or f"no acknowledgement for {_STALLED_SECONDS:g} s")

    def _collect(self, request: Request) -> int:
        """Look at what is in flight: acknowledged records leave, failed ones are to be sent again."""
        still: list[tuple[OutgoingRecord, Answer]] = []
        acknowledged = 0
        for record, answer in request.in_flight:
            if answer.succeeded():
                acknowledged += 1
            elif answer.failed() and self._link is not None and self._link.is_final(answer.exception):
                _refuse(request, record, answer.exception)
            elif answer.failed():
                request.unsent.append(record)
                self._note_outage(f"{record.topic}: {answer.exception}")
            else:
                still.append((record, answer))
        request.in_flight = still
        return acknowledged

    def _report(self, now: float) -> None:
        for request in self.pending:
            if not request.finished and now >= request.deadline:
                if self.outage is None and self._last_progress < request.submitted:  # nothing acknowledged since
                    self._note_outage("no answer")
                request.error = PublishFailed(f"Kafka did not take the records in time: {self.outage or 'no answer'}")
        finished = [request for request in self.pending if request.finished]
        self.pending = [request for request in self.pending if not request.finished]
        for request in finished:
            if request.refused and request.error is None:
                request.error = NeverPublished(request.refused, request.why_refused)
            if request.error is None:
                self.stats.latency.observe(now - request.submitted)
            else:
                self.stats.failed += len(request.unsent) + len(request.in_flight) + len(request.refused)
        self._queue.release(finished)
        tell([(request.waiter, request.error) for request in finished])

    def _start_over(self, why: str) -> None:
        self._note_outage(why)
        for request in self.pending:
            request.unsent += [record for record, _ in request.in_flight]
            request.in_flight = []
        self._disconnect()

    def _disconnect(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            link.close()

    def _note_outage(self, why: str) -> None:
        if self.outage is None:
            log.warning("Kafka does not take records: %s", why)
        self.outage = why

    def _note_connection(self) -> None:
        if self.outage is not None:
            log.info("Kafka takes records")
        self.outage = None


def _refuse(request: Request, record: OutgoingRecord, why: Exception | None) -> None:
    log.error("Kafka never takes a record of %d bytes for %s: %s", len(record.value), record.topic, why)
    request.refused.append(record)
    request.why_refused = str(why)
