"""Every Kafka topic in one table: who writes it, who reads it, its key and its message."""

from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel

from schemas.classified import ClassifiedEvent
from schemas.events import Event
from schemas.rejection import DeadLetter
from schemas.touches import BucketTouch, PersonTouch


@dataclass(frozen=True)
class Topic:
    name: str
    key: str
    model: type[BaseModel]
    producers: tuple[str, ...]
    consumers: tuple[str, ...]
    description: str


# One number for all: a classified event then has the partition of its event, and every worker gets a share of each.
PARTITIONS: Final = 4

EVENTS: Final = Topic(
    "race.events",
    "user_id, else visitor_id",
    Event,
    ("producers/website", "raceline send"),
    ("classify",),
    "facts as they were sent",
)
CLASSIFIED: Final = Topic(
    "race.classified",
    "user_id, else visitor_id",
    ClassifiedEvent,
    ("classify", "derive"),
    (),
    "the events with stage, channel and person, for anybody downstream",
)
DEAD_LETTERS: Final = Topic(
    "race.dead_letters",
    "dead_letter_id",
    DeadLetter,
    ("producers/website", "raceline send", "classify"),
    ("keep_dead_letters",),
    "refused events with their reason",
)
PERSONS: Final = Topic(
    "race.persons",
    "site_id and node",
    PersonTouch,
    ("classify", "derive"),
    ("derive",),
    "ids whose history changed",
)
BUCKETS: Final = Topic(
    "race.buckets",
    "site_id and minute",
    BucketTouch,
    ("classify", "derive"),
    ("roll_up",),
    "minutes whose KPI rows must be recomputed",
)

TOPICS: Final = (EVENTS, CLASSIFIED, DEAD_LETTERS, PERSONS, BUCKETS)


def person_key(touch: PersonTouch) -> bytes:
    return f"{touch.site_id}\n{touch.node}".encode()


def bucket_key(touch: BucketTouch) -> bytes:
    return f"{touch.site_id}\n{int(touch.minute.timestamp())}".encode()
