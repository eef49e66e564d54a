"""The loop that every agent runs."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from itertools import islice
from types import SimpleNamespace
from typing import Any

import pytest

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


def test_fetch_is_acknowledged_only_when_it_is_durable() -> None:
    async def scenario(rig: Rig) -> None:
        durable = asyncio.Event()
        rig.sink.behave = lambda: _wait(durable)
        (event,) = rig.stream.put(1)
        rig.stream.end()
        task = rig.start()
        await rig.until(lambda: bool(rig.sink.calls))
        assert not event.acked
        durable.set()
        await task
        assert event.acked
        assert rig.stream.manual
        assert event.message.value is None, "the message lives on until the commit; its records must not"

    play(scenario)


def test_without_gathering_each_fetch_comes_alone() -> None:
    async def scenario(rig: Rig) -> None:
        rig.stream.put(1, 2, 3)
        rig.stream.end()
        await rig.start()
        assert rig.sink.calls == [[1], [2], [3]]

    play(scenario)


def test_gathering_takes_what_arrives_in_time_up_to_a_limit() -> None:
    async def scenario(rig: Rig) -> None:
        events = rig.stream.put(1, 2, 3, 4)
        rig.stream.end()
        await rig.start(gather_seconds=0.1)
        assert rig.sink.calls == [[1, 2, 3], [4]]
        assert all(event.acked for event in events)

    play(scenario)


def test_a_steady_flow_is_gathered_and_the_first_after_a_pause_is_not_held_back() -> None:
    async def scenario(rig: Rig) -> None:
        clock = asyncio.get_running_loop().time
        task, began = rig.start(gather_seconds=0.5), clock()
        rig.stream.put(1)
        await rig.until(lambda: rig.sink.calls == [[1]])
        assert clock() - began < 0.3
        rig.stream.put(2)
        await asyncio.sleep(0.05)
        rig.stream.put(3)
        await rig.until(lambda: len(rig.sink.calls) == 2)
        assert clock() - began > 0.5
        rig.stream.end()
        await task
        assert rig.sink.calls == [[1], [2, 3]]

    play(scenario)


def test_fetch_that_arrives_after_the_gathering_is_not_lost() -> None:
    async def scenario(rig: Rig) -> None:
        task = rig.start(gather_seconds=0.01)
        for offset in (1, 2, 3):
            rig.stream.put(offset)
            await rig.until(lambda offset=offset: len(rig.sink.calls) == offset)  # type: ignore[misc]
        rig.stream.end()
        await task
        assert rig.sink.calls == [[1], [2], [3]]

    play(scenario)


def test_outage_is_retried_until_it_ends_and_told_twice(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(rig: Rig) -> None:
        rig.sink.behave = lambda: _raise(SinkDown("closed") if len(rig.sink.calls) < 5 else None)
        (event,) = rig.stream.put(1)
        rig.stream.end()
        await rig.start()
        assert rig.sink.calls == [[1]] * 5
        assert event.acked

    with caplog.at_level(logging.INFO, "stream_processors"):
        play(scenario)
    assert len(caplog.messages) == 2
    assert "closed" in caplog.messages[0]
    assert "4 failures" in caplog.messages[1]


def test_back_off_grows_to_its_cap() -> None:
    assert list(islice(Pace().backoffs(), 8)) == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]


def test_fetch_that_lost_its_partition_in_an_outage_is_given_up_unacknowledged() -> None:
    async def scenario(rig: Rig) -> None:
        rig.sink.behave = lambda: _raise(SinkDown() if 1 in rig.sink.calls[-1] else None)
        (old,) = rig.stream.put(1)
        task = rig.start()
        await rig.until(lambda: len(rig.sink.calls) > 2)
        rig.app.consumer_generation_id = 2
        (new,) = rig.stream.put(2, generation=2)
        rig.stream.end()
        await task
        assert rig.sink.calls[-1] == [2]
        assert (old.acked, new.acked) == (False, True)

    play(scenario)


def test_what_was_gathered_with_it_is_still_retried() -> None:
    async def scenario(rig: Rig) -> None:
        rig.sink.behave = lambda: _raise(SinkDown() if 1 in rig.sink.calls[-1] else None)
        (old,), (new,) = rig.stream.put(1), rig.stream.put(2, generation=2)
        rig.stream.end()
        rig.app.consumer_generation_id = 2
        await rig.start(gather_seconds=0.05)
        assert rig.sink.calls == [[1, 2], [2]]
        assert (old.acked, new.acked) == (False, True)

    play(scenario)


def test_anything_but_an_outage_leaves_and_acknowledges_nothing() -> None:
    async def scenario(rig: Rig) -> None:
        rig.sink.behave = lambda: _raise(ZeroDivisionError())
        (event,) = rig.stream.put(1)
        with pytest.raises(ZeroDivisionError):
            await rig.start()
        assert rig.sink.calls == [[1]]
        assert not event.acked

    play(scenario)


@pytest.mark.parametrize(
    ("outcome", "acked"), [(None, True), (SinkDown(), False), (ZeroDivisionError(), False)], ids=["ok", "outage", "bug"]
)
def test_running_handle_is_waited_for_when_the_worker_stops(outcome: Exception | None, acked: bool) -> None:
    async def scenario(rig: Rig) -> None:
        finish = asyncio.Event()

        async def finishing() -> None:
            await finish.wait()
            await _raise(outcome)

        rig.sink.behave = finishing
        (event,) = rig.stream.put(1)
        task = rig.start(pace=Pace(stop=WAIT))
        await rig.until(lambda: bool(rig.sink.calls))
        task.cancel()
        await asyncio.sleep(0.01)
        assert not task.done()
        finish.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert event.acked is acked

    play(scenario)


def test_a_call_gets_no_more_fetches_once_it_has_enough_records() -> None:
    async def scenario(rig: Rig) -> None:
        rig.stream.put(*range(8))
        rig.stream.end()
        await rig.start(gather_seconds=0.5, pace=Pace(enough_records=3))
        assert [len(call) for call in rig.sink.calls] == [3, 3, 2]

    play(scenario)


def test_a_fetch_that_is_wanted_again_comes_first_in_the_next_call_and_is_acknowledged_when_it_is_done() -> None:
    async def scenario(rig: Rig) -> None:
        rig.sink.wants_again = {1}
        first, second = rig.stream.put(1, 2)
        task = rig.start(gather_seconds=0.05)
        await rig.until(lambda: rig.sink.calls == [[1, 2]])
        await asyncio.sleep(0)
        assert (first.acked, second.acked) == (False, True)
        rig.stream.put(3)
        await rig.until(lambda: rig.sink.calls[1:] == [[1, 3]])
        rig.sink.wants_again = set()
        await rig.until(lambda: first.acked)
        rig.stream.end()
        await task
        assert rig.sink.calls == [[1, 2], [1, 3], [1]], "in the end nothing else comes, and it must not wait for it"

    play(scenario)


def test_a_fetch_that_is_wanted_again_is_forgotten_when_its_partition_is_lost() -> None:
    async def scenario(rig: Rig) -> None:
        rig.sink.wants_again = {1}
        (event,) = rig.stream.put(1)
        task = rig.start(gather_seconds=0.05)
        await rig.until(lambda: len(rig.sink.calls) == 1)
        rig.app.consumer_generation_id = 2
        rig.stream.put(2, generation=2)
        rig.stream.end()
        await task
        assert rig.sink.calls == [[1], [2]]
        assert not event.acked

    play(scenario)


def test_a_fetch_that_is_wanted_again_is_left_unacknowledged_when_the_stream_ends() -> None:
    async def scenario(rig: Rig) -> None:
        rig.sink.wants_again = {1}
        (event,) = rig.stream.put(1)
        rig.stream.end()
        await rig.start()
        assert rig.sink.calls[0] == [1]
        assert not event.acked

    play(scenario)


def test_handle_that_takes_too_long_is_left_behind_when_the_worker_stops() -> None:
    async def scenario(rig: Rig) -> None:
        rig.sink.behave = lambda: _wait(asyncio.Event())
        (event,) = rig.stream.put(1)
        task = rig.start()
        await rig.until(lambda: bool(rig.sink.calls))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, WAIT)
        assert not event.acked

    play(scenario)


def test_worker_stops_at_once_while_it_waits_for_the_next_attempt() -> None:
    async def scenario(rig: Rig) -> None:
        rig.sink.behave = lambda: _raise(SinkDown())
        (event,) = rig.stream.put(1)
        task = rig.start(pace=Pace(first_backoff=60.0))
        await rig.until(lambda: bool(rig.sink.calls))
        await asyncio.sleep(0.01)
        task.cancel()
        done, _ = await asyncio.wait({task}, timeout=0.5)
        assert done
        assert not event.acked

    play(scenario)


def test_attempts_and_acknowledgements_are_shown_to_the_watchdog() -> None:
    async def scenario(rig: Rig) -> None:
        now = 0.0
        progress = rig.app.transport.progress = Progress(clock=lambda: now)
        rig.sink.behave = lambda: _raise(SinkDown() if rig.app.consumer_generation_id == 1 and now < 9 else None)
        rig.stream.put(1)
        rig.stream.end()
        now = 7.0
        task = rig.start()
        await rig.until(lambda: progress.attempted_at == 7.0)
        assert progress.succeeded_at == {}
        now = 9.0
        await task
        assert progress.succeeded_at == {"t": 9.0}
        assert progress.acknowledged_at == 9.0

    play(scenario)


async def _wait(event: asyncio.Event) -> None:
    await event.wait()


async def _raise(error: Exception | None) -> None:
    if error is not None:
        raise error
