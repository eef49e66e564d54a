"""When a worker counts as alive, stuck or rebalancing for ever."""

import threading
from types import SimpleNamespace
from typing import Any

from stream_processors.watchdog import (
    EXIT_CODE,
    Limits,
    Progress,
    Sight,
    State,
    Verdict,
    install_watchdog,
    verdict,
)

LIMITS = Limits(idle=120, stuck=60, rebalancing=60, unassigned=60)
WELL = Sight(rebalancing=False, assigned=True, heads={})


class Watched:
    """A worker's life on a clock of its own."""

    def __init__(self, limits: Limits = LIMITS) -> None:
        self.now = 0.0
        self.limits = limits
        self.progress = Progress(clock=lambda: self.now)
        self.state = State()

    def after(self, seconds: float, sight: Sight = WELL) -> Verdict:
        """The verdict after a look every 5 seconds for so long."""
        end = self.now + seconds
        found = Verdict.HEALTHY
        while self.now < end and found is Verdict.HEALTHY:
            self.state.update(sight, self.now)
            found = verdict(self.state, self.progress, self.limits, self.now)
            self.now += 5
        return found


class Fetching(Watched):
    def after(self, seconds: float, sight: Sight = WELL) -> Verdict:
        found = Verdict.HEALTHY
        for _ in range(int(seconds / 5)):
            self.progress.fetched()
            if (found := super().after(5, sight)) is not Verdict.HEALTHY:
                break
        return found


def test_worker_without_events_is_healthy_for_ever() -> None:
    assert Fetching().after(86400) is Verdict.HEALTHY


def test_worker_that_does_nothing_at_all_is_idle() -> None:
    worker = Watched()
    assert worker.after(120) is Verdict.HEALTHY
    assert worker.after(20) is Verdict.IDLE


def test_outage_of_the_sink_is_not_idle_nor_stuck() -> None:
    worker = Watched()
    for _ in range(1000):  # full buffers: nothing is fetched either
        worker.progress.attempted(["t"], succeeded=False)
        assert worker.after(10, Sight(rebalancing=False, assigned=True, heads={("t", 0): 7})) is Verdict.HEALTHY


def test_fetch_that_blocks_the_commits_while_others_pass_is_stuck() -> None:
    worker = Fetching()
    sight = Sight(rebalancing=False, assigned=True, heads={("t", 0): 7})
    worker.after(5, sight)
    worker.progress.attempted(["t"], succeeded=True)
    assert worker.after(55, sight) is Verdict.HEALTHY
    assert worker.after(20, sight) is Verdict.STUCK


def test_success_on_another_topic_does_not_make_a_fetch_stuck() -> None:
    worker = Fetching()
    sight = Sight(rebalancing=False, assigned=True, heads={("t", 0): 7})
    for _ in range(100):
        worker.progress.attempted(["other"], succeeded=True)
        assert worker.after(10, sight) is Verdict.HEALTHY


def test_head_that_moves_is_not_stuck() -> None:
    worker = Fetching()
    for offset in range(100):
        worker.progress.attempted(["t"], succeeded=True)
        sight = Sight(rebalancing=False, assigned=True, heads={("t", 0): offset})
        assert worker.after(30, sight) is Verdict.HEALTHY


def test_rebalance_that_does_not_end_is_noticed_and_short_ones_are_not() -> None:
    worker = Fetching()
    rebalancing = Sight(rebalancing=True, assigned=True, heads={})
    for _ in range(20):
        assert worker.after(50, rebalancing) is Verdict.HEALTHY
        assert worker.after(5) is Verdict.HEALTHY
    assert worker.after(80, rebalancing) is Verdict.REBALANCING


def test_worker_without_partitions_is_bad_only_where_it_should_have_some() -> None:
    empty = Sight(rebalancing=False, assigned=False, heads={})
    assert Fetching().after(80, empty) is Verdict.UNASSIGNED
    assert Fetching(Limits(unassigned=None)).after(1000, empty) is Verdict.HEALTHY


def test_bad_verdict_ends_the_process_with_a_code_of_its_own() -> None:
    left: list[int] = []
    gone = threading.Event()

    def leave(code: int) -> None:
        left.append(code)
        gone.set()

    consumer = SimpleNamespace(heads=dict, assigned=True)
    transport: Any = SimpleNamespace(progress=Progress(), consumer=consumer, on_start=None)
    app = SimpleNamespace(transport=transport, rebalancing=False)
    install_watchdog(app, Limits(idle=0.05), interval=0.01, leave=leave)
    transport.on_start()
    assert gone.wait(5)
    assert left == [EXIT_CODE]
