"""What is handed on: everything, also when polls come back in the middle of rebalances."""

import asyncio
from typing import Any

from faust.types import TP

from tests.stream_processors.scripted_consumer import P0, P1, Rig, play


def test_fetch_that_returns_while_flow_is_stopped_is_fetched_again() -> None:
    async def scenario(rig: Rig) -> None:
        rig.consumer.put(P0, range(10), meanwhile=rig.consumer.stop_flow)
        await rig.until(lambda: not rig.consumer.flow_active)
        rig.consumer.log_of[P0] = list(range(10))
        await asyncio.sleep(0.05)
        assert rig.messages == []
        rig.consumer.resume_flow()
        await rig.receive(1)
        assert rig.spans() == [(0, 9)]

    play(scenario)


def test_lost_fetch_is_noticed_by_the_next_and_fetched_again() -> None:
    async def scenario(rig: Rig) -> None:
        rig.consumer.put(P0, range(10))
        await rig.receive(1)
        rig.consumer.at[P0] = 20  # 10 to 19 went to nobody
        rig.consumer.log_of[P0] = list(range(30))
        await rig.receive(2)
        assert rig.spans() == [(0, 9), (10, 29)]
        assert rig.consumer.seeks[-1] == {P0: 10}

    play(scenario)


def test_jump_in_the_log_itself_costs_one_look_back() -> None:
    async def scenario(rig: Rig) -> None:
        rig.consumer.put(P0, range(10))
        await rig.receive(1)
        rig.consumer.log_of[P0] = [*range(10), *range(20, 30)]
        await rig.receive(2)
        assert rig.spans() == [(0, 9), (20, 29)]
        assert rig.consumer.seeks[1:] == [{P0: 10}]

    play(scenario)


def test_fetch_of_the_old_generation_is_not_handed_on_under_the_new_one() -> None:
    async def scenario(rig: Rig) -> None:
        def other_generation() -> None:
            rig.app.consumer_generation_id = 2
            rig.consumer.log_of[P0] = list(range(10))

        rig.consumer.put(P0, range(10), meanwhile=other_generation)
        await rig.receive(1)
        assert rig.messages[0].generation_id == 2
        assert rig.spans() == [(0, 9)]
        assert {P0: 0} in rig.consumer.seeks[1:]

    play(scenario)


def test_rest_of_a_fetch_is_fetched_again_when_flow_stops_in_the_middle() -> None:
    async def scenario(rig: Rig) -> None:
        async def stop_after_the_first(_: Any) -> None:
            if not rig.messages:
                rig.consumer.stop_flow()

        rig.deliver = stop_after_the_first
        rig.consumer.log_of[P0] = list(range(30))
        await rig.until(lambda: not rig.consumer.flow_active)
        await rig.until(lambda: len(rig.messages) == 1)
        rig.consumer.resume_flow()
        await rig.receive(3)
        assert rig.spans() == [(0, 9), (10, 19), (20, 29)]

    play(scenario, max_records=10)


def test_nothing_is_polled_without_active_partitions() -> None:
    async def scenario(rig: Rig) -> None:
        rig.consumer.put(P0, range(10))
        await rig.receive(1)
        rig.consumer.on_buffer_full(P0)
        await asyncio.sleep(0.1)
        polls = len(rig.consumer.polled_for)
        await asyncio.sleep(0.1)
        assert len(rig.consumer.polled_for) == polls
        rig.consumer.on_buffer_drop(P0)
        rig.consumer.put(P0, range(10, 20))
        await rig.receive(2)

    play(scenario)


def test_records_of_several_polls_become_one_message() -> None:
    async def scenario(rig: Rig) -> None:
        for start in range(0, 30, 10):
            rig.consumer.put(P0, range(start, start + 10))
        rig.consumer.put(P1, range(4))
        await rig.receive(2)
        assert sorted(rig.spans()) == [(0, 3), (0, 29)]
        assert [record.value for record in rig.messages[0].value.records[:2]] == [b"0", b"1"]

    play(scenario, {P0: None, P1: None}, gather_seconds=0.2)


def test_jump_between_gathered_polls_is_looked_at_again() -> None:
    async def scenario(rig: Rig) -> None:
        def log() -> None:
            rig.consumer.log_of[P0] = list(range(30))

        rig.consumer.put(P0, range(10))
        rig.consumer.put(P0, range(20, 30), meanwhile=log)
        await rig.receive(2)
        assert rig.spans() == [(0, 9), (10, 29)]

    play(scenario, gather_seconds=0.2)


def test_end_offset_is_tracked_once_per_partition_and_fetch() -> None:
    async def scenario(rig: Rig) -> None:
        tracked: list[TP] = []
        monitor: Any = rig.app.monitor
        monitor.track_tp_end_offset = lambda tp, _: tracked.append(tp)
        rig.consumer.put(P0, range(30))
        await rig.receive(3)
        assert tracked == [P0]

    play(scenario, max_records=10)


def test_partition_whose_buffer_fills_up_in_a_poll_still_gets_what_the_poll_brings() -> None:
    async def scenario(rig: Rig) -> None:
        rig.consumer.put(P0, range(10), meanwhile=lambda: rig.consumer.on_buffer_full(P0))
        await rig.receive(1)

    play(scenario)


def test_what_was_handed_on_before_a_seek_does_not_block_what_comes_again() -> None:
    async def scenario(rig: Rig) -> None:
        rig.consumer.put(P0, range(10))
        rig.consumer.put(P0, range(10, 20), meanwhile=rig.consumer.stop_flow)
        await rig.until(lambda: not rig.consumer.flow_active)
        rig.consumer.log_of[P0] = list(range(20))
        await asyncio.sleep(0.05)
        rig.consumer.resume_flow()
        await rig.receive(2)
        assert rig.spans() == [(0, 9), (0, 19)]
        rig.ack(1)
        assert await rig.commit() == 20

    play(scenario)


def test_revoked_partition_has_nothing_in_flight() -> None:
    async def scenario(rig: Rig) -> None:
        rig.consumer.put(P0, range(10))
        await rig.receive(1)
        assert rig.consumer.heads() == {("t", 0): 9}
        assert rig.consumer.assigned
        await rig.revoke()
        assert rig.consumer.heads() == {}
        assert not rig.consumer.assigned

    play(scenario)


def test_traces_of_a_partition_that_went_away_do_not_keep_others_from_being_put_back() -> None:
    async def scenario(rig: Rig) -> None:
        await rig.revoke()
        await rig.consumer.perform_seek()  # as for a fetch that comes back in the middle of the rebalance
        await rig.assign({P0: None}, generation=2)
        rig.consumer.log_of[P0] = list(range(20))
        rig.consumer.put(P1, range(5, 10))  # of the old assignment
        rig.consumer.put(P0, range(10, 20))  # after a lost one
        await rig.receive(1)
        assert rig.spans() == [(0, 19)]

    play(scenario, {P0: None, P1: None})
