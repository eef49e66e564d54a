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


def retry(settings: CommandSettings, chosen: Sequence[Letter]) -> int:
    """Sends the payloads to `race.events` again; they are judged as if they came now. Blocks until Kafka has them."""
    publisher = Publisher(PublisherOptions(settings.kafka))
    publisher.start()
    try:
        return publisher.publish_all(
            OutgoingRecord(EVENTS.name, _key(letter), letter.payload.encode()) for letter in chosen
        )
    finally:
        publisher.close()


def _key(letter: Letter) -> bytes | None:
    try:
        event: Any = json.loads(letter.payload)
    except json.JSONDecodeError:
        return None
    key = (event.get("user_id") or event.get("visitor_id")) if isinstance(event, dict) else None
    return str(key).encode() if key else None


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
