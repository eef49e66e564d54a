"""Kafka in memory, and calls of the agents that stop before each of their reads, writes and sends."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final
from uuid import UUID

from aiokafka.errors import KafkaConnectionError

from schemas.topics import BUCKETS, CLASSIFIED, DEAD_LETTERS, EVENTS, PARTITIONS, PERSONS
from stream_processors.classify import ClassifyAgent
from stream_processors.derive import DeriveAgent
from stream_processors.fetches import Fetch, Handle, Record
from stream_processors.keep_dead_letters import KeepDeadLettersAgent
from stream_processors.log import Log, Outgoing
from stream_processors.roll_up import Recent, RollUpAgent
from stream_processors.store import Bucket, HasMinute, Node, Row, Store
from tests.stream_processors.memory_store import MemoryStore, Step

READ: Final = (EVENTS.name, PERSONS.name, BUCKETS.name, DEAD_LETTERS.name)
Place = tuple[str, int]  # topic, partition
_partition_of: Final = Log("", partitions=PARTITIONS)._partition


@dataclass
class SimulatedLog:
    """The topics of one generation of the broker."""

    generation: int = 0
    alive: bool = True
    records: defaultdict[Place, list[Record]] = field(default_factory=lambda: defaultdict(list))
    committed: defaultdict[Place, int] = field(default_factory=lambda: defaultdict(int))

    def append(self, record: Outgoing) -> None:
        if not self.alive:
            raise KafkaConnectionError("the broker is gone")
        found = self.records[record.topic, _partition_of(record)]
        found.append(Record(record.key, record.value, len(found), 0))

    def unread(self, place: Place, position: int) -> int:
        return len(self.records[place]) - position


class SteppedStore(Store):
    """The real store, which waits for its turn before each operation."""

    def __init__(self, store: Store, step: Step) -> None:
        self._store = store.stepped(step) if isinstance(store, MemoryStore) else store
        self._step = step

    async def insert(self, table: str, rows: Sequence[Row]) -> None:
        if rows:
            await self._step(f"insert {table}")
            await self._store.insert(table, rows)

    async def first_times(self, events: Iterable[tuple[str, UUID]]) -> dict[tuple[str, UUID], int]:
        wanted = list(events)
        if not wanted:
            return {}
        await self._step("first_times")
        return await self._store.first_times(wanted)

    async def corrected_times(self, events: Iterable[tuple[str, UUID]]) -> dict[tuple[str, UUID], int]:
        wanted = list(events)
        if not wanted:
            return {}
        await self._step("corrected_times")
        return await self._store.corrected_times(wanted)

    async def history(self, nodes: Sequence[Node]) -> Sequence[Row]:
        await self._step("history")
        return await self._store.history(nodes)

    async def marks(self, nodes: Sequence[Node]) -> Sequence[Row]:
        await self._step("marks")
        return await self._store.marks(nodes)

    async def derived(self, nodes: Sequence[Node]) -> Sequence[Row]:
        await self._step("derived")
        return await self._store.derived(nodes)

    async def events(self, keys: Mapping[tuple[str, UUID], HasMinute]) -> Sequence[Row]:
        if not keys:
            return []
        await self._step("events")
        return await self._store.events(keys)

    async def recompute(self, buckets: Sequence[Bucket], lead_names: Sequence[str]) -> None:
        await self._step("recompute")
        await self._store.recompute(buckets, lead_names)

    async def crossed(self, buckets: Sequence[Bucket]) -> set[tuple[str, int]]:
        await self._step("crossed")
        return await self._store.crossed(buckets)


class SteppedLog(Log):
    """Sends to the simulated topics; a call that is stopped in the middle has sent a part."""

    def __init__(self, log: SimulatedLog, step: Step, random: Random) -> None:
        self._log, self._step, self._random = log, step, random

    async def send(self, records: Iterable[Outgoing]) -> None:
        wanted = [record for record in records if record.topic != CLASSIFIED.name]
        if not wanted:
            return
        await self._step("send")
        cut = self._random.randrange(len(wanted)) if self._random.random() < 0.3 else 0
        for record in wanted[:cut]:
            self._log.append(record)
        if cut:
            await self._step("send")
        for record in wanted[cut:]:
            self._log.append(record)


def agents(store: Store, log: Log, generation: int, recent: Recent | None = None) -> Mapping[str, Handle]:
    return {
        EVENTS.name: ClassifyAgent(store, log),
        PERSONS.name: DeriveAgent(store, log, generation),
        BUCKETS.name: RollUpAgent(store, generation, recent),
        DEAD_LETTERS.name: KeepDeadLettersAgent(store),
    }


class Call:
    """One call of an agent with some fetches, which goes on only when it is told to."""

    def __init__(
        self, worker: str, topic: str, fetches: Sequence[Fetch], epochs: Mapping[Place, int], speed: float = 1
    ) -> None:
        self.worker, self.topic, self.fetches, self.epochs, self.speed = worker, topic, fetches, epochs, speed
        self.superseded = False
        self.next = ""  # the operation before which it waits
        self._go, self._waits = asyncio.Event(), asyncio.Event()
        self._task: asyncio.Task[Sequence[Fetch] | None] | None = None

    async def step(self, operation: str) -> None:
        self.next = operation
        self._go.clear()
        self._waits.set()
        await self._go.wait()

    async def advance(self, handle: Handle) -> bool:
        """Until it waits again, or ends: then true."""
        self._waits.clear()
        if self._task is None:
            self._task = asyncio.create_task(handle(self.fetches))  # type: ignore[arg-type]
        self._go.set()
        waits = asyncio.ensure_future(self._waits.wait())
        await asyncio.wait({self._task, waits}, return_when=asyncio.FIRST_COMPLETED)
        waits.cancel()
        return self._task.done()

    async def advance_to(self, handle: Handle, operation: str) -> None:
        """Until it waits before the operation."""
        while not await self.advance(handle):
            if self.next == operation:
                return
        raise AssertionError(f"it ended without {operation}")

    def failed(self) -> bool:
        assert self._task is not None
        if error := self._task.exception():
            if isinstance(error, KafkaConnectionError):
                return True
            raise error
        return False

    @property
    def kept(self) -> Sequence[Fetch]:
        """What the agent wants again."""
        assert self._task is not None
        return self._task.result() or ()

    async def kill(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
