"""A whole stack for the tests: real broker, real engine, real workers; here as `raceline up` runs them."""

import os
import subprocess
import sys
import time
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeVar

from ports import free_ports
from rich.console import Console

from raceline.database import Database
from raceline.embedded.child import Child
from raceline.kpis import EARLIEST, LATEST, Report, kpi_report
from raceline.plan import Plan
from raceline.send import Sending, Summary, send_files
from raceline.settings import CommandSettings
from raceline.supervisor import Supervisor
from raceline.wait import wait

_RACELINE: Final = (sys.executable, "-c", "from raceline.cli import main; main()")

Result = TypeVar("Result")


class RunningStack(ABC):
    """What tests do with a stack, in whatever form it runs. What ended is started again only inside `watching`."""

    def __init__(self, settings: CommandSettings, port: int, environment: Mapping[str, str]) -> None:
        self.settings = settings
        self.port = port  # the collector's
        self.environment = environment  # by which commands find it

    @property
    @abstractmethod
    def workers(self) -> list[Child]: ...

    @abstractmethod
    def check(self) -> None:
        """Starts again what ended."""

    def command(self, *words: str) -> str:
        """What `raceline` says, as a process of its own; it must end well."""
        done = subprocess.run(
            [*_RACELINE, *words],
            env=os.environ | dict(self.environment),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def send(self, *files: Path, site: str, format: str = "events", mapping: str | None = None) -> Summary:
        sending = Sending(tuple(str(file) for file in files), format, mapping, site)
        return send_files(sending, self.settings, Console(quiet=True))

    def settle(self, timeout: float = 90.0) -> None:
        assert wait(self.settings, timeout), "not everything reached the KPIs in time"

    def kpis(
        self, site: str, since: datetime = EARLIEST, until: datetime = LATEST, channel: str | None = None
    ) -> Report:
        database = Database.connect(self.settings)
        try:
            return kpi_report(database, site, since, until, channel)
        finally:
            database.close()

    def row(self, site: str, dimension: str = "all", value: str = "") -> Mapping[str, Any]:
        """Everything that the view `kpis` knows of a site."""
        database = Database.connect(self.settings)
        try:
            everything = {"since": EARLIEST, "until": LATEST, "dimension": dimension, "value": value}
            return database.rows("database.kpis", {"site": site, **everything})[0]
        finally:
            database.close()

    def stored(self, site: str) -> int:
        """Events that are stored, whether or not the KPIs have them."""
        with urllib.request.urlopen(
            f"{self.settings.clickhouse_url}/?database=raceline&param_site={site}",
            data=b"select count() from events final where site_id = {site:String}",
            timeout=20,
        ) as answer:
            return int(answer.read())

    def watching(self, work: Callable[[], Result]) -> Result:
        """Does the work in another thread and restarts meanwhile, in this one, what ends.

        Children die with the thread that started them, so that is left to the main thread.
        """
        with ThreadPoolExecutor(1) as threads:
            answer = threads.submit(work)
            while not answer.done():
                self.check()
                time.sleep(0.1)
            return answer.result()


class EmbeddedStack(RunningStack):
    def __init__(self, supervisor: Supervisor) -> None:
        environment = {"RACELINE_DATA_DIR": str(supervisor.plan.data_dir)}
        super().__init__(supervisor.settings, supervisor.plan.port, environment)
        self.supervisor = supervisor

    @property
    def workers(self) -> list[Child]:
        return [process.child for process in self.supervisor.workers]

    def check(self) -> None:
        self.supervisor.check()


@contextmanager
def running(data_dir: Path, *, workers: int, broker_limit_bytes: int = 512 * 1024 * 1024) -> Iterator[EmbeddedStack]:
    web, clickhouse, kafka = free_ports(3)
    plan = Plan(
        data_dir=data_dir,
        port=web,
        clickhouse_port=clickhouse,
        kafka_port=kafka,
        workers=workers,
        broker_limit_bytes=broker_limit_bytes,
    )
    supervisor = Supervisor(plan)
    try:
        supervisor.start()
        yield EmbeddedStack(supervisor)
    finally:
        supervisor.stop()


def until(condition: Callable[[], bool], timeout: float = 30.0) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "it did not become true in time"
        time.sleep(0.05)
