"""The receive path: Faust's Kafka consumer, handing on whole fetches as messages, without losing any in rebalances.

Faust spends about 60 µs on every message before an agent sees it; with some thousand records in one message that no
longer matters. Its offset bookkeeping cannot do that safely, so it is replaced here:

- A message's offset is that of its last record. What may be committed is the end of the acknowledged head of a
  first-in-first-out queue per partition, so acknowledgements may come in any order, late, or never.
- What was fetched is either handed on or fetched again. `_expected` is the next offset of each partition that is not
  yet handed on; a fetch that starts behind it proves a lost one, and the position is put back.

Committed offsets look right even where records are lost; tests must compare records.
"""

import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from aiokafka.errors import IllegalStateError
from faust.transport.consumer import ensure_TP
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import ConsumerMessage

from stream_processors.fetches import Fetch, Record, split
from stream_processors.in_flight import InFlight
from stream_processors.watchdog import Progress

Batch = Sequence[Any]  # of aiokafka's ConsumerRecord

_FETCH_WAIT_MS = 50
_FETCH_MIN_BYTES = 256 * 1024
_POLL_SECONDS = 0.05  # how soon a partition is fetched again after its buffer drained


@dataclass(frozen=True)
class Gathering:
    """How much one poll brings, and how it is cut into messages."""

    seconds: float = 0.2  # waited for more after the first records
    max_records: int = 4000  # ends the waiting, and per message
    max_bytes: int = 4 * 1024 * 1024  # of values, per message: brokers send more than they are asked for
    clock: Callable[[], float] = time.monotonic


