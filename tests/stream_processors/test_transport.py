"""What is committed when, with Faust's own functions around the consumer; and what apps are given."""

import asyncio
from types import SimpleNamespace
from typing import Any

import faust
import pytest
from faust.types.tuples import Message

from stream_processors.fetches import Fetch, Record, split
from stream_processors.in_flight import InFlight
from stream_processors.transport import faust_settings, fetch_topic, install_transport
from tests.stream_processors.scripted_consumer import P0, P1, Rig, play


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("stored", [None, 0, 7], ids=["fresh group", "committed 0", "resumed at 7"])
def test_first_fetch_is_committed_whole(stored: int | None, size: int) -> None:
    async def scenario(rig: Rig) -> None:
        start = stored or 0
        rig.consumer.put(P0, range(start, start + size))
        await rig.receive(1)
        rig.ack(0)
        assert await rig.commit() == start + size

    play(scenario, {P0: stored})


def test_log_that_begins_late_is_read_from_its_beginning() -> None:
    async def scenario(rig: Rig) -> None:
        rig.consumer.log_of[P0] = [5, 6, 7]
        await rig.rebalance({P0: None}, generation=2)
        await rig.receive(1)
        rig.ack(0)
        assert rig.spans() == [(5, 7)]
        assert await rig.commit() == 8

    play(scenario)


