"""The loop that every agent runs, in outages, at bugs and when the worker stops."""

import asyncio
import logging
from itertools import islice

import pytest

from stream_processors.fetches import Pace
from stream_processors.watchdog import Progress
from tests.stream_processors.fetch_rig import WAIT, Rig, SinkDown, play, raising, waiting


def test_outage_is_retried_until_it_ends_and_told_twice(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(rig: Rig) -> None:
        rig.sink.behave = lambda: raising(SinkDown("closed") if len(rig.sink.calls) < 5 else None)
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
        rig.sink.behave = lambda: raising(SinkDown() if 1 in rig.sink.calls[-1] else None)
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
        rig.sink.behave = lambda: raising(SinkDown() if 1 in rig.sink.calls[-1] else None)
        (old,), (new,) = rig.stream.put(1), rig.stream.put(2, generation=2)
        rig.stream.end()
        rig.app.consumer_generation_id = 2
        await rig.start(gather_seconds=0.05)
        assert rig.sink.calls == [[1, 2], [2]]
        assert (old.acked, new.acked) == (False, True)

    play(scenario)


def test_anything_but_an_outage_leaves_and_acknowledges_nothing() -> None:
    async def scenario(rig: Rig) -> None:
        rig.sink.behave = lambda: raising(ZeroDivisionError())
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
            await raising(outcome)

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


def test_handle_that_takes_too_long_is_left_behind_when_the_worker_stops() -> None:
    async def scenario(rig: Rig) -> None:
        rig.sink.behave = lambda: waiting(asyncio.Event())
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
        rig.sink.behave = lambda: raising(SinkDown())
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
        rig.sink.behave = lambda: raising(SinkDown() if rig.app.consumer_generation_id == 1 and now < 9 else None)
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
