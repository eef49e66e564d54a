"""What producers have accepted and may not be stored yet: the spool's segments, asked about, sent again, deleted."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Final

import orjson

from producers.outgoing import OutgoingRecord
from producers.spool import Segment, is_abandoned, read_events, segments
from raceline.database import Database
from schemas.topics import EVENTS

_IDS_AT_ONCE: Final = 2000


def spool_folder(data_dir: Path) -> Path:
    return data_dir / "spool"


def complete_segments(folder: Path) -> list[Segment]:
    """Those that nobody writes to any more."""
    return [segment for segment in segments(folder) if not segment.is_open or is_abandoned(segment)]


def all_known(database: Database, ids: Iterable[str]) -> bool:
    """Whether every event was stored or refused."""
    remaining = iter(set(ids))
    while chunk := list(islice(remaining, _IDS_AT_ONCE)):
        found = database.rows("database.known_ids", {"ids": chunk, "texts": chunk})
        if found[0]["known"] < len(chunk):
            return False
    return True


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
