"""`raceline up` as a process: one per data folder, ports checked first, ended by Ctrl-C or SIGTERM."""

import fcntl
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from producers.outgoing import PublishFailed
from raceline.embedded.child import ChildFailedError
from raceline.migrate import MigrationError
from raceline.plan import Plan
from raceline.supervisor import Supervisor

Say = Callable[[str], None]


class Ports(NamedTuple):
    web: int
    clickhouse: int
    kafka: int


@dataclass(frozen=True)
class Running:
    """`seconds`: how long, once everything works; None until it is told to stop."""

    workers: int = 1
    demo: bool = False
    seconds: float | None = None


class CannotStartError(Exception):
    """Something is in the way that the user has to move."""


def run_stack(data_dir: Path, ports: Ports, running: Running, say: Say) -> int:
    """Blocks until it is told to stop. Returns the exit code."""
    plan = Plan(
        data_dir=data_dir.resolve(),
        port=ports.web,
        clickhouse_port=ports.clickhouse,
        kafka_port=ports.kafka,
        workers=running.workers,
        extra=(("raceline.demo",),) if running.demo else (),
    )
    try:
        with _only_one(plan.data_dir):
            _check_ports(ports)
            return _run(plan, running.seconds, say)
    except CannotStartError as problem:
        say(str(problem))
        return 2


def _run(plan: Plan, seconds: float | None, say: Say) -> int:
    supervisor = Supervisor(plan)
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: supervisor.request_stop())
    try:
        say("Starting the broker, ClickHouse, the worker and the collector ...")
        supervisor.start()
        say(_welcome(plan))
        with _ended_after(seconds, supervisor.request_stop):
            supervisor.watch()
        say("Stopping ...")
    except InterruptedError:
        say("Stopped before everything was up.")
    except (ChildFailedError, MigrationError, PublishFailed, OSError) as problem:
        say(str(problem))
        return 1
    finally:
        supervisor.stop()
    return 0


@contextmanager
def _ended_after(seconds: float | None, stop: Callable[[], None]) -> Iterator[None]:
    timer = None if seconds is None else threading.Timer(seconds, stop)
    if timer is not None:
        timer.start()
    try:
        yield
    finally:
        if timer is not None:
            timer.cancel()


def _welcome(plan: Plan) -> str:
    url = f"http://{plan.host}:{plan.port}"
    return (
        f"\nRaceline is up.\n"
        f"  live page    {url}/\n"
        f"  collector    {url}/v1/events   (write key of the site demo: demo)\n"
        f"  ClickHouse   http://127.0.0.1:{plan.clickhouse_port}\n"
        f"  data         {plan.data_dir}\n"
        f"Ctrl-C stops it."
    )


@contextmanager
def _only_one(data_dir: Path) -> Iterator[None]:
    data_dir.mkdir(parents=True, exist_ok=True)
    file = os.open(data_dir / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        raise CannotStartError(f"A stack is already running in {data_dir}. --data-dir names another folder.") from None
    try:
        yield
    finally:
        os.close(file)


def _check_ports(ports: Ports) -> None:
    options = {"--port": ports.web, "--clickhouse-port": ports.clickhouse, "--kafka-port": ports.kafka}
    for option, port in options.items():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                raise CannotStartError(f"Port {port} is taken ({error.strerror}). {option} chooses another.") from None
