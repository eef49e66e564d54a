"""Events of a few persons within a few minutes, so that everything that may collide does."""

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final
from uuid import UUID

from schemas.events import Context, Event, Source, event_json
from schemas.topics import EVENTS
from stream_processors.log import Outgoing

START: Final = datetime(2024, 5, 1, 10, 0, tzinfo=UTC)
RECEIVED: Final = START + timedelta(days=40)
BROWSER: Final = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36"
PHONE: Final = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Version/17.5 Mobile Safari/604.1"
)
BOT: Final = "Googlebot/2.1 (+http://www.google.com/bot.html)"

_NAMES: Final = (
    *("page_view", "page_view", "page_view", "view_item", "add_to_cart", "login", "review", "begin_checkout"),
    *("purchase", "purchase", "purchase", "purchase", "close_convert_lead", "generate_lead", "unknown_thing"),
)
_OFFSETS: Final = (*range(0, 240, 20), 59.999, 60, 120, 120, 2200, 2260, 30 * 86400, 30 * 86400 + 60, 31 * 86400)


def random_events(random: Random, site: str, count: int) -> list[Event]:
    """`count` different events of one site."""
    return [_event(random, site) for _ in range(count)]


def _event(random: Random, site: str) -> Event:
    source = random.choice([Source.WEBSITE] * 5 + [Source.APP, Source.SERVER, Source.CRM])
    name = random.choice(_NAMES)
    known = random.random() < (0.3 if source is Source.WEBSITE else 0.8)
    seen = random.random() < (0.95 if source is Source.WEBSITE else 0.3)
    return Event(
        event_id=UUID(int=random.getrandbits(128), version=4),
        name=name,
        source=source,
        site_id=site,
        visitor_id=f"v{random.randint(1, 4)}" if seen else None,
        user_id=f"u{random.randint(1, 3)}" if known else None,
        session_id=random.choice([None, None, "s1", "s2"]) if seen else None,
        occurred_at=START + timedelta(seconds=random.choice(_OFFSETS)),
        received_at=RECEIVED,
        context=_context(random),
        properties=_properties(random, name),
    )


def _context(random: Random) -> Context:
    return Context(
        url="https://shop.example/" if random.random() < 0.7 else None,
        utm_source=random.choice([None, None, None, "google", "newsletter"]),
        utm_medium=random.choice([None, None, "cpc", "email"]),
        utm_campaign=random.choice([None, None, "spring"]),
        user_agent=random.choice([None, BROWSER, BROWSER, PHONE, BOT]),
        country=random.choice([None, "DE", "FR"]),
        imported=True,
    )


def _properties(random: Random, name: str) -> dict[str, Any]:
    if name not in ("purchase", "close_convert_lead"):
        return {}
    found: dict[str, Any] = {}
    if random.random() < 0.8:
        found["order_id"] = f"o{random.randint(1, 4)}"
    if random.random() < 0.8:
        found["value"] = random.choice([10, 20.5, 99.99])
    return found


def record(event: Event) -> Outgoing:
    """As a producer sends it."""
    key = event.kafka_key()
    return Outgoing(EVENTS.name, key.encode() if key else None, event_json(event))


def arrivals(random: Random, events: list[Event], duplicated: float = 0.15) -> list[Outgoing]:
    """In any order, some more than once."""
    found = [record(event) for event in events]
    found += [one for one in found if random.random() < duplicated]
    random.shuffle(found)
    return found
