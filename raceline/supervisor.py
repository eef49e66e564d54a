"""`raceline up`: the embedded stack as supervised child processes.

The broker keeps everything in memory and frees nothing, so it is replaced by a fresh one when it has grown, or when it
died: the generation counts up, workers read from the beginning, and what the spool still holds is sent again. A spool
segment is deleted only when its events are stored and a barrier that was sent afterwards has come through, so nothing
that a lost request was about can be missing: its events are sent, classified and derived again.
"""

import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from producers.publisher import Publisher, PublisherOptions
from producers.spool import segments
from raceline.barrier import pass_barriers
from raceline.database import Database
from raceline.embedded.broker import Broker
from raceline.embedded.child import Child, ChildFailedError
from raceline.embedded.clickhouse import ClickHouse
from raceline.migrate import migrate
from raceline.settings import CommandSettings
from raceline.spooled import all_known, complete_segments, event_ids, records, spool_folder
from raceline.stack import Stack
from raceline.topics import create_topics
from schemas.topics import PARTITIONS, TOPICS

log = logging.getLogger(__name__)

# The embedded broker lets a member join only after half of its session.
SESSION_SECONDS: Final = 6.0
_BARRIER_SECONDS: Final = 60.0
_TIDY_SECONDS: Final = 2.0
_RESTART_SECONDS: Final = 1.0


@dataclass(frozen=True)
class Plan:
    """What to run and where. Ports are on 127.0.0.1."""

    data_dir: Path
    port: int = 8080
    host: str = "127.0.0.1"
    clickhouse_port: int = 8123
    kafka_port: int = 9092
    workers: int = 1
    broker_limit_bytes: int = 512 * 1024 * 1024
    extra: tuple[tuple[str, ...], ...] = ()  # modules to run besides, as `python -m` arguments


@dataclass
class Process:
    """A child that is started again when it ends by itself."""

    argv: tuple[str, ...]
    child: Child
    started_at: float = 0.0


