"""What a reader makes of a file: events, refusals and lines that are deliberately not events."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from producers.privacy import scrubbed
from schemas.events import Event
from schemas.rejection import DeadLetter, Rejection, dead_letter_id


@dataclass(frozen=True, slots=True)
class FileRefusal:
    """A row that is no event; it goes to the dead letters and the file goes on. `payload` holds no e-mail or ip.

    `site` is what all rows of the file belong to, where that is known.
    """

    line: int
    rejection: Rejection
    payload: bytes
    site: str = ""

    def dead_letter(self, now: datetime) -> DeadLetter:
        row = _fields(self.payload)
        return DeadLetter(
            dead_letter_id=dead_letter_id(self.payload, self.rejection.reason),
            reason=self.rejection.reason,
            detail=f"line {self.line}: {self.rejection.detail}",
            refused_by="send",
            refused_at=now,
            site_id=(self.site or _text(row.get("site_id")))[:64],
            event_id=_text(row.get("event_id"))[:64],
            payload=self.payload.decode(),
        )


@dataclass(frozen=True, slots=True)
class Skipped:
    """A row that is right and not an event, such as the request for an image; it is only counted."""

    line: int
    reason: str


Item = Event | FileRefusal | Skipped


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """`secret` makes the keyed hashes of visitors and e-mails; `now` becomes every event's `received_at`."""

    now: datetime
    secret: bytes
    site: str | None = None
    mapping: Path | None = None


Reader = Callable[[BinaryIO, ReadOptions], Iterator[Item]]


def refused(line: int, rejection: Rejection, row: bytes, options: ReadOptions) -> FileRefusal:
    payload = scrubbed(row.decode("utf-8", "replace"), options.secret).encode()
    detail = scrubbed(rejection.detail, options.secret)
    return FileRefusal(line, rejection.model_copy(update={"detail": detail}), payload, options.site or "")


def _fields(payload: bytes) -> dict[str, Any]:
    """Of a row that is a JSON object."""
    try:
        found = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


class UnreadableFile(ValueError):
    """The file as a whole cannot be read: damaged compression, a wrong mapping, a missing option."""
