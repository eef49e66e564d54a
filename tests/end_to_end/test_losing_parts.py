"""Parts are replaced, killed and away under load: accepted = stored."""

import http.client
import os
import signal
from pathlib import Path

import pytest
from apache_kafka import ApacheKafka, Installation
from load import Load
from running_stack import EmbeddedStack, RunningStack, running, until
from separate_stack import running_separately

from producers.spool import segments
from raceline.database import Database
from raceline.spooled import all_known, complete_segments, spool_folder
from raceline.wait import wait

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.usefixtures("collected_sockets"),
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]


def kill(pid: int | None) -> None:
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


def is_ready(stack: EmbeddedStack) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", stack.port, timeout=10)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    finally:
        connection.close()


def pause(stack: RunningStack, load: Load, events: int) -> None:
    """Until so many more events were accepted, restarting what ended."""
    wanted = len(load.accepted) + events

    def enough() -> None:
        while len(load.accepted) < wanted:
            load.wait(0.05)

    stack.watching(enough)


def assert_stored(stack: RunningStack, load: Load) -> None:
    database = Database.connect(stack.settings)
    assert all_known(database, load.accepted)
    database.close()
    # what was sent and whose answer was lost may have been accepted, too
    stored = stack.row("demo")["events"]
    assert len(load.accepted) <= stored <= len(load.accepted) + load.refused
    assert stack.kpis("demo")["reach"]["page_views"] == stored


def test_three_rolls_and_three_kills_lose_nothing(tmp_path: Path) -> None:
    with running(tmp_path, workers=1) as stack:
        supervisor = stack.supervisor
        with Load(stack.port) as load:
            pause(stack, load, 500)
            supervisor.roll()
            pause(stack, load, 500)
            kill(supervisor.workers[0].child.pid)
            pause(stack, load, 500)
            supervisor.roll()
            kill(supervisor.others[0].child.pid)
            pause(stack, load, 500)
            kill(supervisor.broker.pid)
            pause(stack, load, 500)
            supervisor.roll()
            pause(stack, load, 500)
        stack.watching(stack.settle)
        assert supervisor.generation == 4, "three rolls and one broker that was killed"
        assert_stored(stack, load)


def test_a_minute_without_clickhouse_loses_nothing(tmp_path: Path) -> None:
    with running(tmp_path, workers=1) as stack:
        clickhouse = stack.supervisor.clickhouse
        with Load(stack.port) as load:
            pause(stack, load, 300)
            clickhouse.kill()
            load.wait(60)
            assert len(load.accepted) > 600, "events are accepted all the while"
            clickhouse.start()
            pause(stack, load, 300)
        stack.watching(stack.settle)
        assert_stored(stack, load)
        assert stack.supervisor.workers[0].child.alive


def test_stored_segments_are_deleted_and_the_broker_is_rolled_when_it_has_grown(tmp_path: Path) -> None:
    with running(tmp_path, workers=1, broker_limit_bytes=1) as stack:
        assert stack.supervisor.generation == 0
        assert is_ready(stack)
        stack.supervisor.check()
        assert stack.supervisor.generation == 1
        assert not is_ready(stack)
        stack.supervisor.check()
        assert stack.supervisor.generation == 1, "not again before anything went through the new one"
        with Load(stack.port) as load:
            while len(load.accepted) < 200:
                load.wait(0.05)
        stack.settle()
        until(lambda: is_ready(stack), 90)
        until(lambda: not complete_segments(spool_folder(tmp_path)), 90)
        assert stack.row("demo")["events"] == len(load.accepted)


def test_a_stack_that_is_started_again_goes_on(tmp_path: Path) -> None:
    with running(tmp_path, workers=1) as stack:
        with Load(stack.port) as load:
            pause(stack, load, 200)
        first = len(load.accepted)  # not waited for: what is not stored yet is in the spool
    with running(tmp_path, workers=1) as stack:
        with Load(stack.port) as load:
            pause(stack, load, 200)
        stack.settle()
        assert stack.row("demo")["events"] == first + len(load.accepted)


def test_ten_seconds_without_kafka_lose_nothing(kafka_installation: Installation, tmp_path: Path) -> None:
    kafka = ApacheKafka(kafka_installation, tmp_path / "kafka")
    with running_separately(kafka, tmp_path, workers=2) as stack:
        workers = [worker.pid for worker in stack.workers]
        with Load(stack.port) as load:
            pause(stack, load, 500)
            kafka.stop()
            before = len(load.accepted)
            load.wait(7)
            assert not wait(stack.settings, 3), "what only the spool has is not in the KPIs"
            assert len(load.accepted) > before + 500, "the spool takes them, and nobody waits for Kafka"
            kafka.start()
            pause(stack, load, 500)
        assert load.refused == 0
        stack.watching(stack.settle)
        assert_stored(stack, load)
        assert segments(spool_folder(tmp_path)) == [], "Kafka has them now"
        assert [worker.pid for worker in stack.workers] == workers, "none had to be started again"
        logs = [(tmp_path / f"{worker.name}.log").read_text() for worker in stack.workers]
        assert all(0 < log.count("\n") < 50 for log in logs), "the outage is told, but not fifty times a second"
