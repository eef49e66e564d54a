"""From a neighbourhood to what must be written: the derived rows that differ, and which other owners must look again.

Pure. A row is written when it differs from the stored one, when an earlier answer to one of the requests may have
been cut off before its bucket was touched (the stored version is not below the oldest request's), or when it comes
from an earlier generation of the broker, whose unanswered requests are gone. Its bucket is touched then, too, unless
nothing differs that the KPIs count.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from operator import attrgetter
from typing import Final
from uuid import UUID

from stream_processors.corrections import Correction, Key, says_more
from stream_processors.log import generation_of
from stream_processors.neighbourhood import Neighbourhood, Stored
from stream_processors.race.facts import Fact
from stream_processors.race.history import Derived, derive
from stream_processors.store import Node, Row

Bucket = tuple[str, datetime]


@dataclass(frozen=True)
class Request:
    """The requests for a node in one batch. `version`, of the latest, orders the answer among those for the node."""

    version: int
    oldest: int


@dataclass
class Changes:
    derived: list[Row] = field(default_factory=list)
    buckets: set[Bucket] = field(default_factory=set)
    corrections: dict[Key, Correction] = field(default_factory=dict)  # what downstream has to hear of
    others: set[Node] = field(default_factory=set)  # nodes whose owners must look again


def changes(requests: Mapping[Node, Request], around: Neighbourhood) -> Changes:
    found = Changes()
    for site_id, facts in around.facts.items():
        derived = derive(facts.values())
        by_node: dict[str, list[Fact]] = {}
        for fact in facts.values():
            by_node.setdefault(fact.node, []).append(fact)
        for (site, node), request in requests.items():
            if site == site_id and node in by_node:
                _answer(found, site_id, request, by_node[node], derived, around)
        found.others |= _others(site_id, facts.values(), derived, around, requests)
    return found


def _answer(
    found: Changes,
    site_id: str,
    request: Request,
    facts: Sequence[Fact],
    derived: Mapping[UUID, Derived],
    around: Neighbourhood,
) -> None:
    for fact in facts:
        new, old, minute = (
            derived[fact.event_id],
            around.stored.get((site_id, fact.event_id)),
            minute_at(fact.occurred_ms),
        )
        if _must_be_written(new, old, request):
            found.derived.append(_derived_row(site_id, fact, new, request.version))
            if _must_be_counted(new, old, request):
                found.buckets.add((site_id, minute))
            if says_more(fact, new, old, request.oldest):
                key = (site_id, fact.event_id)
                found.corrections[key] = Correction(int(minute.timestamp()), new, request.version)


def _must_be_written(new: Derived, old: Stored | None, request: Request) -> bool:
    return old is None or old.derived != new or _may_be_unfinished(old, request)


def _must_be_counted(new: Derived, old: Stored | None, request: Request) -> bool:
    """A session that goes on changes its first row with every event, but seldom what is counted of it."""
    return old is None or _counted(old.derived) != _counted(new) or _may_be_unfinished(old, request)


def _may_be_unfinished(old: Stored, request: Request) -> bool:
    return old.version >= request.oldest or generation_of(old.version) < generation_of(request.version)


def _counted(derived: Derived) -> tuple[object, ...]:
    return (derived.session_events > 0, *_COUNTED(derived))


# What `roll_up.recompute` reads of a row, besides whether it starts a session.
COUNTED: Final = (
    "person_id",
    "stage",
    "customer_state",
    "order_rank",
    "order_value",
    "acted_before",
    "first_visit",
    "session_engaged",
    "channel",
    "media",
    "campaign",
)
_COUNTED: Final = attrgetter(*COUNTED)


def _others(
    site_id: str,
    facts: Iterable[Fact],
    derived: Mapping[UUID, Derived],
    around: Neighbourhood,
    requests: Mapping[Node, Request],
) -> set[Node]:
    """Nodes with a stored row that does not agree with the history. What has no row yet has a request on its way."""
    return {
        (site_id, fact.node)
        for fact in facts
        if (site_id, fact.node) not in requests
        and (old := around.stored.get((site_id, fact.event_id))) is not None
        and _disagrees(derived[fact.event_id], old.derived, (site_id, fact.node), around)
    }


def _disagrees(new: Derived, old: Derived, node: Node, around: Neighbourhood) -> bool:
    """Of persons all of whose events are here everything is known; of others, whether and for how much they order."""
    if node in around.read and (node[0], new.person_id) in around.persons:
        return old != new
    return (old.order_rank > 0, old.order_value) != (new.order_rank > 0, new.order_value)


def minute_at(ms: int) -> datetime:
    return _minute(ms // 60_000)


@lru_cache(maxsize=4096)
def _minute(number: int) -> datetime:
    return datetime.fromtimestamp(number * 60, UTC)


def _derived_row(site_id: str, fact: Fact, derived: Derived, version: int) -> Row:
    return (
        site_id,
        minute_at(fact.occurred_ms),
        fact.event_id,
        version,
        0,
        fact.node,
        derived.person_id,
        derived.stage.value if derived.stage else "",
        derived.rule_id,
        derived.customer_state.value,
        derived.order_rank,
        derived.order_value,
        derived.acted_before,
        derived.first_visit,
        derived.session_id,
        datetime.fromtimestamp(derived.session_start_ms / 1000, UTC),
        datetime.fromtimestamp(derived.session_end_ms / 1000, UTC),
        derived.session_events,
        derived.session_page_views,
        derived.session_engaged,
        derived.channel,
        derived.media,
        derived.campaign,
    )
