"""One worker that handles what is sent to it in order, and calls that a test lets go on when it wants to."""

from collections import defaultdict
from collections.abc import Iterable
from random import Random

from schemas.events import Event
from schemas.topics import PARTITIONS
from stream_processors.fetches import Fetch, Handle
from stream_processors.store import Store
from tests.stream_processors.memory_store import at_once
from tests.stream_processors.random_events import record
from tests.stream_processors.simulated_log import READ, Call, Place, SimulatedLog, SteppedLog, SteppedStore, agents


class CalmWorker:
    def __init__(self, store: Store, log: SimulatedLog | None = None) -> None:
        self._store = store
        self.log = log or SimulatedLog()
        self._position: defaultdict[Place, int] = defaultdict(int)
        self._handles = agents(store, SteppedLog(self.log, at_once, Random(0)), self.log.generation)

    async def deliver(self, events: Iterable[Event]) -> None:
        """Until nothing is left to do."""
        self.send(events)
        while any([await self.handle(topic) for topic in READ]):
            pass

    def send(self, events: Iterable[Event]) -> None:
        for event in events:
            self.log.append(record(event))

    async def handle(self, topic: str) -> bool:
        """All that is unread of the topic now, in one call; false when that is nothing."""
        fetches = self._fetches(topic)
        if fetches:
            await self._handles[topic](fetches)
        for fetch in fetches:
            self._position[fetch.topic, fetch.partition] = fetch.last_offset + 1
        return bool(fetches)

    def call(self, topic: str) -> tuple[Call, Handle]:
        """A call with all that is unread, which stays unread: for another worker, who takes the partitions over."""
        call = Call("zombie", topic, self._fetches(topic), {})
        log = SteppedLog(self.log, call.step, Random(0))
        return call, agents(SteppedStore(self._store, call.step), log, self.log.generation)[topic]

    def _fetches(self, topic: str) -> list[Fetch]:
        places = [(topic, partition) for partition in range(PARTITIONS)]
        unread = {place: self.log.records[place][self._position[place] :] for place in places}
        return [Fetch(*place, records, 0) for place, records in unread.items() if records]