@dataclass
class Supervisor:
    plan: Plan
    clock: Callable[[], float] = time.monotonic
    generation: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        folder = self.plan.data_dir
        self.logs = folder / "logs"
        self.broker = Broker(self.plan.kafka_port, self.logs / "broker.log")
        self.clickhouse = ClickHouse(
            folder / "clickhouse", self.plan.clickhouse_port, self._environment(), self.logs / "clickhouse.log"
        )
        self.settings = CommandSettings(
            data_dir=folder,
            kafka=self.broker.bootstrap,
            clickhouse_url=self.clickhouse.url,
            collector_url=f"http://{self.plan.host}:{self.plan.port}",
        )
        self.workers = [Process(_WORKER, Child(f"worker-{number}")) for number in range(1, self.plan.workers + 1)]
        self.others = [Process(("-m", "raceline.web"), Child("web"))] + [
            Process(("-m", *module), Child(module[0].rpartition(".")[2])) for module in self.plan.extra
        ]
        self._rolling = threading.Lock()
        self._stopping = threading.Event()
        self._tidying = threading.Thread(target=self._tidy_until_stopped, name="tidy", daemon=True)

    def start(self) -> None:
        """Blocks until every part answers. Raises ChildFailedError, with the end of its log, when one does not."""
        self.plan.data_dir.mkdir(parents=True, exist_ok=True)
        self.clickhouse.start()
        for _ in migrate(self.settings):
            pass
        self._start_generation()
        for process in self.others:
            self._start(process)
        self._announce(ready=self._everything_passes())
        self._tidying.start()

    def watch(self) -> None:
        """Restarts what ended and rolls the broker when it is due, until `stop` is called from a signal handler."""
        while not self._stopping.wait(0.2):
            self.check()

    def check(self) -> None:
        if not self.clickhouse.alive:
            log.warning("ClickHouse ended; starting it again.")
            self.clickhouse.start()
        if not self.broker.alive or self.broker.memory_bytes() > self.plan.broker_limit_bytes:
            self.roll()
        for process in [*self.workers, *self.others]:
            if not process.child.alive and self.clock() - process.started_at > _RESTART_SECONDS:
                log.warning("%s ended with code %s; starting it again.", process.child.name, process.child.returncode)
                self._start(process)

    def roll(self) -> None:
        """Replaces the broker by a fresh, empty one and sends again what the spool still holds."""
        with self._rolling:
            log.info("Replacing the broker of generation %d (%d MB).", self.generation, self._broker_megabytes())
            _stop_all(self.workers)
            self.broker.stop()
            self._start_generation()

    def request_stop(self) -> None:
        self._stopping.set()

    def stop(self) -> None:
        """Ends the parts in the order of the flow. What is not stored yet stays in the spool for the next start."""
        self._stopping.set()
        if self._tidying.is_alive():
            self._tidying.join(timeout=5.0)
        _stop_all(self.others)
        _stop_all(self.workers)
        self.broker.stop()
        self.clickhouse.stop()
        with suppress(FileNotFoundError):
            (self.plan.data_dir / "stack.json").unlink()

    def _start_generation(self) -> None:
        self.generation = self._next_generation()
        self.broker.start()
        create_topics(self.broker.bootstrap, [topic.name for topic in TOPICS], PARTITIONS)
        self._announce(ready=False)
        for process in self.workers:
            self._start(process)
        self._send_spool_again()

    def _send_spool_again(self) -> None:
        folder = spool_folder(self.plan.data_dir)
        if not folder.exists():
            return
        publisher = self._publisher()
        try:
            count = publisher.publish_all(records(segments(folder)))
        finally:
            publisher.close()
        log.info("Sent %d events of the spool to the new broker.", count)

    def _next_generation(self) -> int:
        path = self.plan.data_dir / "generation"
        number = int(path.read_text()) + 1 if path.exists() else 0
        path.write_text(f"{number}\n")
        return number

    def _announce(self, *, ready: bool) -> None:
        settings = self.settings
        Stack(settings.kafka, settings.clickhouse_url, settings.collector_url, self.generation, ready=ready).write(
            self.plan.data_dir
        )

    def _everything_passes(self) -> bool:
        publisher, database = self._publisher(), Database.connect(self.settings)
        try:
            return pass_barriers(publisher, database, self.clock() + _BARRIER_SECONDS, self.clock, self._check_started)
        finally:
            publisher.close()
            database.close()

    def _check_started(self) -> None:
        self._check_running()
        for process in [*self.workers, *self.others]:
            if not process.child.alive:
                raise ChildFailedError(f"{process.child.name} ended at its start\n{process.child.log_tail()}")

    def _check_running(self) -> None:
        if self._stopping.is_set():
            raise InterruptedError("the stack is stopping")

    def _start(self, process: Process) -> None:
        process.started_at = self.clock()
        name = process.child.name
        process.child.start([sys.executable, *process.argv], self._environment(), self.logs / f"{name}.log")

    def _publisher(self) -> Publisher:
        publisher = Publisher(PublisherOptions(self.broker.bootstrap))
        publisher.start()
        return publisher

    def _broker_megabytes(self) -> int:
        return self.broker.memory_bytes() // 1_000_000

    def _environment(self) -> dict[str, str]:
        plan = self.plan
        return {
            **os.environ,
            "RACELINE_DATA_DIR": str(plan.data_dir),
            "RACELINE_KAFKA": f"127.0.0.1:{plan.kafka_port}",
            "RACELINE_CLICKHOUSE_URL": f"http://127.0.0.1:{plan.clickhouse_port}",
            "RACELINE_COLLECTOR_URL": f"http://{plan.host}:{plan.port}",
            "RACELINE_HOST": plan.host,
            "RACELINE_PORT": str(plan.port),
            "RACELINE_SPOOL": "always",
            "RACELINE_BROKER_GENERATION": str(self.generation),
            "RACELINE_SESSION_TIMEOUT": str(SESSION_SECONDS),
        }

    def _tidy_until_stopped(self) -> None:
        publisher, database = self._publisher(), Database.connect(self.settings)
        while not self._stopping.wait(_TIDY_SECONDS):
            try:
                self.tidy(publisher, database)
            except Exception as problem:
                if not self._stopping.is_set():
                    log.warning("Cannot tidy the spool now: %s", problem)
        publisher.close(timeout=1.0)
        database.close()

    def tidy(self, publisher: Publisher, database: Database) -> int:
        """Deletes the segments whose events have all reached the KPIs. Returns how many."""
        generation = self.generation
        folder = spool_folder(self.plan.data_dir)
        stored = [segment for segment in complete_segments(folder) if all_known(database, event_ids([segment]))]
        deadline = self.clock() + _BARRIER_SECONDS
        if not stored or not pass_barriers(publisher, database, deadline, self.clock, self._check_running):
            return 0
        with self._rolling:
            if self.generation != generation:
                return 0
            for segment in stored:
                segment.path.unlink(missing_ok=True)
        return len(stored)


def _stop_all(processes: Sequence[Process]) -> None:
    """At once: each takes some seconds to leave its consumer group."""
    with ThreadPoolExecutor(max(len(processes), 1)) as threads:
        list(threads.map(lambda process: process.child.stop(), processes))


_WORKER: Final = ("-m", "faust", "-q", "-A", "stream_processors.worker", "worker", "--without-web", "-l", "warn")
