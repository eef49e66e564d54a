"""Several workers on a Kafka in memory, driven one operation at a time by a random number generator.

Between two steps of a call anything may happen: other calls go on, its partitions move to another worker that reads
again what was not acknowledged, its worker dies, or the broker is replaced by an empty one.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from random import Random

from schemas.topics import PARTITIONS
from stream_processors.fetches import Fetch, Handle
from stream_processors.log import Outgoing
from stream_processors.roll_up import Recent
from stream_processors.store import Store
from tests.stream_processors.simulated_log import READ, Call, Place, SimulatedLog, SteppedLog, SteppedStore, agents


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
        self._kept: defaultdict[Place, list[Fetch]] = defaultdict(list)  # what its owner's agent wants again
        self._now = 0.0
        self._recent = {worker: Recent(seconds=5, clock=lambda: self._now) for worker in self._workers}
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
        self._now += self._random.random()
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
        kept = {id(fetch) for fetch in call.kept}
        for fetch in call.fetches:
            place = fetch.topic, fetch.partition
            if call.epochs[place] != self._epoch[place]:
                continue
            if id(fetch) in kept:
                self._kept[place].append(fetch)
            if self._kept[place]:  # nothing behind it is committed
                self.log.committed[place] = self._kept[place][0].first_offset
            else:
                self.log.committed[place] = fetch.last_offset + 1

    def _startable(self) -> list[tuple[str, str]]:
        busy = {(call.worker, call.topic) for call, _ in self._calls if not call.superseded}
        unread = {
            (owner, place[0])
            for place, owner in self._owner.items()
            if self._kept[place] or self.log.unread(place, self._position[place]) > 0
        }
        return sorted(unread - busy)

    def _start(self, worker: str, topic: str) -> None:
        places = [
            place
            for place, owner in self._owner.items()
            if owner == worker and place[0] == topic and self.log.unread(place, self._position[place]) > 0
        ]
        again = [place for place, owner in self._owner.items() if owner == worker and place[0] == topic]
        fetches = [fetch for place in again for fetch in self._kept.pop(place, [])]
        fetches += [self._fetch(place) for place in self._some(places)]
        epochs = {(fetch.topic, fetch.partition): self._epoch[fetch.topic, fetch.partition] for fetch in fetches}
        call = Call(worker, topic, fetches, epochs, speed=self._random.choice([1, 1, 0.02]))
        log = SteppedLog(self.log, call.step, self._random)
        handles = agents(SteppedStore(self._store, call.step), log, self.log.generation, self._recent[worker])
        self._calls.append((call, handles[topic]))

    def _fetch(self, place: Place) -> Fetch:
        start = self._position[place]
        size = self._random.randint(1, self.log.unread(place, start))
        self._position[place] = start + size
        return Fetch(*place, self.log.records[place][start : start + size], self._epoch[place])

    def _some(self, places: Sequence[Place]) -> list[Place]:
        return self._random.sample(places, self._random.randint(1, len(places))) if places else []

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
            self._kept.pop(place, None)

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
