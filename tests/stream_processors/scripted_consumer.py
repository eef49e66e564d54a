"""The real consumer, with Faust's own drain loop and commits, over a log in memory instead of a broker."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from types import SimpleNamespace
from typing import Any

import faust
from aiokafka.errors import IllegalStateError
from faust.types import TP

from stream_processors.consumer import FetchConsumer
from stream_processors.transport import FetchTransport, install_transport

TOPIC = "t"
P0, P1 = TP(TOPIC, 0), TP(TOPIC, 1)
WAIT = 5.0


def record(tp: TP, offset: int) -> Any:
    value = b"%d" % offset
    return SimpleNamespace(topic=tp.topic, partition=tp.partition, offset=offset, timestamp=1000, key=None, value=value)


class ScriptedConsumer(FetchConsumer):
    """`log` holds the offsets that exist; what a poll brings is what was `put`, moving the position like aiokafka."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.stored: dict[TP, int | None] = {}  # offsets in the group coordinator
        self.log_of: dict[TP, list[int]] = {}
        self.at: dict[TP, int] = {}
        self.polls: asyncio.Queue[Callable[[], dict[TP, list[Any]]]] = asyncio.Queue()
        self.seeks: list[dict[TP, int]] = []
        self.polled_for: list[set[TP]] = []
        self.commits: list[dict[TP, int]] = []
        self.may_commit = asyncio.Event()  # as slow as the broker is
        self.may_commit.set()

    def put(self, tp: TP, offsets: Iterable[int], meanwhile: Callable[[], None] = lambda: None) -> None:
        """The next poll brings these records, whatever the position was; `meanwhile` happens while it waits."""
        batch = list(offsets)

        def poll() -> dict[TP, list[Any]]:
            meanwhile()
            self.at[tp] = batch[-1] + 1
            return {tp: [record(tp, offset) for offset in batch]}

        self.polls.put_nowait(poll)

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Any:
        assert active_partitions
        self.polled_for.append(set(active_partitions))
        try:
            found = (await asyncio.wait_for(self.polls.get(), min(timeout, 0.01)))()
        except TimeoutError:
            found = self._log_from_position(active_partitions)
        assert active_partitions, "an empty set means all partitions to aiokafka, also when it becomes empty meanwhile"
        return found

    def _log_from_position(self, active: set[TP]) -> dict[TP, list[Any]]:
        found = {}
        for tp in active & self.log_of.keys():
            offsets = [offset for offset in self.log_of[tp] if offset >= self.at.get(tp, 0)]
            if offsets:
                self.at[tp] = offsets[-1] + 1
                found[tp] = [record(tp, offset) for offset in offsets]
        return found

    async def seek_to_committed(self) -> Any:
        for tp, offset in self.stored.items():
            if offset:  # like aiokafka, which leaves the others where they are
                self.at[tp] = offset
        return dict(self.stored)

    async def earliest_offsets(self, *partitions: TP) -> Any:
        return {tp: (self.log_of.get(tp) or [0])[0] for tp in partitions}

    async def seek_wait(self, partitions: Any) -> None:
        for tp in partitions:
            if tp not in self.stored:
                raise IllegalStateError(f"No current assignment for partition {tp}")
        self.seeks.append(dict(partitions))
        self.at.update(partitions)

    async def _commit(self, offsets: Any) -> bool:
        self.commits.append(dict(offsets))
        await self.may_commit.wait()
        self.stored.update(offsets)
        return True

    def assignment(self) -> set[TP]:
        return set(self.stored)

    def highwater(self, tp: TP) -> int:
        return self.at.get(tp, 0)


class ScriptedTransport(FetchTransport):
    Consumer = ScriptedConsumer


class Rig:
    """A consumer that drains into `messages`, as streams would that never get around to acknowledge."""

    def __init__(self, *, gather_seconds: float = 0.0, max_records: int = 4000) -> None:
        app = self.app = faust.App("rig", broker="kafka://127.0.0.1:1")
        install_transport(app, gather_seconds=gather_seconds, max_records=max_records)
        installed: Any = app.transport
        app.transport = ScriptedTransport(app, installed.gathering, installed.progress)
        app.producer.flush = _nothing  # type: ignore[method-assign]
        app.topics._acking_topics.add(TOPIC)  # type: ignore[attr-defined]
        self.messages: list[Any] = []
        self.deliver: Callable[[Any], Awaitable[None]] = _nothing
        consumer: Any = app.transport.create_consumer(
            callback=self._callback, on_partitions_revoked=_nothing, on_partitions_assigned=_nothing
        )
        self.consumer: ScriptedConsumer = consumer
        self._fetcher = SimpleNamespace(_stopped=asyncio.Event())
        self._drain: asyncio.Task[None] | None = None

    async def _callback(self, message: Any) -> None:
        await self.deliver(message)
        message.incref(1)
        self.messages.append(message)

    async def revoke(self) -> None:
        """The first half of a rebalance as Faust does it."""
        self.consumer.stop_flow()
        await self.consumer.on_partitions_revoked(self.consumer.assignment())

    async def assign(self, stored: dict[TP, int | None], generation: int = 1) -> None:
        """The second half, up to the point where messages flow again."""
        consumer = self.consumer
        self.app.consumer_generation_id = generation
        consumer.stored = dict(stored)
        consumer.at = dict.fromkeys(stored, 0)
        await consumer.on_partitions_assigned(set(stored), generation)
        await consumer.perform_seek()
        consumer.resume_flow()
        if self._drain is None:
            self._drain = asyncio.ensure_future(consumer._drain_messages(self._fetcher))  # type: ignore[arg-type]

    async def rebalance(self, stored: dict[TP, int | None], generation: int) -> None:
        await self.revoke()
        await self.assign(stored, generation)

    async def receive(self, count: int) -> list[Any]:
        """All messages so far, once there are `count`."""
        await self.until(lambda: len(self.messages) >= count)
        assert len(self.messages) == count, self.spans()
        return self.messages

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(WAIT):
            while not condition():
                if self._drain is not None and self._drain.done():
                    self._drain.result()
                await asyncio.sleep(0.001)

    async def settle(self) -> None:
        """Time for what should not happen to happen: several polls."""
        polls = len(self.consumer.polled_for)
        await self.until(lambda: len(self.consumer.polled_for) > polls + 3)

    def ack(self, *indexes: int) -> None:
        for index in indexes:
            self.messages[index].ack(self.consumer)

    async def commit(self, tp: TP = P0) -> int | None:
        await self.consumer.commit()
        return self.consumer.stored.get(tp)

    def spans(self) -> list[tuple[int, int]]:
        return [(message.value.first_offset, message.value.last_offset) for message in self.messages]

    async def close(self) -> None:
        self._fetcher._stopped.set()
        if self._drain is not None:
            self._drain.cancel()
            await asyncio.wait({self._drain}, timeout=WAIT)
        self.consumer._thread.thread_loop.close()  # of the thread that was never started


async def _nothing(*_: Any) -> None: ...


Scenario = Callable[[Rig], Coroutine[Any, Any, None]]


def play(scenario: Scenario, stored: dict[TP, int | None] | None = None, **options: Any) -> None:
    async def run() -> None:
        rig = Rig(**options)
        try:
            await rig.assign({P0: None} if stored is None else stored)
            await scenario(rig)
        finally:
            await rig.close()

    asyncio.run(run())
