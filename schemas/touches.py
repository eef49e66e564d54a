"""What the agents ask of each other: derive this person again, recompute this bucket, pass this barrier."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from schemas.events import StorableMoment


class PersonTouch(BaseModel):
    """On `race.persons`: something that matters to this id's history was stored.

    The id is a node of the identity graph: `v:<visitor_id>`, `u:<user_id>` or `o:<order_id>`. Its partition owns what
    is derived for the events of that node.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    site_id: str
    node: str


class BucketTouch(BaseModel):
    """On `race.buckets`: an event of this site and minute was added or changed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    site_id: str
    minute: StorableMoment


class Barrier(BaseModel):
    """Passed on by every agent after all that came before it; at the end it proves that this was done."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    barrier_id: UUID
    path: tuple[int, ...] = Field((), description="the partitions passed so far, one per topic")


BARRIER_EVENT = "pipeline_barrier"
BARRIER_SITE = "_raceline"


def visitor_node(visitor_id: str) -> str:
    return f"v:{visitor_id}"


def user_node(user_id: str) -> str:
    return f"u:{user_id}"


def order_node(order_id: str) -> str:
    """Reports of one order by several nodes find each other here; an order of nobody known is a node of its own."""
    return f"o:{order_id}"


def minute_of(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)
