"""The whole stack as it runs on a cluster: every process started alone, told by `RACELINE_*` where the others are."""

import os
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from apache_kafka import ApacheKafka
from ports import free_port
from running_stack import RunningStack

from raceline.embedded.child import Child
from raceline.embedded.clickhouse import ClickHouse
from raceline.settings import CommandSettings

_COLLECTOR: Final = ("-m", "producers.website")
_WORKER: Final = ("-m", "faust", "-q", "-A", "stream_processors.worker", "worker", "--without-web", "-l", "warn")
_READY_SECONDS: Final = 60.0


class SeparateStack(RunningStack):
    """On Apache Kafka and on the embedded ClickHouse, both of which run already."""

    def __init__(self, kafka: ApacheKafka, clickhouse: ClickHouse, folder: Path, workers: int) -> None:
        port = free_port()
        settings = CommandSettings(
            data_dir=folder,
            kafka=kafka.bootstrap,
            clickhouse_url=clickhouse.url,
            collector_url=f"http://127.0.0.1:{port}",
        )
        super().__init__(settings, port, _environment(settings))
        self.kafka = kafka
        self.clickhouse = clickhouse
        self.collector = Child("collector")
        self._workers = [Child(f"worker-{number}") for number in range(1, workers + 1)]

    @property
    def workers(self) -> list[Child]:
        return self._workers

    def start(self) -> None:
        """Blocks until the collector is ready. Workers take longer."""
        self.command("migrate")
        self.check()
        self.collector.wait_ready(self._answers, _READY_SECONDS)

    def check(self) -> None:
        for child, argv in [(self.collector, _COLLECTOR), *((worker, _WORKER) for worker in self._workers)]:
            if not child.alive:
                log = self.settings.data_dir / f"{child.name}.log"
                child.start([sys.executable, *argv], os.environ | self._process_environment(), log)

    def stop(self) -> None:
        children = [self.collector, *self._workers]
        with ThreadPoolExecutor(len(children)) as threads:
            list(threads.map(Child.stop, children))

    def _process_environment(self) -> dict[str, str]:
        # The session as short as Kafka allows: tests wait until the partitions of a killed worker move.
        return {**self.environment, "RACELINE_PORT": str(self.port), "RACELINE_SESSION_TIMEOUT": "6"}

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.settings.collector_url}/readyz", timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False


def _environment(settings: CommandSettings) -> Mapping[str, str]:
    return {
        "RACELINE_KAFKA": settings.kafka,
        "RACELINE_CLICKHOUSE_URL": settings.clickhouse_url,
        "RACELINE_COLLECTOR_URL": settings.collector_url,
        "RACELINE_DATA_DIR": str(settings.data_dir),
    }


@contextmanager
def running_separately(kafka: ApacheKafka, folder: Path, *, workers: int) -> Iterator[SeparateStack]:
    """Starts and ends everything, Kafka too."""
    clickhouse = ClickHouse(folder / "clickhouse", free_port())
    stack = SeparateStack(kafka, clickhouse, folder, workers)
    try:
        kafka.start()
        clickhouse.start()
        stack.start()
        yield stack
    finally:
        stack.stop()
        kafka.kill()
        clickhouse.stop()
