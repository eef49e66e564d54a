"""`raceline doctor`: checks every connection and says in a sentence what to do."""

import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import NamedTuple

from raceline.console import sentence
from raceline.database import Database, DatabaseError
from raceline.migrate import migrations, wrong_partitions
from raceline.settings import CommandSettings
from raceline.topics import partition_counts
from schemas.topics import PARTITIONS, TOPICS


class Finding(NamedTuple):
    part: str
    good: bool
    sentence: str


def diagnose(settings: CommandSettings) -> Iterator[Finding]:
    yield _found("collector", lambda: _collector(settings))
    yield _found("Kafka", lambda: _kafka(settings))
    yield _found("ClickHouse", lambda: _clickhouse(settings))
    yield _found("data folder", lambda: _data_folder(settings))


def _found(part: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(part, True, check())
    except Exception as problem:
        said = sentence(problem) if isinstance(problem, DatabaseError) else f"{type(problem).__name__}: {problem}"
        return Finding(part, False, said)


def _collector(settings: CommandSettings) -> str:
    try:
        with urllib.request.urlopen(f"{settings.collector_url}/readyz", timeout=5):  # noqa: S310 - from our settings
            return f"{settings.collector_url} is ready."
    except urllib.error.HTTPError as refused:
        raise RuntimeError(f"{settings.collector_url} answers {refused.code}: {refused.read(500).decode()}") from None


def _kafka(settings: CommandSettings) -> str:
    found = partition_counts(settings.kafka)
    missing = {topic.name for topic in TOPICS} - found.keys()
    if missing:
        raise RuntimeError(f"topics are missing: {', '.join(sorted(missing))}: run `raceline migrate`")
    if problem := wrong_partitions(found):
        raise RuntimeError(problem)
    return f"{settings.kafka} has all {len(TOPICS)} topics, each of {PARTITIONS} partitions."


def _clickhouse(settings: CommandSettings) -> str:
    database = Database.connect(settings)
    try:
        applied = len(database.rows("migrate.applied"))
        if applied != len(migrations()):
            raise RuntimeError(f"{applied} of {len(migrations())} migrations applied: run `raceline migrate`")
        return f"{settings.clickhouse_url} has all {applied} migrations."
    finally:
        database.close()


def _data_folder(settings: CommandSettings) -> str:
    probe = settings.data_dir / ".doctor"
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    probe.write_text("")
    probe.unlink()
    return f"{settings.data_dir} can be written."
