"""Between accepting an event and Kafka: when an event counts as accepted, and what is done with the spool later.

`always`: the spool has it, and Kafka gets it in the background. Segments stay, whoever checks what is stored deletes
them (`raceline up`). `fallback`: Kafka has it, or else the spool; the spool is emptied into Kafka when Kafka is back.
One folder is used in one mode.
"""

import asyncio
import fcntl
import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import orjson

from producers.outgoing import NeverPublished, OutgoingRecord, PublisherClosed, PublisherFull, PublishFailed
from producers.publisher import Publisher
from producers.spool import Segment, Spool, SpoolFull, is_abandoned, read_events, segment_at, segments
from schemas.events import Event, event_json
from schemas.rejection import DeadLetter, RejectReason, dead_letter_id
from schemas.topics import DEAD_LETTERS, EVENTS

log = logging.getLogger(__name__)

_KAFKA_SECONDS = 2.0  # how long an answer may wait for Kafka before the spool takes the events
_DRAIN_SECONDS = 10.0
_TICK_SECONDS = 1.0
_PAYLOAD_KEPT = 500  # characters, of an event that Kafka does not even take in a dead letter
_NOT_PUBLISHED = (PublishFailed, PublisherFull, PublisherClosed)


class Unavailable(Exception):
    """Neither Kafka nor the spool takes events now: the sender must retry."""


@dataclass
class DeliveryStats:
    spooled: int = 0
    drained: int = 0
    dead_letters: int = 0
    dead_letters_lost: int = 0


