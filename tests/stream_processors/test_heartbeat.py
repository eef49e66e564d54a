"""When a worker's file is touched, and when not."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from stream_processors.heartbeat import install_heartbeat, works
from stream_processors.watchdog import Progress


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_worker_that_has_not_polled_yet_does_not_work() -> None:
    assert not works(Progress(clock=Clock()), since=0.0, now=1.0)


def test_worker_works_for_some_seconds_after_whatever_it_did_last() -> None:
    clock = Clock()
    for name in ("fetched", "acknowledged"):
        progress = Progress(clock=clock)
        clock.now += 100
        getattr(progress, name)()
        assert works(progress, since=0.0, now=clock.now + 19)
        assert not works(progress, since=0.0, now=clock.now + 21)


def test_worker_that_tries_to_store_in_vain_works() -> None:
    clock = Clock()
    progress = Progress(clock=clock)
    clock.now = 100.0
    progress.attempted(["race.events"], succeeded=False)
    assert works(progress, since=0.0, now=105.0)


@pytest.fixture
def worker() -> Iterator[SimpleNamespace]:
    """The part of an app that the heartbeat knows."""
    app = SimpleNamespace(transport=SimpleNamespace(progress=Progress(), on_start=lambda: None), should_stop=False)
    yield app
    app.should_stop = True


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "it did not become true in time"
        time.sleep(0.01)


def test_file_appears_after_the_first_poll_and_what_waited_for_the_start_before_still_runs(
    worker: SimpleNamespace, tmp_path: Path
) -> None:
    path, before = tmp_path / "working", threading.Event()
    worker.transport.on_start = before.set
    install_heartbeat(worker, path, interval=0.01)
    worker.transport.on_start()
    assert before.is_set()
    assert not path.exists()
    worker.transport.progress.fetched()
    until(path.exists)


def test_folder_that_cannot_be_written_is_said_and_does_no_harm(
    worker: SimpleNamespace, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "missing" / "working"
    install_heartbeat(worker, path, interval=0.01)
    worker.transport.on_start()
    worker.transport.progress.fetched()
    until(lambda: "cannot be written: No such file or directory" in caplog.text)
    path.parent.mkdir()
    until(path.exists)