class _FetchThread(driver.AIOKafkaConsumerThread):
    """Faust's consumer thread, with a shorter wait of the broker for records."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        # Faust lets a broker wait for 1.5 s. The embedded one does not look for new records before that is over.
        consumer._fetch_max_wait_ms = _FETCH_WAIT_MS
        consumer._fetch_min_bytes = _FETCH_MIN_BYTES
        return consumer


class FetchConsumer(driver.Consumer):
    """One message per fetch and partition. Not for apps with Faust tables: their recovery needs single records."""

    def __init__(self, transport: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(transport, *args, **kwargs)
        self.gathering: Gathering = transport.gathering
        self.progress: Progress = transport.progress
        transport.consumer = self
        self.in_flight: defaultdict[TP, InFlight] = defaultdict(InFlight)
        self._expected: dict[TP, int] = {}
        self._behind: set[TP] = set()  # fetched further than handed on: to be put back to `_expected`
        self._gap_seen: dict[TP, int] = {}  # where a jump was met once; met again, it is the log's own

    def _new_consumer_thread(self) -> Any:
        return _FetchThread(self, loop=self.loop, beacon=self.beacon)

    async def on_first_start(self) -> None:
        self.transport.on_start()  # type: ignore[attr-defined]  # ours
        await super().on_first_start()

    def heads(self) -> dict[tuple[str, int], int]:
        """The oldest offset of each partition that is not committed. May be called from other threads."""
        heads = {(tp.topic, tp.partition): flight.head for tp, flight in list(self.in_flight.items())}
        return {tp: head for tp, head in heads.items() if head is not None}

    @property
    def assigned(self) -> bool:
        """Whether it receives from any partition."""
        return bool(self._expected)

    # Commit position

    def _new_offset(self, tp: TP) -> int | None:
        self._acked[tp].clear()
        self._acked_index[tp].clear()
        return self.in_flight[tp].advance(self.app.consumer_generation_id)

    async def commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:
        # Faust waits for a commit that is under way and then makes none, though more was acknowledged since: a worker
        # that stops would leave that behind.
        await self.maybe_wait_for_commit_to_finish()
        return await super().commit(topics, start_new_transaction=start_new_transaction)

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Off: it crashes the worker while a position is being reset, and its clocks do not match (see watchdog)."""

    # Rebalances

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        self._forget(revoked)
        await super().on_partitions_revoked(revoked)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        # Everything: in between, a late fetch may have left traces of partitions that are somebody else's now.
        self._forget(set(self.in_flight) | set(self._expected) | assigned)
        await super().on_partitions_assigned(assigned, generation_id)

    def _forget(self, tps: Iterable[TP]) -> None:
        for tp in tps:
            self.in_flight.pop(tp, None)
            self._expected.pop(tp, None)
            self._gap_seen.pop(tp, None)
            self._behind.discard(tp)

    async def perform_seek(self) -> None:
        """Put every partition back to what is committed, or to its beginning where nothing is."""
        committed = {ensure_TP(tp): offset or 0 for tp, offset in (await self.seek_to_committed()).items()}
        # Faust leaves these where they are, perhaps behind a fetch that was dropped.
        fresh = [tp for tp, offset in committed.items() if not offset]
        if fresh:
            earliest = {ensure_TP(tp): offset for tp, offset in (await self.earliest_offsets(*fresh)).items()}
            await self.seek_wait(earliest)
            committed.update(earliest)
        self._forget(committed)  # all that is not committed comes again
        for tp, offset in committed.items():
            self._committed_offset[tp] = offset or None
            self._expected[tp] = offset

    async def seek(self, partition: TP, offset: int) -> None:
        self._expected[ensure_TP(partition)] = offset
        await super().seek(partition, offset)

    # Fetching

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Any]]:
        if not self.flow_active:
            await self.wait(self.can_resume_flow)  # type: ignore[arg-type]  # as Faust itself does
        generation = self.app.consumer_generation_id
        gathered = await self._gather(timeout, generation)
        self.progress.fetched()
        if not gathered or self.should_stop:
            return
        if not self.flow_active:
            # The fetch came back in the middle of a rebalance, and the position is already past it.
            await self._put_back()
            return
        for message in self._messages(gathered, generation):
            if not self._is_next(message, generation):
                self._behind.add(message.tp)
                continue
            self._expected[message.tp] = message.offset + 1
            self.in_flight[message.tp].add(message)
            # Or the drain loop would drop, silently, what it believes to have seen before, and collect gaps, of which
            # this consumer has none: they are inside messages.
            self._read_offset[message.tp] = None
            yield message.tp, message

    async def _gather(self, timeout: float, generation: int) -> Mapping[TP, Batch]:
        """Poll until there is something, then a little longer, so that a message holds many records."""
        await self._rewind()
        # A copy: the set changes while the consumer thread uses it, and an empty one means "all" to aiokafka.
        active = set(self._get_active_partitions())
        if not active:
            await self.sleep(_POLL_SECONDS)
            return {}
        gathered: dict[TP, list[Any]] = {}
        deadline = None
        while True:
            for tp, batch in (await self._getmany(active, timeout)).items():
                self._collect(gathered, ensure_TP(tp), batch)
            if not gathered:
                return {}
            now = self.gathering.clock()
            deadline = deadline or now + self.gathering.seconds
            timeout = deadline - now
            full = sum(map(len, gathered.values())) >= self.gathering.max_records
            if full or timeout <= 0 or not self._undisturbed(generation) or self.should_stop:
                return gathered

    def _collect(self, gathered: dict[TP, list[Any]], tp: TP, batch: Batch) -> None:
        so_far = gathered.setdefault(tp, [])
        if so_far and batch[0].offset != so_far[-1].offset + 1:
            self._behind.add(tp)  # let the next poll meet the jump at the start of a fetch, where it is judged
        else:
            so_far.extend(batch)

    def _messages(self, gathered: Mapping[TP, Batch], generation: int) -> Iterator[Any]:
        """The gathered records as messages, partitions in turn, without those that turn out to follow a lost fetch."""
        pieces = []
        for tp, batch in gathered.items():
            if self._continues(tp, batch[0].offset):
                self._track_end(tp)
                records = [Record(r.key, r.value, r.offset, r.timestamp or 0) for r in batch]
                pieces.append(
                    [
                        Fetch(tp.topic, tp.partition, part, generation)
                        for part in split(records, self.gathering.max_records, self.gathering.max_bytes)
                    ]
                )
        for turn in zip_longest(*pieces):
            yield from (_message(fetch) for fetch in turn if fetch is not None)

    def _continues(self, tp: TP, first: int) -> bool:
        expected = self._expected.get(tp)
        if expected is not None and first <= expected:
            return True
        if expected is not None and self._gap_seen.get(tp) == expected:
            self.log.warning("Offsets %s to %s of %s do not exist any more.", expected, first - 1, tp)
            self._expected[tp] = first
            return True
        if expected is not None:
            self._gap_seen[tp] = expected
        self._behind.add(tp)
        return False

    def _is_next(self, message: Any, generation: int) -> bool:
        """Whether the message may still be handed on: much can happen while the previous one waited for space."""
        expected = self._expected.get(message.tp)
        return self._undisturbed(generation) and expected is not None and message.value.first_offset <= expected

    def _undisturbed(self, generation: int) -> bool:
        return self.flow_active and self.app.consumer_generation_id == generation

    async def _rewind(self) -> None:
        """Put partitions back to where handing on stopped, now: without new records no later fetch would show it."""
        lost = {tp: self._expected[tp] for tp in self._behind if tp in self._expected}
        if not lost:
            return
        self.log.warning("Fetching again what was not handed on: %s", lost)
        try:
            await self.seek_wait(lost)
        except (IllegalStateError, TimeoutError) as error:
            self.log.info("Not now, a rebalance is going on: %r", error)
        else:
            self._behind.difference_update(lost)

    async def _put_back(self) -> None:
        if self.app.should_stop:
            return
        try:
            await self.perform_seek()
        except Exception as error:  # whatever it is, the end of the rebalance seeks again, and `_expected` guards
            self.log.info("Cannot seek in the middle of a rebalance: %r", error)

    def _track_end(self, tp: TP) -> None:
        """For the lag metrics, once per fetch."""
        with suppress(AssertionError, IllegalStateError):  # revoked in this very moment
            self.app.monitor.track_tp_end_offset(tp, self.highwater(tp))


def _message(fetch: Fetch) -> Any:
    last = fetch.records[-1]
    message: Any = ConsumerMessage(
        fetch.topic,
        fetch.partition,
        offset=last.offset,
        timestamp=last.timestamp_ms / 1000,
        timestamp_type=0,
        headers=None,
        key=None,
        value=None,
        checksum=None,
        serialized_value_size=sum(len(record.value or b"") for record in fetch.records),
        tp=TP(fetch.topic, fetch.partition),
        generation_id=fetch.generation,
    )
    message.value = fetch
    return message
