"""The first agent: `race.events` in; stored events, `race.classified`, dead letters and touched persons out."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from pydantic_core import to_json

from schemas.rejection import DeadLetter, Rejection, dead_letter_id
from schemas.topics import BUCKETS, CLASSIFIED, DEAD_LETTERS, PARTITIONS, PERSONS, bucket_key, person_key
from schemas.touches import BARRIER_EVENT, BARRIER_SITE, Barrier, BucketTouch, PersonTouch, minute_of
from stream_processors.fetches import Fetch
from stream_processors.log import Log, Outgoing
from stream_processors.race.pipeline import Classified, classify
from stream_processors.race.rules import RULES_VERSION
from stream_processors.store import EventKey, Row, Store, event_version

# Kafka takes records of 1 MiB; as JSON each byte may become six.
_PAYLOAD_KEPT: Final = 384 * 1024
_PAYLOAD_KEPT_AT_LEAST: Final = 128 * 1024
_LETTER_BYTES: Final = 900 * 1024


@dataclass
class Batch:
    """What one or more fetches came to."""

    events: list[Classified] = field(default_factory=list)
    letters: list[DeadLetter] = field(default_factory=list)
    barriers: list[Barrier] = field(default_factory=list)

    def add(self, other: "Batch") -> None:
        self.events += other.events
        self.letters += other.letters
        self.barriers += other.barriers


class ClassifyAgent:
    def __init__(self, store: Store, log: Log) -> None:
        self._store = store
        self._log = log

    async def __call__(self, fetches: Sequence[Fetch]) -> None:
        batch, now = Batch(), datetime.now(UTC)
        for fetch in fetches:
            batch.add(sort_out([fetch], now))
            await asyncio.sleep(0)  # some 0.1 s of work, and the loop serves others too
        await self._keep_first_times(batch.events)
        await self._store.insert("events", [event_row(event) for event in batch.events])
        await self._log.send(outgoing(batch))

    async def _keep_first_times(self, events: Sequence[Classified]) -> None:
        """Some times depend on when the copy was sent; the first copy that was stored decides for all."""
        live = {_key(event) for event in events if event.event.sent_at is not None}
        movable = {_key(event) for event in events if event.time_may_move}
        stored = await self._store.corrected_times(live) | await self._store.first_times(movable)
        first = {key: datetime.fromtimestamp(ms / 1000, UTC) for key, ms in stored.items()}
        for event in events:
            if (key := _key(event)) in movable or key in first:
                event.occurred_at = first.setdefault(key, event.occurred_at)


def _key(event: Classified) -> EventKey:
    return event.event.site_id, event.event.event_id


def sort_out(fetches: Iterable[Fetch], now: datetime) -> Batch:
    batch = Batch()
    for fetch in fetches:
        for record in fetch.records:
            result = classify(record.value or b"")
            if isinstance(result, Rejection):
                batch.letters.append(dead_letter(record.value or b"", result, now))
            elif result.event.site_id == BARRIER_SITE and result.event.name == BARRIER_EVENT:
                batch.barriers.append(Barrier(barrier_id=result.event.event_id, path=(fetch.partition,)))
            else:
                batch.events.append(result)
    return batch


def outgoing(batch: Batch) -> Iterable[Outgoing]:
    """Records for the other topics. Barriers come last: they pass after all that came before them."""
    for event in batch.events:
        key = event.event.kafka_key()
        yield Outgoing(CLASSIFIED.name, key.encode() if key else None, classified_json(event))
    for letter in batch.letters:
        yield Outgoing(DEAD_LETTERS.name, letter.dead_letter_id.bytes, letter.model_dump_json().encode())
    for node in {(event.event.site_id, event.node) for event in batch.events if event.node}:
        touch = PersonTouch(site_id=node[0], node=node[1])
        yield Outgoing(PERSONS.name, person_key(touch), touch.model_dump_json().encode())
    for site_id, minute in {
        (event.event.site_id, minute_of(event.occurred_at)) for event in batch.events if not event.node
    }:
        bucket = BucketTouch(site_id=site_id, minute=minute)
        yield Outgoing(BUCKETS.name, bucket_key(bucket), bucket.model_dump_json().encode())
    for barrier in batch.barriers:
        yield from everywhere(PERSONS.name, barrier)


def everywhere(topic: str, barrier: Barrier) -> Iterable[Outgoing]:
    value = barrier.model_dump_json().encode()
    return (Outgoing(topic, None, value, partition) for partition in range(PARTITIONS))


def dead_letter(payload: bytes, refused: Rejection, now: datetime) -> DeadLetter:
    found = _fields_of(payload)
    letter = DeadLetter(
        dead_letter_id=dead_letter_id(payload, refused.reason),
        reason=refused.reason,
        detail=refused.detail,
        refused_by="classify",
        refused_at=now,
        site_id=str(found.get("site_id", ""))[:64],
        event_id=str(found.get("event_id", ""))[:64],
        payload=payload[:_PAYLOAD_KEPT].decode("utf-8", "replace"),
    )
    if len(payload) > _PAYLOAD_KEPT_AT_LEAST and len(letter.model_dump_json()) > _LETTER_BYTES:
        return letter.model_copy(update={"payload": letter.payload[: _PAYLOAD_KEPT_AT_LEAST // 2]})
    return letter


def _fields_of(payload: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def event_row(classified: Classified) -> Row:
    event, channel, rule = classified.event, classified.channel, classified.rule
    return (
        event.site_id,
        minute_of(classified.occurred_at),
        event.event_id,
        event_version(RULES_VERSION, _milliseconds(event.received_at)),
        0,
        classified.occurred_at,
        event.sent_at,
        event.received_at,
        event.name,
        event.source.value,
        event.visitor_id or "",
        event.user_id or "",
        event.session_id or "",
        rule.stage.value if rule.stage else "",
        rule.id,
        RULES_VERSION,
        classified.candidates,
        channel.name,
        channel.media.value,
        channel.campaign,
        channel.has_signal,
        classified.device,
        event.context.country or "",
        bool(classified.bot_reasons),
        classified.bot_reasons,
        classified.clock_corrected,
        classified.order_id,
        classified.value,
        classified.currency,
        event.context.model_dump_json(exclude_none=True),
        to_json(event.properties, inf_nan_mode="null").decode(),  # unlike orjson it takes integers of any size
    )


def classified_json(classified: Classified) -> bytes:
    """The `ClassifiedEvent` as JSON: the event, and after it what was concluded."""
    event, channel, rule = classified.event, classified.channel, classified.rule
    if classified.occurred_at != event.occurred_at:
        event = event.model_copy(update={"occurred_at": classified.occurred_at})
    concluded = orjson.dumps(
        {
            "stage": rule.stage,
            "rule_id": rule.id,
            "rules_version": RULES_VERSION,
            "reason": rule.reason,
            "channel": channel.name,
            "media": channel.media,
            "device": classified.device,
            "is_bot": bool(classified.bot_reasons),
            "bot_reasons": classified.bot_reasons,
            "clock_corrected": classified.clock_corrected,
            "person_id": classified.node or None,
        }
    )
    return event.model_dump_json(exclude_none=True).encode()[:-1] + b"," + concluded[1:]


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
