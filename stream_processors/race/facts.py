"""The fact: a stored event, narrowed to what a person's history asks of it."""

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from schemas.touches import order_node, user_node, visitor_node
from stream_processors.race.rules import ORDER_NAMES


class Fact(NamedTuple):
    """One stored event, as far as history asks. Empty strings stand for what was not given."""

    event_id: UUID
    occurred_ms: int
    name: str
    source: str
    visitor_id: str
    user_id: str
    session_id: str
    candidates: tuple[str, ...]
    order_id: str
    value: Decimal | None
    channel: str
    media: str
    campaign: str
    has_signal: bool
    device: str
    country: str

    @property
    def node(self) -> str:
        """Whose owner decides about this event."""
        if self.visitor_id:
            return visitor_node(self.visitor_id)
        return user_node(self.user_id) if self.user_id else order_node(self.order_id)

    @property
    def nodes(self) -> Sequence[str]:
        """All nodes that the event speaks of."""
        return [
            *([visitor_node(self.visitor_id)] if self.visitor_id else []),
            *([user_node(self.user_id)] if self.user_id else []),
            *([order_node(self.order_key)] if self.order_key else []),
        ]

    @property
    def position(self) -> tuple[int, int]:
        return (self.occurred_ms, self.event_id.int)

    @property
    def order_key(self) -> str:
        """The order that this event names; empty when it is no order."""
        return self.order_id if self.name in ORDER_NAMES else ""
