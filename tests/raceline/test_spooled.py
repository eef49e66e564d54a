"""Which segments are stored, without reading them again and again."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import pytest

from producers.spool import Segment, segments
from raceline import spooled
from raceline.database import Database
from raceline.embedded.clickhouse import ClickHouse
from raceline.migrate import migrate
from raceline.settings import CommandSettings
from raceline.spooled import StoredSegments, all_known


class Known:
    def __init__(self) -> None:
        self.ids: set[str] = set()

    def rows(self, name: str, parameters: Mapping[str, Any]) -> list[dict[str, int]]:
        return [{"known": len(self.ids & set(parameters["ids"]))}]


def test_a_segment_is_read_once_while_nothing_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [str(UUID(int=number)) for number in range(5000)]
    (tmp_path / "collector-1-1.ndjson").write_text("".join(f'{{"event_id": "{one}"}}\n' for one in ids))
    read: list[Segment] = []
    event_ids = spooled.event_ids

    def counted(found: list[Segment]) -> Iterator[str]:
        read.extend(found)
        return event_ids(found)

    monkeypatch.setattr(spooled, "event_ids", counted)
    found, known, stored = segments(tmp_path), Known(), StoredSegments()
    database = cast(Database, known)
    known.ids = set(ids[:3000])
    for _ in range(3):
        assert stored.among(found, database) == []
    assert len(read) == 1
    known.ids = set(ids) - {ids[7]}
    for _ in range(3):
        assert stored.among(found, database) == []
    assert len(read) == 2
    known.ids = set(ids)
    for _ in range(3):
        assert stored.among(found, database) == found
    assert len(read) == 3


def test_ids_are_asked_about_in_parameters_that_clickhouse_takes(clickhouse: ClickHouse) -> None:
    settings = CommandSettings(clickhouse_url=clickhouse.url, clickhouse_database="spooled")
    list(migrate(settings))
    database = Database.connect(settings)
    try:
        ids = [str(UUID(int=number)) for number in range(5000)]
        database.insert("dead_letters", [[one, one] for one in ids], ["dead_letter_id", "event_id"])
        assert all_known(database, ids)
        assert not all_known(database, [*ids, str(UUID(int=5000))])
    finally:
        database.close()
