"""Events that a test writes down, with only what matters to it."""

import itertools
from collections.abc import Iterator
from datetime import timedelta
from uuid import NAMESPACE_URL, UUID, uuid5

from pydantic import JsonValue

from schemas.events import Context, Event, Source
from tests.stream_processors.random_events import BROWSER, RECEIVED, START

_sites: Iterator[int] = itertools.count()


def new_site(name: str) -> str:
    """A site id that no other test has."""
    return f"{name}_{next(_sites)}"


def happened(
    site: str,
    name: str,
    at: float,
    *,
    visitor: str | None = None,
    user: str | None = None,
    source: Source = Source.WEBSITE,
    number: int = 0,
    utm_medium: str | None = None,
    **properties: JsonValue,
) -> Event:
    """`at` is in seconds after START; `number` orders events of the same time."""
    content = f"{site}/{name}/{at}/{visitor}/{user}/{source}/{sorted(properties.items())}"
    return Event(
        event_id=UUID(int=number << 120 | (uuid5(NAMESPACE_URL, content).int & (1 << 64) - 1)),
        name=name,
        source=source,
        site_id=site,
        visitor_id=visitor,
        user_id=user,
        occurred_at=START + timedelta(seconds=at),
        received_at=RECEIVED,
        context=Context(imported=True, user_agent=BROWSER, utm_medium=utm_medium),
        properties=properties,
    )


def order(site: str, order_id: str, at: float, *, number: int = 0, value: float = 10, **who: str | None) -> Event:
    source = Source(who.pop("source", None) or "website")
    properties: dict[str, JsonValue] = {"order_id": order_id, "value": value}
    return happened(site, "purchase", at, number=number, source=source, **who, **properties)  # type: ignore[arg-type]
