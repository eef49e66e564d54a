"""What producers have accepted and may not be stored yet: the spool's segments, asked about, sent again, deleted."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import orjson

from producers.outgoing import OutgoingRecord
from producers.spool import Segment, folder_bytes, is_abandoned, read_events, segments
from raceline.database import Database
from schemas.topics import EVENTS

_IDS_AT_ONCE: Final = 2000  # 80 KB as a parameter, of which ClickHouse takes 128 KiB


def spool_folder(data_dir: Path) -> Path:
    return data_dir / "spool"


def complete_segments(folder: Path) -> list[Segment]:
    """Those that nobody writes to any more."""
    return [segment for segment in segments(folder) if not segment.is_open or is_abandoned(segment)]


@dataclass
class TidyPace:
    """When to look for segments that can be deleted: at once while the stack is not ready or much gathered, else now
    and then. A barrier makes all hurry, and what is stored costs nothing but room."""

    folder: Path
    clock: Callable[[], float]
    seconds: float = 20.0
    much: int = 64 * 1024 * 1024  # bytes
    _last: float = -math.inf

    def is_due(self, *, ready: bool) -> bool:
        due = not ready or self.clock() - self._last >= self.seconds or folder_bytes(self.folder) > self.much
        self._last = self.clock() if due else self._last
        return due


class StoredSegments:
    """Finds the segments whose events were all stored or refused, and reads none again before it can have changed.

    Remembers one event of each segment that was not stored yet.
    """

    def __init__(self) -> None:
        self._missing: dict[Path, str | None] = {}  # None: all of it is stored, which stays so

    def among(self, found: Sequence[Segment], database: Database) -> list[Segment]:
        paths = {segment.path for segment in found}
        self._missing = {path: event_id for path, event_id in self._missing.items() if path in paths}
        return [segment for segment in found if self._is_stored(segment, database)]

    def _is_stored(self, segment: Segment, database: Database) -> bool:
        missing = self._missing.get(segment.path, "")
        if missing and not all_known(database, [missing]):
            return False
        if missing is not None:
            self._missing[segment.path] = missing = _missing_id(database, [*event_ids([segment])][::-1])
        return missing is None


def all_known(database: Database, ids: Iterable[str]) -> bool:
    """Whether every event was stored or refused."""
    return all(_are_known(database, chunk) for chunk in _chunks(set(ids)))


def _missing_id(database: Database, ids: Sequence[str]) -> str | None:
    """One that is neither stored nor refused, of the first ones; None when there is none."""
    for chunk in _chunks(dict.fromkeys(ids)):
        if _are_known(database, chunk):
            continue
        while len(chunk) > 1:
            half = chunk[: len(chunk) // 2]
            chunk = chunk[len(half) :] if _are_known(database, half) else half
        return chunk[0]
    return None


def _are_known(database: Database, ids: Sequence[str]) -> bool:
    found = database.rows("database.known_ids", {"ids": ids, "texts": ids})
    return bool(found[0]["known"] >= len(ids))


def _chunks(ids: Iterable[str]) -> Iterator[list[str]]:
    remaining = iter(ids)
    while chunk := list(islice(remaining, _IDS_AT_ONCE)):
        yield chunk


def event_ids(found: Iterable[Segment]) -> Iterator[str]:
    for line in lines(found):
        yield str(orjson.loads(line)["event_id"]).lower()


def records(found: Iterable[Segment]) -> Iterator[OutgoingRecord]:
    """The events of the segments as they were first sent."""
    for line in lines(found):
        event = orjson.loads(line)
        key = event.get("user_id") or event.get("visitor_id")
        yield OutgoingRecord(EVENTS.name, key.encode() if key else None, line)


def lines(found: Iterable[Segment]) -> Iterator[bytes]:
    for segment in found:
        with suppress(FileNotFoundError):  # completed or deleted since the folder was read
            yield from read_events(segment)
            continue
        complete = Segment(segment.seq, segment.producer, segment.pid, segment.path.with_suffix(".ndjson"))
        with suppress(FileNotFoundError):
            yield from read_events(complete)
