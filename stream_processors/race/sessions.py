"""Sessions of one visitor: the source's own where it gives one, else a gap of 30 minutes in `occurred_at`."""

from collections.abc import Sequence
from typing import Final, NamedTuple
from uuid import UUID

from stream_processors.race.facts import Fact
from stream_processors.race.rules import LEAD_NAMES, ORDER_NAMES

GAP_MS: Final = 30 * 60 * 1000
ENGAGED_MS: Final = 10 * 1000


class Session(NamedTuple):
    """One visit. Its facts count in the minute in which it started, as those of its first event."""

    session_id: str
    started_ms: int
    ended_ms: int
    events: int
    page_views: int
    engaged: bool
    channel: str
    media: str
    campaign: str
    landing_event: UUID | None
    event_ids: tuple[UUID, ...]


def sessions_of(facts: Sequence[Fact]) -> list[Session]:
    """The sessions of one visitor's facts, which come in the order (occurred_at, event_id)."""
    groups: dict[str, list[Fact]] = {}
    gap_group, last_ms = "", 0
    for fact in facts:
        if fact.session_id:
            groups.setdefault(fact.session_id, []).append(fact)
            continue
        if not gap_group or fact.occurred_ms - last_ms > GAP_MS:
            gap_group = f"{fact.visitor_id}@{fact.occurred_ms}"
        last_ms = fact.occurred_ms
        groups.setdefault(gap_group, []).append(fact)
    return [_session(session_id, rows) for session_id, rows in groups.items()]


def _session(session_id: str, rows: Sequence[Fact]) -> Session:
    first, last = rows[0], rows[-1]
    pages = [fact for fact in rows if fact.name == "page_view"]
    origin = next((fact for fact in rows if fact.has_signal), first)
    reached = any(fact.name in LEAD_NAMES or fact.name in ORDER_NAMES for fact in rows)
    return Session(
        session_id=session_id,
        started_ms=first.occurred_ms,
        ended_ms=last.occurred_ms,
        events=len(rows),
        page_views=len(pages),
        engaged=reached or len(pages) >= 2 or last.occurred_ms - first.occurred_ms >= ENGAGED_MS,
        channel=origin.channel,
        media=origin.media,
        campaign=origin.campaign,
        landing_event=pages[0].event_id if pages else None,
        event_ids=tuple(fact.event_id for fact in rows),
    )
