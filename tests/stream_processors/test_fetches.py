"""The loop that every agent runs: what is gathered, acknowledged and wanted again."""

import asyncio

from stream_processors.fetches import Pace
from tests.stream_processors.fetch_rig import Rig, play, waiting


def test_fetch_is_acknowledged_only_when_it_is_durable() -> None:
    async def scenario(rig: Rig) -> None:
        durable = asyncio.Event()
        rig.sink.behave = lambda: waiting(durable)
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