def test_commits_follow_acknowledgements_in_order() -> None:
    async def scenario(rig: Rig) -> None:
        for start in (0, 10, 20):
            rig.consumer.put(P0, range(start, start + 10))
            await rig.receive(start // 10 + 1)
        committed = []
        for index in range(3):
            rig.ack(index)
            committed.append(await rig.commit())
        assert committed == [10, 20, 30]

    play(scenario)


def test_many_fetches_between_two_commits_are_committed_at_once() -> None:
    async def scenario(rig: Rig) -> None:
        for tick in range(4):
            for start in range(tick * 2000, (tick + 1) * 2000, 100):
                rig.consumer.put(P0, range(start, start + 100))
            await rig.receive((tick + 1) * 20)
            rig.ack(*range(tick * 20, (tick + 1) * 20))
            assert await rig.commit() == (tick + 1) * 2000
        assert len(rig.consumer._acked[P0]) == 0

    play(scenario)


def test_what_is_acknowledged_during_a_commit_is_committed_before_the_worker_stops() -> None:
    async def scenario(rig: Rig) -> None:
        rig.consumer.put(P0, range(10))
        rig.consumer.put(P0, range(10, 20))
        await rig.receive(2)
        rig.ack(0)
        rig.consumer.may_commit.clear()
        slow = asyncio.ensure_future(rig.consumer.commit())
        await rig.until(lambda: rig.consumer.commits == [{P0: 10}])
        rig.ack(1)
        stopping = asyncio.ensure_future(rig.consumer.on_stop())
        await asyncio.sleep(0)
        rig.consumer.may_commit.set()
        await asyncio.gather(slow, stopping)
        assert rig.consumer.stored == {P0: 20}

    play(scenario)


@pytest.mark.parametrize("after", [range(10, 11), range(15, 20)], ids=["one record", "gap in the offsets"])
def test_odd_fetch_after_a_commit_is_committed_at_once(after: range) -> None:
    async def scenario(rig: Rig) -> None:
        rig.consumer.put(P0, range(10))
        await rig.receive(1)
        rig.ack(0)
        await rig.commit()
        rig.consumer.log_of[P0] = [*range(10), *after]
        await rig.receive(2)
        rig.ack(1)
        assert await rig.commit() == after.stop

    play(scenario)


@pytest.mark.parametrize(
    ("acked", "committed"),
    [([1], None), ([0, 2], 10), ([1, 2, 0], 30), ([2, 0, 1], 30)],
    ids=["second only", "first and third", "second, third, first", "third, first, second"],
)
def test_commit_never_passes_an_unacknowledged_fetch(acked: list[int], committed: int | None) -> None:
    async def scenario(rig: Rig) -> None:
        for start in (0, 10, 20):
            rig.consumer.put(P0, range(start, start + 10))
        await rig.receive(3)
        for index in acked:
            rig.ack(index)
            found = await rig.commit()
        assert found == committed

    play(scenario)


def test_partitions_do_not_wait_for_each_other() -> None:
    async def scenario(rig: Rig) -> None:
        rig.consumer.put(P0, range(10))
        rig.consumer.put(P1, range(5))
        await rig.receive(2)
        rig.ack(1)
        await rig.consumer.commit()
        assert rig.consumer.stored == {P0: None, P1: 5}

    play(scenario, {P0: None, P1: None})


def test_late_acknowledgement_of_an_old_generation_does_not_commit_the_new_fetch() -> None:
    async def scenario(rig: Rig) -> None:
        rig.consumer.put(P0, range(10, 20))
        await rig.receive(1)
        rig.consumer.log_of[P0] = list(range(30))
        await rig.rebalance({P0: 10}, generation=2)
        await rig.receive(2)
        assert rig.spans() == [(10, 19), (10, 29)]
        rig.ack(0)
        assert await rig.commit() == 10
        assert await rig.commit() == 10
        rig.ack(1)
        assert await rig.commit() == 30

    play(scenario, {P0: 10})


def test_fetch_handed_on_late_under_the_old_generation_does_not_block_the_new_one() -> None:
    async def scenario(rig: Rig) -> None:
        entered, space = asyncio.Event(), asyncio.Event()

        async def full(_: Any) -> None:
            entered.set()
            await space.wait()

        rig.deliver = full
        rig.consumer.put(P0, range(10))
        await entered.wait()
        rig.consumer.log_of[P0] = list(range(10))
        await rig.rebalance({P0: None}, generation=2)
        space.set()
        await rig.until(lambda: any(message.generation_id == 2 for message in rig.messages))
        rig.ack(len(rig.messages) - 1)
        assert await rig.commit() == 10

    play(scenario)


def test_fetch_seen_before_is_handed_on_again_and_blocks_nothing() -> None:
    # Faust's drain loop drops, silently, what lies below its read offset: nobody would ever acknowledge it.
    async def scenario(rig: Rig) -> None:
        for offsets in (range(10, 20), range(5, 10), range(10, 30)):
            rig.consumer.put(P0, offsets)
        await rig.receive(3)
        rig.ack(0, 1, 2)
        assert await rig.commit() == 30

    play(scenario, {P0: 10})


def test_event_path_check_that_crashes_workers_is_off() -> None:
    async def scenario(rig: Rig) -> None:
        rig.consumer.verify_event_path(0.0, P0)

    play(scenario)


def test_messages_of_an_old_generation_are_forgotten_and_commit_nothing() -> None:
    flight = InFlight()
    for offset, generation, acked in [(9, 1, True), (19, 1, False), (29, 2, True), (39, 2, False), (49, 2, True)]:
        flight.add(SimpleNamespace(offset=offset, generation_id=generation, acked=acked))
    assert flight.advance(generation=2) == 30
    assert flight.head == 39
    assert flight.advance(generation=3) is None
    assert flight.head is None


@pytest.mark.parametrize(
    ("sizes", "max_records", "max_bytes", "pieces"),
    [
        ([1] * 5, 2, 100, [2, 2, 1]),
        ([60, 60, 10, 10], 10, 100, [1, 3]),
        ([500, 1], 10, 100, [1, 1]),
        ([], 10, 100, []),
    ],
    ids=["by count", "by bytes", "one too large", "nothing"],
)
def test_fetch_is_split(sizes: list[int], max_records: int, max_bytes: int, pieces: list[int]) -> None:
    records = [Record(None, b"x" * size, offset, 0) for offset, size in enumerate(sizes)]
    parts = list(split(records, max_records, max_bytes))
    assert [len(part) for part in parts] == pieces
    assert [record for part in parts for record in part] == records


def test_settings_are_ones_that_faust_knows() -> None:
    app = faust.App("settings", broker="kafka://127.0.0.1:1", **faust_settings(session_seconds=6))
    assert app.conf.stream_wait_empty is False
    assert app.conf.broker_max_poll_interval == 30 * 86400
    assert app.conf.broker_session_timeout == 6


def test_topic_passes_a_fetch_unharmed() -> None:
    async def run() -> None:
        app = faust.App("topic", broker="kafka://127.0.0.1:1")
        install_transport(app)
        fetch = Fetch("t", 0, (Record(None, b"{}", 1, 0),), generation=1)
        message: Any = Message("t", 0, 1, 0.0, 0, None, None, None, None)
        message.value = fetch
        event = await fetch_topic(app, "t").decode(message)
        assert event.value is fetch

    asyncio.run(run())
