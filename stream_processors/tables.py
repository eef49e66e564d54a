"""The columns that the worker writes, in order, with their ClickHouse types. A test compares them with the tables."""

from typing import Final

Columns = dict[str, str]

_LC: Final = "LowCardinality(String)"
_TIME: Final = "DateTime64(3, 'UTC')"
_MINUTE: Final = "DateTime('UTC')"

EVENTS: Final[Columns] = {
    "site_id": _LC,
    "minute": _MINUTE,
    "event_id": "UUID",
    "version": "UInt64",
    "is_deleted": "UInt8",
    "occurred_at": _TIME,
    "sent_at": f"Nullable({_TIME})",
    "received_at": _TIME,
    "name": _LC,
    "source": _LC,
    "visitor_id": "String",
    "user_id": "String",
    "session_id": "String",
    "stage": _LC,
    "rule_id": _LC,
    "rules_version": "UInt16",
    "candidates": f"Array({_LC})",
    "channel": _LC,
    "media": _LC,
    "campaign": _LC,
    "has_signal": "Bool",
    "device": _LC,
    "country": _LC,
    "is_bot": "Bool",
    "bot_reasons": f"Array({_LC})",
    "clock_corrected": "Bool",
    "order_id": "String",
    "value": "Nullable(Decimal(18, 4))",
    "currency": _LC,
    "context": "String",
    "properties": "String",
}

DERIVED: Final[Columns] = {
    "site_id": _LC,
    "minute": _MINUTE,
    "event_id": "UUID",
    "version": "UInt64",
    "is_deleted": "UInt8",
    "node": "String",
    "person_id": "String",
    "stage": _LC,
    "rule_id": _LC,
    "customer_state": _LC,
    "order_rank": "UInt32",
    "order_value": "Nullable(Decimal(18, 4))",
    "acted_before": "Bool",
    "first_visit": "Bool",
    "session_id": "String",
    "session_start": _TIME,
    "session_end": _TIME,
    "session_events": "UInt32",
    "session_page_views": "UInt32",
    "session_engaged": "Bool",
    "channel": _LC,
    "media": _LC,
    "campaign": _LC,
}

DEAD_LETTERS: Final[Columns] = {
    "dead_letter_id": "UUID",
    "reason": _LC,
    "detail": "String",
    "refused_by": _LC,
    "refused_at": _TIME,
    "site_id": _LC,
    "event_id": "String",
    "payload": "String",
}

BARRIERS: Final[Columns] = {"barrier_id": "UUID", "path": "Array(UInt16)"}

TABLES: Final[dict[str, Columns]] = {
    "events": EVENTS,
    "derived": DERIVED,
    "dead_letters": DEAD_LETTERS,
    "barriers": BARRIERS,
}
