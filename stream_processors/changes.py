"""From a neighbourhood to what must be written: the derived rows that differ, their sessions, and who is asked next.

Pure. A row is written when it differs from the stored one, when an earlier answer to the same request may have
been cut off before its buckets were touched (the stored version is not below this one's), or when it comes from
an earlier generation of the broker, whose unanswered requests are gone.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from schemas.touches import minute_of
from stream_processors.log import generation_of
from stream_processors.neighbourhood import Neighbourhood, Stored
from stream_processors.race.facts import Fact
from stream_processors.race.history import Derived, History, derive
from stream_processors.race.sessions import Session
from stream_processors.store import Node, Row

Bucket = tuple[str, datetime]


@dataclass(frozen=True)
class Request:
    """The latest request for a node. `version` orders its answer among the answers for that node."""

    version: int
    forwarded: bool


@dataclass
class Changes:
    derived: list[Row] = field(default_factory=list)
    sessions: list[Row] = field(default_factory=list)
    buckets: set[Bucket] = field(default_factory=set)
    forward: set[Node] = field(default_factory=set)


def changes(requests: Mapping[Node, Request], around: Neighbourhood) -> Changes:
    found = Changes()
    for site_id, facts in around.facts.items():
        history = derive(facts.values())
        by_node: dict[str, list[Fact]] = {}
        for fact in facts.values():
            by_node.setdefault(fact.node, []).append(fact)
        for (site, node), request in requests.items():
            if site == site_id and node in by_node:
                _answer(found, (site, node), request, by_node[node], history, around)
        found.forward |= _others(site_id, facts.values(), history, around, requests)
    return found


def _answer(
    found: Changes, node: Node, request: Request, facts: Sequence[Fact], history: History, around: Neighbourhood
) -> None:
    site_id = node[0]
    changed = [
        fact
        for fact in facts
        if _must_be_written(history.derived[fact.event_id], around.stored.get((site_id, fact.event_id)), request)
    ]
    for fact in changed:
        found.derived.append(_derived_row(site_id, fact, history.derived[fact.event_id], request.version))
        found.buckets.add((site_id, minute_at(fact.occurred_ms)))
    _answer_sessions(found, node, request, changed, history, around)
    if not request.forwarded and _new_links(changed, facts, around, site_id):
        found.forward |= around.owners(site_id) - {node}


def _must_be_written(new: Derived, old: Stored | None, request: Request) -> bool:
    return (
        old is None
        or old.derived != new
        or old.version >= request.version
        or generation_of(old.version) < generation_of(request.version)
    )


def _answer_sessions(
    found: Changes, node: Node, request: Request, changed: Sequence[Fact], history: History, around: Neighbourhood
) -> None:
    """Writes the sessions that gained, lost or changed an event, and empties those that are no more."""
    site_id = node[0]
    now = {_key(history.derived[fact.event_id]) for fact in changed}
    before = {_key(old.derived) for fact in changed if (old := around.stored.get((site_id, fact.event_id))) is not None}
    visitor_id = node[1].removeprefix("v:")
    left = (now | before) - {("", 0)}
    for session in history.sessions_of(visitor_id) if left else ():
        if (session.session_id, session.started_ms) in left:
            found.sessions.append(_session_row(site_id, session, request.version, is_deleted=0))
            left.discard((session.session_id, session.started_ms))
    for session_id, started_ms in left:
        gone = Session(session_id, visitor_id, "", started_ms, started_ms, 0, 0, False, "", "", "", "", "", None, ())
        found.sessions.append(_session_row(site_id, gone, request.version, is_deleted=1))
    found.buckets |= {(site_id, minute_at(started_ms)) for _, started_ms in (now | before) - {("", 0)}}


def _key(derived: Derived) -> tuple[str, int]:
    return derived.session_id, derived.session_start_ms


def _new_links(changed: Iterable[Fact], facts: Iterable[Fact], around: Neighbourhood, site_id: str) -> bool:
    """Whether a visitor was named as a user for the first time: that may take events from others."""
    known = {(fact.visitor_id, fact.user_id) for fact in facts if (site_id, fact.event_id) in around.stored}
    return any(fact.visitor_id and fact.user_id and (fact.visitor_id, fact.user_id) not in known for fact in changed)


def _others(
    site_id: str,
    facts: Iterable[Fact],
    history: History,
    around: Neighbourhood,
    requests: Mapping[Node, Request],
) -> set[Node]:
    """Nodes of the same persons whose stored rows no longer agree with the history: their owners must be asked."""
    return {
        (site_id, fact.node)
        for fact in facts
        if (site_id, fact.node) not in requests
        and (site_id, fact.node) in around.read
        and (site_id, history.derived[fact.event_id].person_id) in around.persons
        and (old := around.stored.get((site_id, fact.event_id))) is not None
        and old.derived != history.derived[fact.event_id]
    }


def minute_at(ms: int) -> datetime:
    return minute_of(datetime.fromtimestamp(ms / 1000, UTC))


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
        derived.channel,
        derived.media,
        derived.campaign,
    )


def _session_row(site_id: str, session: Session, version: int, *, is_deleted: int) -> Row:
    return (
        site_id,
        minute_at(session.started_ms),
        session.session_id,
        session.visitor_id,
        version,
        is_deleted,
        session.person_id,
        datetime.fromtimestamp(session.started_ms / 1000, UTC),
        datetime.fromtimestamp(session.ended_ms / 1000, UTC),
        session.events,
        session.page_views,
        session.engaged,
        session.channel,
        session.media,
        session.campaign,
        session.device,
        session.country,
    )
