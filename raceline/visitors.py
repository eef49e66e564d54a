"""Simulated people for the demo: where they come from, what they look at, who buys and who comes back."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final
from uuid import UUID

SHOP: Final = "https://shop.example"
Fact = dict[str, Any]

# referrer, query of the landing page, weight
_ARRIVALS: Final = (
    ("https://www.google.com/", "", 30),
    ("", "", 22),
    ("https://www.google.com/", "?gclid=demo", 14),
    ("", "?utm_source=newsletter&utm_medium=email&utm_campaign=spring", 10),
    ("https://www.facebook.com/", "?utm_source=facebook&utm_medium=paid_social&utm_campaign=spring", 9),
    ("https://www.reddit.com/", "", 6),
    ("https://chatgpt.com/", "?utm_source=chatgpt.com", 5),
    ("https://blog.example.org/best-lamps", "", 4),
)
_AGENTS: Final = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.1 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/142.0.0.0 Mobile Safari/537.36",
)
_PRODUCTS: Final = (("lamp", 49.9), ("chair", 129.0), ("table", 349.0), ("rug", 89.5), ("mug", 12.9))


@dataclass
class Shoppers:
    """Makes visits. The same seed makes the same people."""

    random: Random
    known: list[tuple[str, str]] = field(default_factory=list)  # visitor_id, user_id of those who have bought

    def visit(self, start: datetime) -> Iterator[Fact]:
        """The facts of one visit in their order, the first at `start`."""
        returning = bool(self.known) and self.random.random() < 0.25
        visitor, user = self.random.choice(self.known) if returning else (self._id("v"), "")
        referrer, query, _ = self.random.choices(_ARRIVALS, [weight for _, _, weight in _ARRIVALS])[0]
        agent = self.random.choice(_AGENTS)
        session, moment = self._id("s"), start

        def fact(name: str, path: str = "/", **properties: Any) -> Fact:
            nonlocal moment, referrer, query
            found: Fact = {
                "event_id": str(UUID(int=self.random.getrandbits(128), version=4)),
                "name": name,
                "visitor_id": visitor,
                "session_id": session,
                "occurred_at": moment.isoformat(),
                "context": {"url": SHOP + path + query, "referrer": referrer, "user_agent": agent},
                "properties": properties,
            }
            if user:
                found["user_id"] = user
            referrer, query = SHOP + path, ""
            moment += timedelta(seconds=self.random.uniform(3, 40))
            return found

        yield fact("page_view")
        for _ in range(self.random.choice((0, 0, 0, 1, 2, 4))):
            yield fact("page_view", self.random.choice(("/lighting", "/furniture", "/about", "/blog/small-rooms")))
        if self.random.random() > (0.85 if returning else 0.5):
            return
        item, price = self.random.choice(_PRODUCTS)
        yield fact("view_item", f"/products/{item}", items=[{"item_id": item, "price": price}])
        if self.random.random() < 0.15:
            yield fact("newsletter_subscribe", "/newsletter")
        if self.random.random() > 0.45:
            return
        yield fact("add_to_cart", f"/products/{item}", value=price, currency="EUR")
        if self.random.random() > 0.6:
            return
        yield fact("begin_checkout", "/checkout", value=price, currency="EUR")
        if self.random.random() > 0.75:
            return
        user = user or self._id("u")
        if (visitor, user) not in self.known:
            self.known.append((visitor, user))
        yield fact("purchase", "/thanks", order_id=self._id("o"), value=price, currency="EUR")

    def crm(self, moment: datetime) -> Fact | None:
        """Now and then somebody who bought is heard of in the CRM: an answer, a review, an order by phone."""
        if not self.known:
            return None
        _, user = self.random.choice(self.known)
        name = self.random.choice(("survey_answered", "review", "ticket_closed", "purchase"))
        properties: Fact = {"score": self.random.randint(6, 10)} if name == "survey_answered" else {}
        if name == "purchase":
            properties = {"order_id": self._id("phone"), "value": self.random.choice(_PRODUCTS)[1], "currency": "EUR"}
        identity = str(UUID(int=self.random.getrandbits(128), version=4))
        return {
            "event_id": identity,
            "name": name,
            "user_id": user,
            "occurred_at": moment.isoformat(),
            "properties": properties,
        }

    def _id(self, kind: str) -> str:
        return f"{kind}{self.random.getrandbits(48):012x}"
