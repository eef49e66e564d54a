"""Brings a database to the schema of `sql/migrations`: forward only, each file once, known by its checksum.

And a Kafka to the topics of `schemas.topics`: nothing else creates them, since only we know their partitions.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from raceline.database import SQL, Database, query
from raceline.settings import CommandSettings
from raceline.topics import create_topics, partition_counts
from schemas.topics import PARTITIONS, TOPICS

MIGRATIONS: Final = SQL / "migrations"


class MigrationError(Exception):
    """The database does not fit the files, or Kafka the topics: a human has to look."""


@dataclass(frozen=True)
class Migration:
    number: int
    name: str
    statement: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.statement.encode()).hexdigest()


def migrations(folder: Path = MIGRATIONS) -> list[Migration]:
    found = []
    for path in sorted(folder.glob("[0-9]*.sql")):
        number, _, words = path.stem.partition("_")
        found.append(Migration(int(number), words, path.read_text()))
    if [migration.number for migration in found] != list(range(1, len(found) + 1)):
        raise MigrationError(f"the files in {folder} are not numbered 1, 2, 3, ... without gaps")
    return found


def migrate(settings: CommandSettings, *, dry_run: bool = False, folder: Path = MIGRATIONS) -> Iterator[Migration]:
    """Applies what is missing and yields each migration after it was applied (dry run: instead of applying it)."""
    _create_database(settings)
    database = Database.connect(settings)
    try:
        database.run(query("migrate.create_migrations"))
        for migration in _missing(migrations(folder), database):
            if not dry_run:
                database.run(migration.statement)
                row = [migration.number, migration.name, migration.checksum]
                database.insert("migrations", [row], ["number", "name", "checksum"])
            yield migration
    finally:
        database.close()


def migrate_topics(settings: CommandSettings, *, dry_run: bool = False) -> list[str]:
    """Creates the topics that are missing; returns their names.

    Raises ConnectionError when Kafka does not answer, MigrationError when a topic has another number of partitions.
    """
    found = _right_topics(settings)
    missing = [topic.name for topic in TOPICS if topic.name not in found]
    if missing and not dry_run:
        create_topics(settings.kafka, missing, PARTITIONS)
        _right_topics(settings)  # somebody else may have been quicker
    return missing


def _right_topics(settings: CommandSettings) -> Mapping[str, int]:
    found = partition_counts(settings.kafka)
    if problem := wrong_partitions(found):
        raise MigrationError(problem)
    return found


def wrong_partitions(found: Mapping[str, int]) -> str:
    """Which of our topics have not the partitions that we count on, in a sentence; empty when all have."""
    wrong = [f"{t.name} has {found[t.name]}" for t in TOPICS if found.get(t.name, PARTITIONS) != PARTITIONS]
    if not wrong:
        return ""
    return (
        f"topics must have {PARTITIONS} partitions, {', '.join(wrong)}. Kafka makes a topic by itself when a worker "
        "comes first (auto.create.topics.enable): stop the workers, delete these topics, run `raceline migrate`, and "
        "start all workers with RACELINE_BROKER_GENERATION raised by one: offsets begin again, and without it new KPIs "
        "would lose against stored ones"
    )


def _create_database(settings: CommandSettings) -> None:
    database = Database.connect(settings, database="default")
    try:
        database.run(query("migrate.create_database"), {"database": settings.clickhouse_database})
    finally:
        database.close()


def _missing(known: Sequence[Migration], database: Database) -> list[Migration]:
    applied = {row["number"]: row for row in database.rows("migrate.applied")}
    by_number = {migration.number: migration for migration in known}
    for number, row in applied.items():
        if number not in by_number:
            raise MigrationError(f"the database has migration {number} ({row['name']}), which this release lacks")
        if row["checksum"] != by_number[number].checksum:
            raise MigrationError(f"migration {number} ({row['name']}) was changed after it was applied")
    return [migration for migration in known if migration.number not in applied]
