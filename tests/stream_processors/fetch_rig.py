"""The loop that every agent runs, with a stream and a sink that tests hold in their hands."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from types import SimpleNamespace
from typing import Any

from stream_processors.fetches import Fetch, Handle, Pace, Record, handle_fetches
from stream_processors.watchdog import Progress

WAIT = 5.0
QUICK = Pace(first_backoff=0.001, longest_backoff=0.002, stop=0.1, most_fetches=3)


class SinkDown(Exception):
    pass


class Event:
    def __init__(self, offset: int, generation: int = 1) -> None:
        self.message: Any = SimpleNamespace(topic="t", partition=0, generation_id=generation, value=b"")
        self.value = Fetch("t", 0, (Record(None, b"x", offset, 0),), generation)
        self.acked = False

    def ack(self) -> None:
        self.acked = True


class Stream:
    """A Faust stream as far as the loop uses it. None ends it."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[Event | None] = asyncio.Queue()
        self.manual = False

    def put(self, *offsets: int, generation: int = 1) -> list[Event]:
        events = [Event(offset, generation) for offset in offsets]
        for event in events:
            self.queue.put_nowait(event)
        return events

    def end(self) -> None:
        self.queue.put_nowait(None)

    def noack(self) -> "Stream":
        self.manual = True
        return self

    async def events(self) -> AsyncIterator[Event]:
        while event := await self.queue.get():
            yield event


class Sink:
    """Keeps what it was given; does what `behave` says first."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []
        self.behave: Callable[[], Coroutine[Any, Any, None]] | None = None
        self.wants_again: set[int] = set()

    async def handle(self, fetches: Sequence[Fetch]) -> Sequence[Fetch]:
        self.calls.append([fetch.first_offset for fetch in fetches])
        if self.behave is not None:
            await self.behave()
        return [fetch for fetch in fetches if fetch.first_offset in self.wants_again]


class Rig:
    def __init__(self) -> None:
        self.stream, self.sink = Stream(), Sink()
        self.app = SimpleNamespace(consumer_generation_id=1, transport=SimpleNamespace(progress=Progress()))

    def start(
        self, gather_seconds: float = 0.0, pace: Pace = QUICK, handle: Handle | None = None
    ) -> asyncio.Task[None]:
        return asyncio.ensure_future(
            handle_fetches(
                self.stream,
                handle or self.sink.handle,
                app=self.app,
                outages=(SinkDown,),
                gather_seconds=gather_seconds,
                pace=pace,
            )
        )

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(WAIT):
            while not condition():
                await asyncio.sleep(0.001)


def play(scenario: Callable[[Rig], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        async with asyncio.timeout(2 * WAIT):
            await scenario(Rig())

    asyncio.run(run())


async def waiting(event: asyncio.Event) -> None:
    await event.wait()


async def raising(error: Exception | None) -> None:
    if error is not None:
        raise error
