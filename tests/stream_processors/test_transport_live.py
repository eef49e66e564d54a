"""Workers on real brokers that are killed, stopped, joined and left without a sink: every record must arrive.

What arrived is compared record by record with what was sent. Committed offsets look right even where records are lost.
"""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from apache_kafka import ApacheKafka, Installation
from brokers import AnyBroker
from kafka import KafkaProducer

from raceline.embedded.child import Child
from raceline.topics import create_topics
from stream_processors.watchdog import EXIT_CODE

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[2]
WORKER = Path(__file__).with_name("transport_worker.py")
PER_SECOND = 2000
WAIT = 40.0


class Feed(threading.Thread):
    """Sends numbers, steadily, until it is told to stop."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        super().__init__()
        self._producer = KafkaProducer(bootstrap_servers=bootstrap, compression_type="lz4", linger_ms=20)
        self._topic = topic
        self._enough = threading.Event()
        self.sent = 0

    def run(self) -> None:
        started = time.monotonic()
        while not self._enough.wait(0.02):
            due = int((time.monotonic() - started) * PER_SECOND)
            for number in range(self.sent, due):
                self._producer.send(self._topic, key=b"%d" % (number % 97), value=b"%d" % number)
            self.sent = max(due, self.sent)
        self._producer.flush()
        self._producer.close()

    def finish(self) -> int:
        self._enough.set()
        self.join(WAIT)
        return self.sent


class Stage:
    """A topic, what is sent to it, and workers that store it."""

    def __init__(self, broker: AnyBroker, directory: Path, topic: str) -> None:
        self._bootstrap, self.directory, self._topic = broker.bootstrap, directory, topic
        self.outage, self.bug = directory / "outage", directory / "bug"
        self.feed = Feed(broker.bootstrap, topic)
        self.workers: list[Child] = []

    def begin(self) -> None:
        create_topics(self._bootstrap, [self._topic], partitions=4)
        self.feed.start()

    def worker(self, *options: str) -> Child:
        """Start one more; it stores into a file of its own."""
        name = f"worker{len(self.workers)}"
        worker = Child(name)
        argv = [sys.executable, str(WORKER), self._bootstrap, str(self.directory), name, self._topic, *options]
        worker.start(argv, {"PYTHONPATH": str(ROOT)}, self.directory / f"{name}.log")
        self.workers.append(worker)
        return worker

    def stored_by(self, worker: Child) -> int:
        path = self.directory / f"{worker.name}.out"
        return path.read_bytes().count(b"\n") if path.exists() else 0

    def wait_for_more(self, worker: Child) -> None:
        """Until the worker has stored something from now on."""
        before = self.stored_by(worker)
        until(lambda: self.stored_by(worker) > before, f"{worker.name} stores nothing\n{worker.log_tail()}")

    def says(self, worker: Child, words: str) -> bool:
        return words in (self.directory / f"{worker.name}.log").read_text()

    def numbers(self) -> list[int]:
        lines = [path.read_bytes().split(b"\n")[:-1] for path in self.directory.glob("*.out")]
        return [int(line) for stored in lines for line in stored]

    def missing(self, sent: int) -> list[int]:
        return sorted(set(range(sent)) - set(self.numbers()))

    def assert_all_arrive(self) -> int:
        """Returns how many came more than once."""
        sent = self.feed.finish()
        until(lambda: not self.missing(sent), "", fail=False)
        missing, stored = self.missing(sent), len(self.numbers())
        repeated = stored - (sent - len(missing))
        assert missing == [], f"{len(missing)} of {sent} lost, {missing[:3]} to {missing[-3:]}; {repeated} repeated"
        sys.stderr.write(f"\n{self._topic}: {sent} sent, 0 lost, {repeated} repeated\n")
        return repeated

    def may_repeat(self) -> int:
        """0: a worker commits all that it stored before it leaves. But while a group rebalances nobody can commit, and
        it does so by itself when a machine is too slow for heartbeats: then the last half second comes again."""
        return sum(PER_SECOND // 2 for worker in self.workers if self._was_disturbed(worker))

    def _was_disturbed(self, worker: Child) -> bool:
        joined = (self.directory / f"{worker.name}.log").read_text().count("Revoking previously assigned partitions")
        return joined > 1 or self.says(worker, "Heartbeat failed") or self.says(worker, "OffsetCommit failed")

    def close(self) -> None:
        self.feed.finish()
        for worker in self.workers:
            worker.kill()


def until(condition: Callable[[], bool], otherwise: str, *, fail: bool = True, seconds: float = WAIT) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            if fail:
                raise AssertionError(otherwise)
            return
        time.sleep(0.1)


def workers_are_killed_and_stopped(stage: Stage) -> None:
    first, second = stage.worker(), stage.worker()
    stage.wait_for_more(first)
    for end in (Child.kill, Child.stop, Child.kill, Child.kill):
        end(first)
        first, second = second, stage.worker()
        stage.wait_for_more(second)
    stage.assert_all_arrive()


def a_second_worker_joins_and_leaves(stage: Stage) -> None:
    survivor = stage.worker()
    stage.wait_for_more(survivor)
    for _ in range(4):
        guest = stage.worker()
        stage.wait_for_more(guest)
        guest.stop()
        stage.wait_for_more(survivor)
    # Half a second's worth in each rebalance; with Faust's own bookkeeping the commits fall behind without bound.
    assert stage.assert_all_arrive() < stage.feed.sent / 5


def each_worker_goes_on_where_the_last_one_stopped(stage: Stage) -> None:
    for _ in range(3):
        worker = stage.worker()
        stage.wait_for_more(worker)
        assert worker.stop() == 0
    stage.worker()
    assert stage.assert_all_arrive() <= stage.may_repeat()


def the_sink_is_down_for_long(stage: Stage) -> None:
    # With `--max-poll-interval 5` this fails: the worker leaves the group in the outage and never comes back.
    worker = stage.worker()
    stage.wait_for_more(worker)
    stage.outage.touch()
    time.sleep(15)
    stage.outage.unlink()
    assert stage.assert_all_arrive() <= stage.may_repeat()
    assert worker.alive


def a_worker_that_left_the_group_for_good_is_ended_by_its_watchdog(stage: Stage) -> None:
    worker = stage.worker("--max-poll-interval", "3", "--watchdog", "4")
    stage.wait_for_more(worker)
    stage.outage.touch()
    until(lambda: not worker.alive, "the watchdog sees nothing")
    assert worker.returncode == EXIT_CODE
    stage.outage.unlink()
    stage.worker()
    stage.assert_all_arrive()


def a_worker_stops_quickly_in_an_outage(stage: Stage) -> None:
    worker = stage.worker()
    stage.wait_for_more(worker)
    stage.outage.touch()
    until(lambda: stage.says(worker, "The sink does not take"), "the outage goes unnoticed")
    asked = time.monotonic()
    assert worker.stop() == 0
    assert time.monotonic() - asked < 5
    stage.outage.unlink()
    stage.worker()
    stage.assert_all_arrive()


def a_bug_ends_the_worker_with_an_error(stage: Stage) -> None:
    worker = stage.worker()
    stage.wait_for_more(worker)
    stage.bug.touch()
    until(lambda: not worker.alive, "the worker goes on")
    assert worker.returncode == 1
    stage.bug.unlink()
    stage.worker()
    stage.assert_all_arrive()


Scenario = Callable[[Stage], None]
SCENARIOS: list[Scenario] = [
    workers_are_killed_and_stopped,
    a_second_worker_joins_and_leaves,
    each_worker_goes_on_where_the_last_one_stopped,
    the_sink_is_down_for_long,
    a_worker_that_left_the_group_for_good_is_ended_by_its_watchdog,
    a_worker_stops_quickly_in_an_outage,
    a_bug_ends_the_worker_with_an_error,
]


def play(scenario: Scenario, broker: AnyBroker, directory: Path) -> None:
    stage = Stage(broker, directory, scenario.__name__)
    stage.begin()
    try:
        scenario(stage)
    finally:
        stage.close()


@pytest.fixture(scope="module")
def played(
    broker: AnyBroker, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[dict[Scenario, Future[None]]]:
    """The selected scenarios of one broker, all at once: mostly they wait for rebalances."""
    selected = dict.fromkeys(item.callspec.params["scenario"] for item in items_here(request.session.items))
    with ThreadPoolExecutor(len(selected)) as pool:
        yield {s: pool.submit(play, s, broker, tmp_path_factory.mktemp(s.__name__)) for s in selected}


def items_here(items: list[Any]) -> list[Any]:
    return [item for item in items if item.path == Path(__file__) and "scenario" in item.fixturenames]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_nothing_is_lost_when(scenario: Scenario, played: dict[Scenario, Future[None]]) -> None:
    played[scenario].result(timeout=6 * WAIT)


@pytest.fixture
def own_kafka(kafka_installation: Installation, tmp_path: Path) -> Iterator[ApacheKafka]:
    broker = ApacheKafka(kafka_installation, tmp_path / "kafka")
    broker.start()
    yield broker
    broker.kill()


@pytest.mark.usefixtures("collected_sockets")
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
def test_nothing_is_lost_when_kafka_is_killed_and_started_again(own_kafka: ApacheKafka, tmp_path: Path) -> None:
    stage = Stage(own_kafka, tmp_path, "kafka_is_killed")
    stage.begin()
    try:
        workers = stage.worker(), stage.worker()
        for worker in workers:
            stage.wait_for_more(worker)
        own_kafka.kill()
        time.sleep(7)  # longer than a session
        own_kafka.start()
        for worker in workers:
            stage.wait_for_more(worker)
        # What was not committed when it was killed; without the offsets that it kept, all that was sent before.
        assert stage.assert_all_arrive() < stage.feed.sent / 10
    finally:
        stage.close()


def test_a_worker_that_came_before_its_topic_finds_it(apache_kafka: ApacheKafka, tmp_path: Path) -> None:
    stage = Stage(apache_kafka, tmp_path, "made_late")
    try:
        worker = stage.worker()
        until(lambda: stage.says(worker, "Worker ready"), "it does not start")
        stage.begin()
        stage.wait_for_more(worker)
        stage.assert_all_arrive()
    finally:
        stage.close()
