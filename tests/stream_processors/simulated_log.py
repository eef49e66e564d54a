"""Kafka in memory and several workers on it, driven one operation at a time by a random number generator.

A call of an agent stops before each of its reads, writes and sends. Between two of its steps anything may happen: other
calls go on, its partitions move to another worker that reads again what was not acknowledged, or its worker dies.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final, Protocol
from uuid import UUID

from aiokafka.errors import KafkaConnectionError

from schemas.topics import BUCKETS, CLASSIFIED, DEAD_LETTERS, EVENTS, PARTITIONS, PERSONS
from stream_processors.classify import ClassifyAgent
from stream_processors.derive import DeriveAgent
from stream_processors.fetches import Fetch, Handle, Record
from stream_processors.keep_dead_letters import KeepDeadLettersAgent
from stream_processors.log import Log, Outgoing
from stream_processors.roll_up import RollUpAgent
from stream_processors.store import Node, Row, Store

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


class Step(Protocol):
    async def __call__(self) -> None: ...


class SteppedStore(Store):
    """The real store, which waits for its turn before each operation."""

    def __init__(self, store: Store, step: Step) -> None:
        self._store, self._step = store, step

    async def insert(self, table: str, rows: Sequence[Row]) -> None:
        if rows:
            await self._step()
            await self._store.insert(table, rows)

    async def first_times(self, events: Iterable[tuple[str, UUID]]) -> dict[tuple[str, UUID], int]:
        wanted = list(events)
        if not wanted:
            return {}
        await self._step()
        return await self._store.first_times(wanted)

    async def history(self, nodes: Sequence[Node]) -> Sequence[Row]:
        await self._step()
        return await self._store.history(nodes)

    async def marks(self, nodes: Sequence[Node]) -> Sequence[Row]:
        await self._step()
        return await self._store.marks(nodes)

    async def derived(self, nodes: Sequence[Node]) -> Sequence[Row]:
        await self._step()
        return await self._store.derived(nodes)

    async def recompute(self, buckets: Sequence[tuple[str, int, int]], lead_names: Sequence[str]) -> None:
        await self._step()
        await self._store.recompute(buckets, lead_names)


class SteppedLog(Log):
    """Sends to the simulated topics; a call that is stopped in the middle has sent a part."""

    def __init__(self, log: SimulatedLog, step: Step, random: Random) -> None:
        self._log, self._step, self._random = log, step, random

    async def send(self, records: Iterable[Outgoing]) -> None:
        wanted = [record for record in records if record.topic != CLASSIFIED.name]
        if not wanted:
            return
        await self._step()
        cut = self._random.randrange(len(wanted)) if self._random.random() < 0.3 else 0
        for record in wanted[:cut]:
            self._log.append(record)
        if cut:
            await self._step()
        for record in wanted[cut:]:
            self._log.append(record)


def agents(store: Store, log: Log, generation: int) -> Mapping[str, Handle]:
    return {
        EVENTS.name: ClassifyAgent(store, log),
        PERSONS.name: DeriveAgent(store, log, generation),
        BUCKETS.name: RollUpAgent(store, generation),
        DEAD_LETTERS.name: KeepDeadLettersAgent(store),
    }


class Call:
    """One call of an agent with some fetches, which goes on only when it is told to."""

    def __init__(
        self, worker: str, topic: str, fetches: Sequence[Fetch], epochs: Mapping[Place, int], speed: float
    ) -> None:
        self.worker, self.topic, self.fetches, self.epochs, self.speed = worker, topic, fetches, epochs, speed
        self.superseded = False
        self._go, self._waits = asyncio.Event(), asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def step(self) -> None:
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

    def failed(self) -> bool:
        assert self._task is not None
        if error := self._task.exception():
            if isinstance(error, KafkaConnectionError):
                return True
            raise error
        return False

    async def kill(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})


@dataclass(frozen=True)
class Chances:
    """How likely each kind of trouble is, per action."""

    rebalance: float = 0.03
    crash: float = 0.02


class Simulation:
    def __init__(self, store: Store, random: Random, workers: int = 3, chances: Chances = Chances()) -> None:
        self._store, self._random, self._chances = store, random, chances
        self._workers = [f"worker-{number}" for number in range(workers)]
        self.log = SimulatedLog()
        self._owner: dict[Place, str] = {}
        self._epoch: defaultdict[Place, int] = defaultdict(int)
        self._position: defaultdict[Place, int] = defaultdict(int)
        self._calls: list[tuple[Call, Handle]] = []
        self._assign([(topic, partition) for topic in READ for partition in range(PARTITIONS)])

    async def run(self, events: Sequence[Outgoing], *, roll_at: int | None = None) -> None:
        """Sends the events while all goes wrong that may, then lets everything come to rest."""
        waiting = list(events)
        sent = 0
        for _ in range(5000 + 300 * len(events)):
            if waiting and self._random.random() < 0.3:
                self.log.append(waiting.pop(0))
                sent += 1
                if sent == roll_at:
                    await self._roll(events[:sent])
            elif not await self._act(calm=not waiting) and not waiting:
                return
        raise AssertionError("it does not come to rest")

    async def _act(self, *, calm: bool) -> bool:
        """One random action; false when there is nothing to do."""
        dice = self._random.random() * (4 if calm else 1)
        if dice < self._chances.rebalance:
            self._move()
            return True
        if dice < self._chances.rebalance + self._chances.crash:
            await self._crash()
            return True
        startable = self._startable()
        if startable and (not self._calls or self._random.random() < 0.4):
            self._start(*self._random.choice(startable))
        elif not self._calls:
            return False
        speeds = [call.speed for call, _ in self._calls]
        index = self._random.choices(range(len(self._calls)), speeds)[0]
        call, handle = self._calls[index]
        if await call.advance(handle):
            self._calls.pop(index)
            self._ended(call)
        return True

    def _ended(self, call: Call) -> None:
        if call.failed():
            assert call.superseded
            return
        for fetch in call.fetches:
            place = fetch.topic, fetch.partition
            if call.epochs[place] == self._epoch[place]:
                self.log.committed[place] = fetch.last_offset + 1

    def _startable(self) -> list[tuple[str, str]]:
        busy = {(call.worker, call.topic) for call, _ in self._calls if not call.superseded}
        unread = {
            (owner, place[0])
            for place, owner in self._owner.items()
            if self.log.unread(place, self._position[place]) > 0
        }
        return sorted(unread - busy)

    def _start(self, worker: str, topic: str) -> None:
        places = [
            place
            for place, owner in self._owner.items()
            if owner == worker and place[0] == topic and self.log.unread(place, self._position[place]) > 0
        ]
        fetches = [self._fetch(place) for place in self._some(places)]
        epochs = {(fetch.topic, fetch.partition): self._epoch[fetch.topic, fetch.partition] for fetch in fetches}
        call = Call(worker, topic, fetches, epochs, speed=self._random.choice([1, 1, 0.02]))
        log = SteppedLog(self.log, call.step, self._random)
        self._calls.append((call, agents(SteppedStore(self._store, call.step), log, self.log.generation)[topic]))

    def _fetch(self, place: Place) -> Fetch:
        start = self._position[place]
        size = self._random.randint(1, self.log.unread(place, start))
        self._position[place] = start + size
        return Fetch(*place, self.log.records[place][start : start + size], self._epoch[place])

    def _some(self, places: Sequence[Place]) -> list[Place]:
        return self._random.sample(places, self._random.randint(1, len(places)))

    def _move(self) -> None:
        """Some partitions get other owners, who begin at what was committed; running calls become zombies."""
        moved = self._some(list(self._owner))
        self._assign(moved)
        for call, _ in self._calls:
            if any(place in call.epochs for place in moved):
                call.superseded = True

    def _assign(self, places: Iterable[Place]) -> None:
        for place in places:
            self._owner[place] = self._random.choice(self._workers)
            self._epoch[place] += 1
            self._position[place] = self.log.committed[place]

    async def _crash(self) -> None:
        """A worker dies with the calls that it has in hand; a zombie has been dead for its partitions already."""
        worker = self._random.choice(self._workers)
        for call, handle in [*self._calls]:
            if call.worker == worker and not call.superseded:
                await call.kill()
                self._calls.remove((call, handle))
        self._assign([place for place, owner in self._owner.items() if owner == worker])

    async def _roll(self, again: Sequence[Outgoing]) -> None:
        """A fresh broker of the next generation, to which everything so far is sent again."""
        self.log.alive = False
        for call, handle in [*self._calls]:
            call.superseded = True
            if self._random.random() < 0.5:
                await call.kill()
                self._calls.remove((call, handle))
        self.log = SimulatedLog(self.log.generation + 1)
        self._assign(list(self._owner))
        for record in again:
            self.log.append(record)

    async def close(self) -> None:
        for call, _ in self._calls:
            await call.kill()
