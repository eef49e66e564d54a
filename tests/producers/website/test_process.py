"""`python -m producers.website` as a process: kills, signals, taken ports."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from producers.spool import is_abandoned, read_events, segments

ROOT = Path(__file__).resolve().parents[3]


@dataclass
class Process:
    child: subprocess.Popen[bytes]
    port: int
    data_dir: Path

    def post(self, event_id: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("POST", "/v1/events?key=demo", json.dumps({"event_id": event_id, "name": "a"}))
            return connection.getresponse().status
        finally:
            connection.close()

    def spooled(self) -> set[str]:
        folder = self.data_dir / "spool"
        return {json.loads(line)["event_id"] for segment in segments(folder) for line in read_events(segment)}


def launch(data_dir: Path, port: int, kafka_port: int, mode: str = "always") -> subprocess.Popen[bytes]:
    settings = {
        "RACELINE_DATA_DIR": str(data_dir),
        "RACELINE_PORT": str(port),
        "RACELINE_KAFKA": f"127.0.0.1:{kafka_port}",
        "RACELINE_SPOOL": mode,
    }
    command = [sys.executable, "-m", "producers.website"]
    return subprocess.Popen(command, cwd=ROOT, env=os.environ | settings, stderr=subprocess.PIPE)


@pytest.fixture
def collector(tmp_path: Path, free_port: Callable[[], int]) -> Iterator[Process]:
    """Running without any Kafka."""
    running = Process(launch(tmp_path, port := free_port(), free_port()), port, tmp_path)
    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            break
        except OSError:
            assert time.monotonic() < deadline
            assert running.child.poll() is None
            time.sleep(0.05)
    yield running
    running.child.kill()
    running.child.communicate()


def test_every_answered_event_survives_a_kill_under_load(collector: Process) -> None:
    answered: list[str] = []

    def keep_sending() -> None:
        while True:
            event_id = str(uuid4())
            try:
                status = collector.post(event_id)
            except (OSError, http.client.HTTPException):
                return
            if status == 200:
                answered.append(event_id)

    senders = [threading.Thread(target=keep_sending) for _ in range(4)]
    for sender in senders:
        sender.start()
    deadline = time.monotonic() + 20
    while len(answered) < 500 and time.monotonic() < deadline:
        time.sleep(0.01)
    collector.child.kill()
    for sender in senders:
        sender.join(10)
    collector.child.wait(10)
    assert len(answered) >= 500
    assert set(answered) <= collector.spooled()
    assert any(is_abandoned(segment) for segment in segments(collector.data_dir / "spool"))


def test_sigterm_ends_it_and_completes_the_segment(collector: Process) -> None:
    event_id = str(uuid4())
    assert collector.post(event_id) == 200
    collector.child.send_signal(signal.SIGTERM)
    collector.child.wait(15)
    assert not any(segment.is_open for segment in segments(collector.data_dir / "spool"))
    assert collector.spooled() == {event_id}


def test_taken_port_is_said_in_one_sentence(tmp_path: Path, free_port: Callable[[], int]) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        child = launch(tmp_path, port, free_port())
        said = child.communicate(timeout=20)[1].decode()
    assert child.returncode == 1
    assert said == f"The collector cannot listen on 127.0.0.1:{port}: Address already in use. Set RACELINE_PORT.\n"


def test_bad_setting_is_said_in_one_sentence(tmp_path: Path, free_port: Callable[[], int]) -> None:
    child = launch(tmp_path, free_port(), free_port(), mode="perhaps")
    said = child.communicate(timeout=20)[1].decode()
    assert child.returncode == 1
    assert said.startswith("The collector cannot start: RACELINE_SPOOL=perhaps: ")
    assert said.count("\n") == 1
