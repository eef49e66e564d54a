"""Child processes die with their parent, report an early end, and are stopped by pid."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from raceline.embedded.child import Child, ChildFailedError

_SLEEPER = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]
_STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)",
]
_PARENT = """
import os, sys, time
from pathlib import Path
from raceline.embedded.child import Child
child = Child("sleeper")
child.start([sys.executable, "-c", "import time; time.sleep(60)"], dict(os.environ), Path(sys.argv[1]))
print(child.pid, flush=True)
time.sleep(60)
"""


def _until(condition: Callable[[], bool], timeout: float = 10.0) -> bool:
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def _is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.fixture
def child() -> Iterator[Child]:
    started = Child("sleeper")
    yield started
    started.kill()


def test_child_runs_until_it_is_stopped(child: Child, tmp_path: Path) -> None:
    log = tmp_path / "logs" / "sleeper.log"
    child.start(_SLEEPER, os.environ, log)
    child.wait_ready(lambda: "up" in child.log_tail(), 10)
    assert child.alive
    assert child.stop() == -signal.SIGTERM
    assert not child.alive
    assert child.returncode == -signal.SIGTERM


def test_child_that_ignores_the_request_is_killed(child: Child, tmp_path: Path) -> None:
    child.start(_STUBBORN, os.environ, tmp_path / "log")
    child.wait_ready(lambda: "up" in child.log_tail(), 10)
    assert child.stop(timeout=0.1) == -signal.SIGKILL


def test_early_end_is_reported_with_the_end_of_the_log(child: Child, tmp_path: Path) -> None:
    child.start([sys.executable, "-c", "import sys; sys.exit('no port left')"], os.environ, tmp_path / "log")
    with pytest.raises(ChildFailedError, match=r"sleeper ended with code 1\nno port left"):
        child.wait_ready(lambda: False, 10)


def test_silent_child_is_given_up_after_the_time_limit(child: Child, tmp_path: Path) -> None:
    child.start(_SLEEPER, os.environ, tmp_path / "log")
    with pytest.raises(ChildFailedError, match=r"did not answer within 0.1 s"):
        child.wait_ready(lambda: False, 0.1)


def test_missing_program_says_its_name(child: Child, tmp_path: Path) -> None:
    child.start(["/no/such/broker"], os.environ, tmp_path / "log")
    with pytest.raises(ChildFailedError, match="cannot run /no/such/broker"):
        child.wait_ready(lambda: False, 10)


def test_second_start_is_refused_while_it_runs(child: Child, tmp_path: Path) -> None:
    child.start(_SLEEPER, os.environ, tmp_path / "log")
    with pytest.raises(RuntimeError, match="already running"):
        child.start(_SLEEPER, os.environ, tmp_path / "log")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the death signal is a Linux call")
def test_child_dies_when_its_parent_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", _PARENT, str(tmp_path / "log")], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert _is_running(pid)
        parent.kill()
        assert _until(lambda: not _is_running(pid))
