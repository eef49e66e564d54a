"""Facts that a test writes down, with only what matters to it."""

from decimal import Decimal
from uuid import UUID

from stream_processors.race.facts import Fact
from stream_processors.race.rules import ORDER_NAMES, RULES

MINUTE = 60_000
DAY = 24 * 60 * MINUTE
START = 1_714_557_600_000


def fact(number: int, name: str = "page_view", at: int = 0, **given: object) -> Fact:
    """`number` is the event's id and orders facts of the same time; `at` is in milliseconds after START."""
    values: dict[str, object] = {
        "event_id": UUID(int=number),
        "occurred_ms": START + at,
        "name": name,
        "source": "website",
        "visitor_id": "",
        "user_id": "",
        "session_id": "",
        "candidates": _candidates(name),
        "order_id": f"order {number}" if name in ORDER_NAMES else "",
        "value": None,
        "channel": "Direct",
        "media": "owned",
        "campaign": "",
        "has_signal": False,
        "device": "desktop",
        "country": "",
    }
    return Fact(**{**values, **given})  # type: ignore[arg-type]


def order(number: int, at: int = 0, value: int | None = 10, **given: object) -> Fact:
    return fact(number, "purchase", at, value=None if value is None else Decimal(value), **given)


def _candidates(name: str) -> tuple[str, ...]:
    """As `rules.candidates` finds them for an event of which only the name matters."""
    found = {
        "page_view": ("landing_page", "later_page"),
        "purchase": ("repeat_order", "same_order", "first_order"),
        "close_convert_lead": ("repeat_order", "same_order", "first_order"),
        "login": ("customer_activity", "activity"),
        "view_item": ("interaction",),
        "generate_lead": ("lead",),
    }.get(name, ("no_stage",))
    assert set(found) <= {rule.id for rule in RULES}
    return found
