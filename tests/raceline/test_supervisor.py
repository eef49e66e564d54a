"""What the supervisor does when parts of it fail, with a broker and a database that only pretend."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from producers.outgoing import PublishFailed
from producers.publisher import Publisher
from raceline import supervisor as module
from raceline.database import Database
from raceline.plan import Plan
from raceline.spooled import TidyPace
from raceline.stack import Stack
from raceline.supervisor import Phase, Supervisor

NOBODY = cast(Publisher, None)


class Running:
    """A service that runs, with as much memory as is wanted."""

    def __init__(self, megabytes: int = 0) -> None:
        self.alive = True
        self.bytes = megabytes * 1_000_000

    def memory_bytes(self) -> int:
        return self.bytes


class AllStored:
    """A database that knows every event."""

    def __init__(self) -> None:
        self.asked = 0

    def rows(self, name: str, parameters: Mapping[str, Any]) -> list[dict[str, int]]:
        self.asked += 1
        return [{"known": len(parameters["ids"])}]


class Time:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Time:
    return Time()


@pytest.fixture
def supervisor(tmp_path: Path, clock: Time) -> Supervisor:
    made = Supervisor(Plan(tmp_path, workers=0, broker_limit_bytes=1_000_000), clock)
    made.others = []
    monkey: Any = made
    monkey.broker, monkey.clickhouse = Running(), Running()
    made.phase = Phase.READY
    segment = tmp_path / "spool" / "collector-1-1.ndjson"
    segment.parent.mkdir()
    segment.write_text('{"event_id": "00000000-0000-0000-0000-000000000001", "visitor_id": "v"}\n')
    return made


@pytest.fixture
def while_barriers_pass(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None]], None]:
    def set_up(meanwhile: Callable[[], None]) -> None:
        def passed(*_: object) -> bool:
            meanwhile()
            return True

        monkeypatch.setattr(module, "pass_barriers", passed)

    return set_up


def left(supervisor: Supervisor) -> int:
    return len(list((supervisor.plan.data_dir / "spool").iterdir()))


def tidy(supervisor: Supervisor) -> int:
    return supervisor.tidy(NOBODY, cast(Database, AllStored()))


@pytest.mark.parametrize("problem", [PublishFailed("Kafka is away"), OSError("the port is taken")])
def test_a_roll_that_fails_is_tried_again_later(
    supervisor: Supervisor, clock: Time, monkeypatch: pytest.MonkeyPatch, problem: Exception
) -> None:
    rolls = []

    def roll() -> None:
        rolls.append(clock.now)
        raise problem

    monkeypatch.setattr(supervisor, "roll", roll)
    cast(Running, supervisor.broker).alive = False
    for clock.now in (100.0, 100.2, 109.0, 110.1):
        supervisor.check()
    assert rolls == [100.0, 110.1]


def test_the_broker_is_not_rolled_for_its_size_before_a_barrier_has_passed(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    rolls: list[Phase] = []
    monkeypatch.setattr(supervisor, "roll", lambda: rolls.append(supervisor.phase))
    cast(Running, supervisor.broker).bytes = 2_000_000
    for supervisor.phase in (Phase.WHOLE, Phase.READY):
        supervisor.check()
    assert rolls == [Phase.READY]


def test_an_open_broker_is_sent_the_spool_without_another_roll(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[bool] = []
    monkeypatch.setattr(supervisor, "_send_spool_again", lambda: sent.append(True))
    supervisor.phase = Phase.OPEN
    supervisor.check()
    assert sent == [True]


def test_the_first_barrier_makes_the_stack_ready_and_deletes_what_is_stored(
    supervisor: Supervisor, while_barriers_pass: Callable[[Callable[[], None]], None]
) -> None:
    while_barriers_pass(lambda: None)
    supervisor.phase = Phase.WHOLE
    assert tidy(supervisor) == 1
    assert left(supervisor) == 0
    stack = Stack.read(supervisor.plan.data_dir)
    assert stack is not None
    assert stack.ready


def test_nothing_is_deleted_while_the_spool_is_sent_again(
    supervisor: Supervisor, while_barriers_pass: Callable[[Callable[[], None]], None]
) -> None:
    while_barriers_pass(lambda: None)
    supervisor.phase = Phase.OPEN
    assert tidy(supervisor) == 0
    assert left(supervisor) == 1


@pytest.mark.parametrize(("generation", "phase"), [(1, Phase.WHOLE), (1, Phase.READY), (0, Phase.DOWN)])
def test_a_roll_meanwhile_keeps_the_segments(
    supervisor: Supervisor,
    while_barriers_pass: Callable[[Callable[[], None]], None],
    generation: int,
    phase: Phase,
) -> None:
    def roll() -> None:
        supervisor.generation, supervisor.phase = generation, phase

    while_barriers_pass(roll)
    assert tidy(supervisor) == 0
    assert left(supervisor) == 1
    assert supervisor.phase is phase


def test_a_ready_stack_is_tidied_now_and_then_and_at_once_when_much_has_gathered(tmp_path: Path, clock: Time) -> None:
    pace = TidyPace(tmp_path, clock, seconds=20, much=10)
    due = [
        pace.is_due(ready=ready) for clock.now, ready in ((0, True), (19, True), (19, False), (38, True), (39, True))
    ]
    assert due == [True, False, True, False, True]
    (tmp_path / "segment").write_bytes(b"much of it")
    assert not pace.is_due(ready=True)
    (tmp_path / "segment").write_bytes(b"more of it.")
    assert pace.is_due(ready=True)


@pytest.mark.parametrize(("phase", "looks"), [(Phase.WHOLE, 3), (Phase.READY, 1)])
def test_a_stack_that_is_not_ready_is_tidied_at_each_look_and_a_ready_one_at_its_pace(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch, phase: Phase, looks: int
) -> None:
    tidied: list[Phase] = []
    waits = iter((False, False, True))

    def wait(seconds: float) -> bool:
        if next(waits):
            supervisor.request_stop()
        return False

    supervisor.phase = phase
    monkeypatch.setattr(Database, "connect", lambda settings: SimpleNamespace(close=lambda: None))
    monkeypatch.setattr(supervisor, "_publisher", lambda: SimpleNamespace(close=lambda timeout: None))
    monkeypatch.setattr(supervisor, "tidy", lambda publisher, database: tidied.append(supervisor.phase))
    monkeypatch.setattr(supervisor._stopping, "wait", wait)
    supervisor._tidy_while_connected()
    assert tidied == [phase] * looks


def test_tidying_goes_on_after_a_failure(supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch) -> None:
    attempts = []

    def connect(settings: object) -> Database:
        attempts.append(settings)
        if len(attempts) == 3:
            supervisor.request_stop()
        raise OSError("ClickHouse is away")

    monkeypatch.setattr(Database, "connect", connect)
    monkeypatch.setattr(module, "_TIDY_SECONDS", 0.01)
    supervisor._tidy_until_stopped()
    assert len(attempts) == 3


def test_the_generation_counts_up_over_restarts(supervisor: Supervisor) -> None:
    assert [supervisor._next_generation() for _ in range(3)] == [0, 1, 2]
