"""`raceline up`: the embedded stack as supervised child processes.

The broker keeps everything in memory and frees nothing, so it is replaced by a fresh one when it has grown, or when it
died: the generation counts up, workers read from the beginning, and what the spool still holds is sent again. A spool
segment is deleted only when its events are stored and a barrier that was sent afterwards has come through, so nothing
that a lost request was about can be missing: its events are sent, classified and derived again.
"""

import logging
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from producers.outgoing import OutgoingRecord, PublishFailed
from producers.publisher import Publisher, PublisherOptions
from producers.spool import segments
from raceline.barrier import pass_barriers
from raceline.database import Database
from raceline.embedded.broker import Broker
from raceline.embedded.child import Child, ChildFailedError
from raceline.embedded.clickhouse import ClickHouse
from raceline.migrate import migrate
from raceline.plan import Plan
from raceline.settings import CommandSettings
from raceline.spooled import StoredSegments, TidyPace, complete_segments, records, spool_folder
from raceline.stack import Stack
from raceline.topics import create_topics
from schemas.topics import PARTITIONS, TOPICS

log = logging.getLogger(__name__)

_BARRIER_SECONDS: Final = 60.0
_TIDY_SECONDS: Final = 2.0
_RESTART_SECONDS: Final = 1.0
_TRY_AGAIN_SECONDS: Final = 10.0