@dataclass
class Delivery:
    """One per process; `running` starts and ends what it needs. `folder` is the spool's."""

    publisher: Publisher
    spool: Spool
    folder: Path
    mode: Literal["always", "fallback"]
    stats: DeliveryStats = field(default_factory=DeliveryStats)
    _unsent: set[Path] = field(default_factory=set)  # `always`: segments with events that the publisher could not take

    async def accept(self, events: Sequence[Event]) -> None:
        """Returns when all of them are safe: they survive a `kill -9` of this process. Raises Unavailable."""
        records = [event_record(event) for event in events]
        if self.mode == "always":
            await self._spool_and_forward(records)
        elif not await self._published(records):
            await self._append(records)

    def keep_refused(self, letters: Sequence[DeadLetter]) -> None:
        """Send them to the dead letters in the background. They may get lost in an outage: their senders were told."""
        for letter in letters:
            try:
                self.publisher.enqueue([_letter_record(letter)], timeout=_DRAIN_SECONDS)
                self.stats.dead_letters += 1
            except (PublisherFull, PublisherClosed):
                self.stats.dead_letters_lost += 1

    @property
    def ready(self) -> bool:
        return self.publisher.connected or self.spool.has_room

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Blocks at the end until what is pending is sent, at most some seconds; then the spool is closed."""
        self.publisher.start()
        tasks = [asyncio.create_task(self._rotate()), asyncio.create_task(self._drain_repeatedly())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.to_thread(self.publisher.close, 10.0 if self.publisher.connected else 0.5)
            await asyncio.gather(*tasks, return_exceptions=True)
            self.spool.close()

    async def _spool_and_forward(self, records: list[OutgoingRecord]) -> None:
        segment = await self._append(records)
        try:
            self.publisher.enqueue(records)
        except (PublisherFull, PublisherClosed):
            self._unsent.add(segment.with_suffix(".ndjson"))

    async def _published(self, records: list[OutgoingRecord]) -> bool:
        if not self.publisher.connected:  # do not let every sender wait while Kafka is known to be away
            return False
        try:
            await self.publisher.publish(records, _KAFKA_SECONDS)
        except _NOT_PUBLISHED:
            return False
        return True

    async def _append(self, records: list[OutgoingRecord]) -> Path:
        lines = [record.value for record in records]
        try:
            # A write to the page cache is quicker than a thread hop, a sync is not.
            append = self.spool.append
            path = await asyncio.to_thread(append, lines) if self.spool.fsync else append(lines)
        except SpoolFull as error:
            raise Unavailable(str(error)) from error
        self.stats.spooled += len(lines)
        return path

    async def _rotate(self) -> None:
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            try:
                self.spool.rotate_if_due()
            except OSError:
                log.exception("the spool %s cannot be written", self.folder)

    async def _drain_repeatedly(self) -> None:
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            try:
                await asyncio.to_thread(self.drain)
            except _NOT_PUBLISHED as error:
                log.debug("the spool stays as it is: %s", error)
            except Exception:  # whatever it is, the next attempt must come
                log.exception("the spool %s could not be sent to Kafka", self.folder)

    def drain(self) -> None:
        """Publish what waits in the spool, oldest first. Blocks; raises what `Publisher.publish_all` raises."""
        if self.mode == "always":
            self._drain_unsent()
            return
        with _alone(self.folder) as alone:
            for segment in segments(self.folder) if alone else ():
                if not segment.is_open or is_abandoned(segment):
                    self._publish(segment)
                    segment.path.unlink(missing_ok=True)

    def _drain_unsent(self) -> None:
        for path in sorted(self._unsent.copy()):
            # In this order: when the open one is gone, the complete one has appeared, and may be stored and deleted.
            if path.with_suffix(".open").exists():
                continue
            segment = segment_at(path)
            if segment is not None and path.exists():
                self._publish(segment)
            self._unsent.discard(path)

    def _publish(self, segment: Segment) -> None:
        refused: set[bytes] = set()
        while True:
            records = (record for record in spooled_records(segment) if record.value not in refused)
            try:
                self.stats.drained += self.publisher.publish_all(records, timeout=_DRAIN_SECONDS)
            except FileNotFoundError:  # stored and deleted meanwhile
                return
            except NeverPublished as error:  # the rest goes again: nobody can say what of it has arrived
                for record in error.refused:
                    self._give_up(record, str(error))
                    refused.add(record.value)
            else:
                return

    def _give_up(self, record: OutgoingRecord, why: str) -> None:
        """Make it a dead letter: else all that was spooled after it would wait behind it for ever."""
        letter = _too_large(record.value, why)
        log.error("event %s of site %s is given up: %s", letter.event_id, letter.site_id, why)
        # Kafka may refuse the letter for the same reason. A short one cannot be retried, but it is seen.
        for kept in (letter, letter.model_copy(update={"payload": letter.payload[:_PAYLOAD_KEPT]})):
            with suppress(NeverPublished):
                self.publisher.publish_all([_letter_record(kept)], timeout=_DRAIN_SECONDS)
                self.stats.dead_letters += 1
                return
        self.stats.dead_letters_lost += 1


def spooled_records(segment: Segment) -> Iterator[OutgoingRecord]:
    """The segment's events as they were to be published. Raises FileNotFoundError when it is gone."""
    for line in read_events(segment):
        try:
            event = orjson.loads(line)
        except orjson.JSONDecodeError:
            log.warning("%s holds a line that is not JSON", segment.path)
            continue
        yield OutgoingRecord(EVENTS.name, _key(event.get("user_id") or event.get("visitor_id")), line)


def event_record(event: Event) -> OutgoingRecord:
    """The event as it is published, and as its line in the spool."""
    return OutgoingRecord(EVENTS.name, _key(event.kafka_key()), event_json(event))


def _letter_record(letter: DeadLetter) -> OutgoingRecord:
    return OutgoingRecord(DEAD_LETTERS.name, str(letter.dead_letter_id).encode(), letter.model_dump_json().encode())


def _too_large(payload: bytes, why: str) -> DeadLetter:
    event = orjson.loads(payload)
    return DeadLetter(
        dead_letter_id=dead_letter_id(payload, RejectReason.TOO_LARGE),
        reason=RejectReason.TOO_LARGE,
        detail=why,
        refused_by="collector",
        refused_at=datetime.now(UTC),
        site_id=event["site_id"],
        event_id=event["event_id"],
        payload=payload.decode(),
    )


def _key(key: str | None) -> bytes | None:
    return None if key is None else key.encode()


@contextmanager
def _alone(folder: Path) -> Iterator[bool]:
    """Whether no other process empties this folder now."""
    with (folder / ".drain").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
