"""The events of a benchmark: visits to the demo's shop, as they would come. The same seed makes the same people."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Final

from raceline.visitors import Fact, Shoppers
from schemas.events import Event, event_json
from schemas.topics import EVENTS
from stream_processors.log import Outgoing

FACTS_A_VISIT: Final = 3.35  # about; rather too few, so that a rate is reached
SENT_AFTER: Final = timedelta(milliseconds=120)
RECEIVED_AFTER: Final = timedelta(milliseconds=160)


@dataclass(frozen=True)
class Expected:
    """What the KPIs must say once they show all of the events. Revenue is in cents."""

    events: int
    sessions: int
    orders: int
    revenue: int


def facts(random: Random, start: datetime, span: timedelta, count: int) -> list[Fact]:
    """About so many facts of people who come in the span from `start`, in the order in which they happen."""
    found: list[Fact] = []
    shoppers = Shoppers(random)
    pause = span * FACTS_A_VISIT / count
    while len(found) < count:
        found += shoppers.visit(start)
        start += pause
    return sorted(found, key=lambda fact: datetime.fromisoformat(fact["occurred_at"]))


def events(site_id: str, happened: Iterable[Fact]) -> list[Event]:
    """The same as the collector would publish them."""
    return [_event(site_id, fact) for fact in happened]


def _event(site_id: str, fact: Fact) -> Event:
    occurred = datetime.fromisoformat(fact["occurred_at"])
    times = {"sent_at": occurred + SENT_AFTER, "received_at": occurred + RECEIVED_AFTER}
    return Event.model_validate({**fact, **times, "source": "website", "site_id": site_id})


def expected(load: Sequence[Event]) -> Expected:
    orders = {event.properties["order_id"]: event.properties["value"] for event in load if event.name == "purchase"}
    return Expected(
        events=len(load),
        sessions=len({event.session_id for event in load}),
        orders=len(orders),
        revenue=sum(round(float(str(value)) * 100) for value in orders.values()),
    )


def outgoing(load: Iterable[Event]) -> Iterator[Outgoing]:
    """As the publisher would send them."""
    return (Outgoing(EVENTS.name, (event.kafka_key() or "").encode(), event_json(event)) for event in load)
