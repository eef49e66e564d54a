"""What a reader makes of a file: events, refusals and lines that are deliberately not events."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from producers.privacy import scrubbed
from schemas.events import Event
from schemas.rejection import DeadLetter, Rejection, dead_letter_id


@dataclass(frozen=True, slots=True)
class FileRefusal:
    """A row that is no event; it goes to the dead letters and the file goes on. `payload` holds no e-mail or ip."""

    line: int
    rejection: Rejection
    payload: bytes

    def dead_letter(self, now: datetime) -> DeadLetter:
        return DeadLetter(
            dead_letter_id=dead_letter_id(self.payload, self.rejection.reason),
            reason=self.rejection.reason,
            detail=f"line {self.line}: {self.rejection.detail}",
            refused_by="send",
            refused_at=now,
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


def refused(line: int, rejection: Rejection, row: bytes, secret: bytes) -> FileRefusal:
    payload = scrubbed(row.decode("utf-8", "replace"), secret).encode()
    return FileRefusal(line, rejection.model_copy(update={"detail": scrubbed(rejection.detail, secret)}), payload)


class UnreadableFile(ValueError):
    """The file as a whole cannot be read: damaged compression, a wrong mapping, a missing option."""