class Phase(IntEnum):
    """How far the current generation of the broker has come."""

    DOWN = 0
    OPEN = 1  # it answers, the workers read
    WHOLE = 2  # it was sent what the spool held
    READY = 3  # a barrier has passed since


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
    phase: Phase = field(default=Phase.DOWN, init=False)

    def __post_init__(self) -> None:
        folder = self.plan.data_dir
        self.logs = folder / "logs"
        self.broker = Broker(self.plan.kafka_port, self.logs / "broker.log")
        self.clickhouse = ClickHouse(
            folder / "clickhouse",
            self.plan.clickhouse_port,
            self.plan.environment(self.generation),
            self.logs / "clickhouse.log",
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
        self._rolling = threading.Lock()  # held for all of a roll; generation and phase change under it
        self._try_again_at = 0.0
        self._stored = StoredSegments()
        self._pace = TidyPace(spool_folder(folder), self.clock)
        self._stopping = threading.Event()
        self._tidying = threading.Thread(target=self._tidy_until_stopped, name="tidy", daemon=True)

    def start(self) -> None:
        """Blocks until every part answers, or would not in time: then `tidy` finds out when it does.

        Raises ChildFailedError, with the end of its log, when a part ends or stays silent; PublishFailed and OSError
        when the broker is not reached; InterruptedError after `request_stop`.
        """
        self.plan.data_dir.mkdir(parents=True, exist_ok=True)
        self.clickhouse.start()
        for _ in migrate(self.settings):
            pass
        self._start_generation()
        for process in self.others:
            self._start(process)
        if self._everything_passes():
            self._enter(Phase.READY)
        self._tidying.start()

    def watch(self) -> None:
        """Restarts what ended and rolls the broker when it is due, until `stop` is called from a signal handler."""
        while not self._stopping.wait(0.2):
            self.check()

    def check(self) -> None:
        """Never raises because a part cannot be started now: it is tried again later."""
        if self.clock() >= self._try_again_at:
            try:
                self._check_services()
            except (ChildFailedError, PublishFailed, OSError) as problem:
                self._try_again_at = self.clock() + _TRY_AGAIN_SECONDS
                if self._stopping.is_set():
                    return
                log.warning("%s; trying again in %d s.", str(problem).partition("\n")[0], _TRY_AGAIN_SECONDS)
        workers = self.workers if self.phase >= Phase.OPEN else []  # before, they would have the last generation
        for process in [*workers, *self.others]:
            if not process.child.alive and self.clock() - process.started_at > _RESTART_SECONDS:
                log.warning("%s ended with code %s; starting it again.", process.child.name, process.child.returncode)
                self._start(process)

    def _check_services(self) -> None:
        if not self.clickhouse.alive:
            log.warning("ClickHouse ended; starting it again.")
            self.clickhouse.start()
        if not self.broker.alive or self.phase is Phase.DOWN or self._broker_is_full():
            self.roll()
        elif self.phase is Phase.OPEN:
            with self._rolling:
                self._send_spool_again()

    def _broker_is_full(self) -> bool:
        # Not before something was done with what it holds: a spool that is larger than the limit would roll for ever.
        return self.phase is Phase.READY and self.broker.memory_bytes() > self.plan.broker_limit_bytes

    def roll(self) -> None:
        """Replaces the broker by a fresh, empty one and sends again what the spool still holds. Raises like `start`."""
        with self._rolling:
            log.info("Replacing the broker of generation %d (%d MB).", self.generation, self._broker_megabytes())
            self._enter(Phase.DOWN)
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
        self.broker.start()
        create_topics(self.broker.bootstrap, [topic.name for topic in TOPICS], PARTITIONS)
        self.generation = self._next_generation()
        self._enter(Phase.OPEN)
        for process in self.workers:
            self._start(process)
        self._send_spool_again()

    def _send_spool_again(self) -> None:
        folder = spool_folder(self.plan.data_dir)
        if folder.exists():
            publisher = self._publisher()
            try:
                count = publisher.publish_all(self._until_stopping(records(segments(folder))))
            finally:
                publisher.close(timeout=1.0)
            log.info("Sent %d events of the spool to the new broker.", count)
        self._enter(Phase.WHOLE)

    def _until_stopping(self, records: Iterable[OutgoingRecord]) -> Iterator[OutgoingRecord]:
        for record in records:
            self._check_running()
            yield record

    def _next_generation(self) -> int:
        path = self.plan.data_dir / "generation"
        number = int(path.read_text()) + 1 if path.exists() else 0
        draft = path.with_suffix(".new")  # a full disk must not leave an empty file
        draft.write_text(f"{number}\n")
        draft.replace(path)
        return number

    def _enter(self, phase: Phase) -> None:
        """Raises OSError when the disk is full, and then nothing has changed: whoever wanted it tries again."""
        self._announce(ready=phase is Phase.READY)
        self.phase = phase

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
        process.child.start(
            [sys.executable, *process.argv], self.plan.environment(self.generation), self.logs / f"{name}.log"
        )

    def _publisher(self) -> Publisher:
        publisher = Publisher(PublisherOptions(self.broker.bootstrap))
        publisher.start()
        return publisher

    def _broker_megabytes(self) -> int:
        return self.broker.memory_bytes() // 1_000_000

    def _tidy_until_stopped(self) -> None:
        while not self._stopping.wait(_TIDY_SECONDS):
            try:
                self._tidy_while_connected()
            except Exception as problem:
                if not self._stopping.is_set():
                    log.warning("Cannot tidy the spool now: %s", problem)

    def _tidy_while_connected(self) -> None:
        with ExitStack() as opened:
            database = Database.connect(self.settings)
            opened.callback(database.close)
            publisher = self._publisher()
            opened.callback(publisher.close, timeout=1.0)
            while not self._stopping.is_set():
                if self._pace.is_due(ready=self.phase is Phase.READY):
                    self.tidy(publisher, database)
                self._stopping.wait(_TIDY_SECONDS)

    def tidy(self, publisher: Publisher, database: Database) -> int:
        """Deletes the segments whose events have all reached the KPIs. Returns how many.

        A barrier proves that only for the broker that it was sent to, and only once that has the whole spool. The first
        one makes the stack ready.
        """
        with self._rolling:
            generation, phase = self.generation, self.phase
            complete = complete_segments(spool_folder(self.plan.data_dir))
        if phase < Phase.WHOLE:
            return 0
        stored = self._stored.among(complete, database)
        if phase is Phase.READY and not stored:
            return 0
        if not pass_barriers(publisher, database, self.clock() + _BARRIER_SECONDS, self.clock, self._check_running):
            return 0
        with self._rolling:
            if self.generation != generation or self.phase < Phase.WHOLE or self._stopping.is_set():
                return 0
            for segment in stored:
                segment.path.unlink(missing_ok=True)
            if self.phase is not Phase.READY:
                self._enter(Phase.READY)
        return len(stored)


def _stop_all(processes: Sequence[Process]) -> None:
    """At once: each takes some seconds to leave its consumer group."""
    with ThreadPoolExecutor(max(len(processes), 1)) as threads:
        list(threads.map(lambda process: process.child.stop(), processes))


_WORKER: Final = ("-m", "faust", "-q", "-A", "stream_processors.worker", "worker", "--without-web", "-l", "warn")
