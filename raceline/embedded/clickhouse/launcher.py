"""Starts the embedded ClickHouse as a child process."""

import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from raceline.embedded.child import Child

_HOST = "127.0.0.1"
_START_SECONDS = 30.0


@dataclass
class ClickHouse:
    """The server of one data directory on one port. `env` is the child's whole environment, None for ours."""

    data_dir: Path
    port: int
    env: Mapping[str, str] | None = field(default=None, repr=False)
    log_path: Path | None = None
    _child: Child = field(default_factory=lambda: Child("clickhouse"), init=False, repr=False)

    def start(self, timeout: float = _START_SECONDS) -> None:
        """Start it and block until it answers. Raises ChildFailedError, with the end of its log, if it does not."""
        argv = [sys.executable, "-m", __package__, "--data-dir", str(self.data_dir)]
        argv += ["--host", _HOST, "--port", str(self.port)]
        self._child.start(argv, self.env, self.log_path or self.data_dir.parent / f"{self.data_dir.name}.log")
        self._child.wait_ready(self._answers, timeout)

    def stop(self, timeout: float = 15.0) -> int | None:
        """End it in order; its data is on disk then."""
        return self._child.stop(timeout)

    def kill(self) -> None:
        """End it as a crash would."""
        self._child.kill()

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://{_HOST}:{self.port}"

    @property
    def pid(self) -> int | None:
        """Its process id, None before the start."""
        return self._child.pid

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._child.alive

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/ping", timeout=1) as reply:  # noqa: S310 - our own address
                return bool(reply.status == 200)
        except (urllib.error.URLError, OSError):
            return False
