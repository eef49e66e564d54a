"""A broker and a ClickHouse of its own for one measurement, and the process that is measured."""

import json
import os
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from apache_kafka import ApacheKafka, installation
from brokers import AnyBroker
from ports import free_ports

from raceline.embedded.broker import Broker
from raceline.embedded.child import Child
from raceline.embedded.clickhouse import ClickHouse
from raceline.migrate import migrate, migrate_topics
from raceline.plan import SESSION_SECONDS
from raceline.settings import CommandSettings

ROOT: Final = Path(__file__).resolve().parents[1]
SQL: Final = ROOT / "benchmarks" / "sql"


def ask(settings: CommandSettings, query: str, **parameters: str) -> dict[str, Any]:
    """The first row of `benchmarks/sql/<query>.sql`, empty if there is none."""
    named = {f"param_{name}": value for name, value in parameters.items()}
    address = urlencode({"database": settings.clickhouse_database, "default_format": "JSONEachRow"} | named)
    statement = (SQL / f"{query}.sql").read_bytes()
    with urllib.request.urlopen(f"{settings.clickhouse_url}/?{address}", data=statement, timeout=60) as answer:
        line = answer.readline()
    row: dict[str, Any] = json.loads(line) if line.strip() else {}
    return row


@dataclass(frozen=True)
class Parts:
    folder: Path
    settings: CommandSettings

    @contextmanager
    def worker(self, module: str, **environment: str) -> Iterator[Child]:
        """`python -m MODULE`, until the end of the block."""
        settings = self.settings
        child = Child(module)
        addresses = {
            "RACELINE_KAFKA": settings.kafka,
            "RACELINE_CLICKHOUSE_URL": settings.clickhouse_url,
            "RACELINE_DATA_DIR": str(self.folder),
            "RACELINE_SESSION_TIMEOUT": str(SESSION_SECONDS),
            "PYTHONPATH": str(ROOT),
        }
        child.start([sys.executable, "-m", module], os.environ | addresses | environment, self.folder / "worker.log")
        try:
            yield child
        finally:
            child.kill()


@contextmanager
def running_parts(broker: str, folder: Path) -> Iterator[Parts]:
    """Empty, with all topics and tables."""
    kafka_port, clickhouse_port = free_ports(2)
    clickhouse = ClickHouse(folder / "clickhouse", clickhouse_port)
    kafka = _broker(broker, kafka_port, folder)
    kafka.start()
    try:
        clickhouse.start()
        settings = CommandSettings(kafka=kafka.bootstrap, clickhouse_url=clickhouse.url)
        for _ in migrate(settings):
            pass
        migrate_topics(settings)
        yield Parts(folder, settings)
    finally:
        clickhouse.kill()
        kafka.stop()


def _broker(name: str, port: int, folder: Path) -> AnyBroker:
    if name == "tansu":
        return Broker(port, folder / "broker.log")
    return apache_kafka(folder, port)


def apache_kafka(folder: Path, port: int) -> ApacheKafka:
    """With the JVM options of Kafka's own start script, but a smaller heap; the tests' are for a quick start."""
    jvm = ("-Xmx1g", "-Xms1g", "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20")
    return ApacheKafka(replace(installation(), jvm=jvm), folder / "kafka", port)
