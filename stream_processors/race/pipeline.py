"""From a Kafka record to a classified event or a refusal, in steps that each see the event alone.

What needs the person's history is provisional here and is decided by `history.derive`.
"""

import re
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Final

from pydantic import JsonValue, ValidationError

from schemas.events import Event
from schemas.rejection import Rejection, RejectReason
from schemas.touches import BARRIER_EVENT, BARRIER_SITE, order_node, user_node, visitor_node
from stream_processors.race.bots import bot_reasons
from stream_processors.race.channel import Channel, classify_channel
from stream_processors.race.clock import corrected_time, refuse_time
from stream_processors.race.device import device_class
from stream_processors.race.rules import ORDER_NAMES, PROVISIONAL, Rule, candidates, decide

MAX_EVENT_BYTES: Final = 256 * 1024
MAX_VALUE: Final = Decimal(10) ** 13
MAX_ID: Final = 200
# ASCII digits, without the underscores and other scripts that Decimal reads.
_NUMBER: Final = re.compile(r"\s*[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,6})?\s*")
_NO_CHANNEL: Final = classify_channel(Event.model_fields["context"].default)
_NO_RULE: Final = decide(("no_stage",), PROVISIONAL)


@dataclass(slots=True)
class Classified:
    """An event on its way through the steps, and at their end what is stored of it."""

    event: Event
    occurred_at: datetime
    clock_corrected: bool = False
    channel: Channel = _NO_CHANNEL
    device: str = "other"
    bot_reasons: tuple[str, ...] = ()
    order_id: str = ""
    value: Decimal | None = None
    currency: str = ""
    candidates: tuple[str, ...] = field(default=())
    rule: Rule = _NO_RULE

    @property
    def time_may_move(self) -> bool:
        """Whether another copy of the event may say another time: corrected, or simply the time of its arrival.

        An id that was minted with the arrival is of an event that cannot be sent again.
        """
        event = self.event
        arrival = event.occurred_at == event.received_at and not event.context.imported
        return self.clock_corrected or (
            arrival and event.event_id.int >> 80 != int(event.received_at.timestamp() * 1000)
        )

    @property
    def node(self) -> str:
        """The node of the identity graph whose owner derives this event; empty when nobody has to."""
        if self.bot_reasons:
            return ""
        if self.event.visitor_id:
            return visitor_node(self.event.visitor_id)
        if self.event.user_id:
            return user_node(self.event.user_id)
        return order_node(self.order_id) if self.order_id else ""


def classify(record: bytes) -> Classified | Rejection:
    event = decode(record)
    if isinstance(event, Rejection):
        return event
    draft = Classified(event, event.occurred_at)
    for step in STEPS:
        if refused := step(draft):
            return refused
    return draft


def decode(record: bytes) -> Event | Rejection:
    if len(record) > MAX_EVENT_BYTES:
        return Rejection(reason=RejectReason.TOO_LARGE, detail=f"{len(record)} bytes; at most {MAX_EVENT_BYTES}")
    try:
        event = Event.model_validate_json(record)
    except ValidationError as error:
        return _refusal_of(error)
    if b"\\u0000" in record and _has_nul(event.model_dump(mode="json")):
        return _invalid("a text contains a NUL character")
    return event


def _refusal_of(error: ValidationError) -> Rejection:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    if first["type"] == "json_invalid":
        return Rejection(reason=RejectReason.INVALID_JSON, detail=first["msg"])
    if place == "schema_version":
        return Rejection(reason=RejectReason.UNKNOWN_VERSION, detail="schema_version: this release knows 1")
    return _invalid(f"{place or 'event'}: {first['msg']}")


def _has_nul(value: JsonValue) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any("\0" in key or _has_nul(item) for key, item in value.items())
    return isinstance(value, list) and any(_has_nul(item) for item in value)


def refuse_reserved(draft: Classified) -> Rejection | None:
    """Barriers come from `raceline` itself, never from a file."""
    if draft.event.name == BARRIER_EVENT and (draft.event.site_id != BARRIER_SITE or draft.event.context.imported):
        return Rejection(reason=RejectReason.INVALID_EVENT, detail=f"name: {BARRIER_EVENT} is reserved")
    return None


def correct_clock(draft: Classified) -> None:
    event = draft.event
    draft.occurred_at, draft.clock_corrected = corrected_time(event.occurred_at, event.sent_at, event.received_at)


def refuse_wrong_time(draft: Classified) -> Rejection | None:
    return refuse_time(draft.occurred_at, draft.event.received_at, draft.event.context.imported)


def put_channel(draft: Classified) -> None:
    draft.channel = classify_channel(draft.event.context)


def put_device(draft: Classified) -> None:
    draft.device = device_class(draft.event.context.user_agent)


def put_bots(draft: Classified) -> None:
    draft.bot_reasons = bot_reasons(draft.event.context.user_agent, draft.event.source)


def put_order(draft: Classified) -> Rejection | None:
    """An order without an order_id is its own order. What would lose or join orders, or count them as 0, is refused."""
    if draft.event.name not in ORDER_NAMES:
        return None
    properties = draft.event.properties
    order_id, currency, value = properties.get("order_id"), properties.get("currency"), properties.get("value")
    if order_id is None or order_id == "":
        order_id = str(draft.event.event_id)
    if isinstance(order_id, float) and order_id.is_integer():
        order_id = int(order_id)  # what becomes of a column of numbers with gaps in it
    if isinstance(order_id, bool) or not isinstance(order_id, str | int) or len(str(order_id)) > MAX_ID:
        return _invalid(f"properties.order_id: not a text or a whole number of at most {MAX_ID} characters")
    draft.order_id = str(order_id)
    draft.currency = currency[:8] if isinstance(currency, str) else ""
    if value is None:
        return None
    if _NUMBER.fullmatch(str(value)) is None:
        return _invalid("properties.value: not a number")
    amount = Decimal(str(value))
    if amount.copy_abs() >= MAX_VALUE:
        return _invalid(f"properties.value: not below {MAX_VALUE:.0e}")
    draft.value = amount.quantize(Decimal("0.0001"))
    return None


def _invalid(detail: str) -> Rejection:
    return Rejection(reason=RejectReason.INVALID_EVENT, detail=detail)


def put_stage(draft: Classified) -> None:
    draft.candidates = candidates(draft.event)
    draft.rule = decide(draft.candidates, PROVISIONAL)


STEPS: Final = (
    refuse_reserved,
    correct_clock,
    refuse_wrong_time,
    put_channel,
    put_device,
    put_bots,
    put_order,
    put_stage,
)
