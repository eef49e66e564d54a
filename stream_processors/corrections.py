"""Events that history has decided otherwise than they were published, as they are published again.

`classify` publishes what the event alone says; here a copy with a higher version follows wherever that was not all.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

import orjson

from schemas.events import SCHEMA_VERSION
from schemas.stage import CustomerState
from schemas.topics import CLASSIFIED
from stream_processors.log import Outgoing
from stream_processors.neighbourhood import Stored
from stream_processors.race.facts import Fact
from stream_processors.race.history import Derived
from stream_processors.race.rules import PROVISIONAL, RULES_BY_ID, decide
from stream_processors.store import Row

Key = tuple[str, UUID]  # site_id, event_id


class Correction(NamedTuple):
    """One event whose derived row says something new. `minute` is epoch seconds."""

    minute: int
    derived: Derived
    version: int


def says_more(fact: Fact, derived: Derived, old: Stored | None, oldest: int) -> bool:
    """Whether downstream has to hear of it: against what was published last, or provisionally at first.

    A row of this very request may have been written without being published: it is published (again).
    """
    if old is not None and old.version < oldest:
        return _published(old.derived) != _published(derived)
    provisional = decide(fact.candidates, PROVISIONAL).stage, fact.node, CustomerState.ANONYMOUS, fact.channel
    return _published(derived) != provisional


def _published(derived: Derived) -> tuple[object, ...]:
    return derived.stage, derived.person_id, derived.customer_state, derived.channel


def corrected_events(rows: Iterable[Row], corrections: Mapping[Key, Correction]) -> Iterable[Outgoing]:
    """The rows of `store.events` as they are to be published now."""
    for row in rows:
        key: str = row[9] or row[8]
        value = _corrected_json(row, corrections[row[0], row[2]])
        yield Outgoing(CLASSIFIED.name, key.encode() if key else None, value)


def _corrected_json(row: Row, correction: Correction) -> bytes:
    site_id, _, event_id, occurred, sent, received, name, source, visitor, user, session, *rest = row
    rules_version, device, clock_corrected, context, properties = rest
    derived = correction.derived
    fields = {
        "schema_version": SCHEMA_VERSION,
        "event_id": event_id,
        "name": name,
        "source": source,
        "site_id": site_id,
        "visitor_id": visitor or None,
        "user_id": user or None,
        "session_id": session or None,
        "occurred_at": _moment(occurred),
        "sent_at": _moment(sent) if sent is not None else None,
        "received_at": _moment(received),
        "context": orjson.Fragment(context),
        "properties": orjson.Fragment(properties),
        "stage": derived.stage,
        "rule_id": derived.rule_id,
        "rules_version": rules_version,
        "reason": RULES_BY_ID[derived.rule_id].reason,
        "channel": derived.channel,
        "media": derived.media,
        "device": device,
        "clock_corrected": clock_corrected,
        "person_id": derived.person_id,
        "customer_state": derived.customer_state,
        "version": correction.version,
    }
    return orjson.dumps({field: value for field, value in fields.items() if value is not None})


def _moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)
