"""`raceline dead-letters`: what was refused and why, and sending it again after a fix."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from rich.console import Console
from rich.table import Table

from producers.outgoing import OutgoingRecord
from producers.publisher import Publisher, PublisherOptions
from producers.website.intake import Visit, checked
from raceline.console import plain
from raceline.database import Database
from raceline.settings import CommandSettings
from schemas.rejection import EXPLANATIONS, RejectReason
from schemas.topics import EVENTS


@dataclass(frozen=True)
class Letter:
    dead_letter_id: UUID
    reason: str
    detail: str
    refused_by: str
    refused_at: datetime
    site_id: str
    event_id: str
    payload: str


def letters(database: Database, *, reason: str = "", id_prefix: str = "", limit: int = 100) -> list[Letter]:
    """Newest first. Refused events of which an accepted copy arrived later are not listed any more."""
    found = database.rows("database.dead_letters", {"reason": reason, "id": id_prefix, "limit": limit})
    return [Letter(**row) for row in found]


def obstacle(letter: Letter) -> str | None:
    """Why a letter cannot be retried; None when it can. What a client may not send, no retry lets in."""
    event = _parsed(letter)
    if letter.refused_by == "send" or not event.get("site_id") or not event.get("event_id"):
        return "mend the row and send the file again"
    if letter.refused_by == "collector":
        refusal = checked(event, Visit(letter.site_id, letter.refused_at))
        return refusal.detail if refusal else None
    return None


def retry(settings: CommandSettings, chosen: Sequence[Letter]) -> int:
    """Sends the payloads to `race.events` again, where they are judged again. Blocks until Kafka has them.

    They keep the time at which they were received: it decides whether they are too old and corrects clocks.
    """
    publisher = Publisher(PublisherOptions(settings.kafka))
    publisher.start()
    try:
        return publisher.publish_all(
            OutgoingRecord(EVENTS.name, _key(letter), letter.payload.encode()) for letter in chosen
        )
    finally:
        publisher.close()


def _key(letter: Letter) -> bytes | None:
    event = _parsed(letter)
    key = event.get("user_id") or event.get("visitor_id")
    return str(key).encode() if key else None


def _parsed(letter: Letter) -> dict[str, Any]:
    """Empty for what is not a JSON object."""
    try:
        event = json.loads(letter.payload)
    except (json.JSONDecodeError, RecursionError):
        return {}
    return event if isinstance(event, dict) else {}


def table(found: Sequence[Letter]) -> Table:
    shown = Table(title="Refused events")
    for column in ("id", "refused at", "by", "site", "reason", "detail"):
        shown.add_column(column, overflow="fold")
    for letter in found:
        when = letter.refused_at.strftime("%Y-%m-%d %H:%M:%S")
        short = str(letter.dead_letter_id)[:8]
        cells = (short, when, letter.refused_by, letter.site_id, letter.reason, letter.detail)
        shown.add_row(*map(plain, cells))
    return shown


def show(letter: Letter, out: Console) -> None:
    out.print(
        plain(f"{letter.dead_letter_id} refused by {letter.refused_by} at {letter.refused_at.isoformat()}", "bold")
    )
    out.print(f"{letter.reason}: {EXPLANATIONS[RejectReason(letter.reason)]}")
    out.print(plain(f"detail: {letter.detail}"))
    out.print(plain(letter.payload))
