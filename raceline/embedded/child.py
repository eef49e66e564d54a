"""Child processes of the embedded stack: started, waited for until they answer, stopped by pid, never left behind.

A child dies with its parent even when the parent is killed: on Linux a launcher of one line asks the kernel for SIGTERM
at the parent's death and then becomes the child, so the pid stays the same. The launcher is used instead of
`preexec_fn`, which may deadlock in a process that has threads.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_LOG_TAIL_BYTES = 4000
_POLL_SECONDS = 0.02
# 1 is PR_SET_PDEATHSIG, 15 is SIGTERM. The parent may be gone before prctl: then nobody would ever send the signal.
_LAUNCHER = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(1, 15)
if os.getppid() != int(sys.argv[1]):
    sys.exit(1)
try:
    os.execvp(sys.argv[2], sys.argv[2:])
except OSError as error:
    sys.exit(f"cannot run {sys.argv[2]}: {error.strerror}")
"""


class ChildFailedError(Exception):
    """The child ended or stayed silent while it was waited for; the text holds the end of its log."""


def _dying_with_us(argv: Sequence[str]) -> list[str]:
    if not sys.platform.startswith("linux"):
        return list(argv)
    return [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid()), *argv]


@dataclass
class Child:
    """One child process. `name` is used in messages only.

    The kernel ties the death signal to the *thread* that calls `start`: call it from the main thread, or from one that
    lives as long as the child should.
    """

    name: str
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False, repr=False)
    _log_path: Path | None = field(default=None, init=False, repr=False)

    def start(self, argv: Sequence[str], env: Mapping[str, str] | None, log_path: Path) -> None:
        """Start `argv` with exactly this environment (None: ours); stdout and stderr are appended to `log_path`.

        In a session of its own, so that Ctrl-C reaches the parent alone, which then stops its children in order.
        Raises RuntimeError when it already runs. A program that cannot be run shows up as an early end.
        """
        if self.alive:
            raise RuntimeError(f"{self.name} is already running")
        log_path.parent.mkdir(parents=True, exist_ok=True)
        with log_path.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - the stack's own command lines
                _dying_with_us(argv),
                env=None if env is None else dict(env),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._log_path = log_path

    def wait_ready(
        self,
        probe: Callable[[], bool],
        timeout: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Block until `probe()` is true. Raises ChildFailedError when the child ends first or the time is up."""
        deadline = clock() + timeout
        while not probe():
            if not self.alive:
                raise ChildFailedError(f"{self.name} ended with code {self.returncode}\n{self.log_tail()}")
            if clock() >= deadline:
                raise ChildFailedError(f"{self.name} did not answer within {timeout:g} s\n{self.log_tail()}")
            sleep(_POLL_SECONDS)

    def stop(self, timeout: float = 10.0) -> int | None:
        """Ask it to end, wait up to `timeout` seconds, then kill it. Returns the exit code, None if never started."""
        if self._process is None:
            return None
        if self.alive:
            self._process.terminate()
            try:
                self._process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
        return self._process.wait()

    def kill(self) -> None:
        """End it at once, without a chance to tidy up, and wait until it is gone."""
        if self._process is not None and self.alive:
            self._process.kill()
            self._process.wait()

    @property
    def alive(self) -> bool:
        """Whether it was started and still runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """Its process id, also after its end; None if it was never started."""
        return None if self._process is None else self._process.pid

    @property
    def returncode(self) -> int | None:
        """Its exit code (minus the signal number if a signal ended it), None while it runs."""
        return None if self._process is None else self._process.poll()

    def log_tail(self) -> str:
        """The end of its log, for messages."""
        if self._log_path is None or not self._log_path.exists():
            return ""
        return self._log_path.read_bytes()[-_LOG_TAIL_BYTES:].decode(errors="replace").strip()
