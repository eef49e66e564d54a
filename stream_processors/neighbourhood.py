"""Reads from the store all the facts that must be seen together to derive the events of some nodes.

A visitor's events may belong to users, a user's to several visitors, and one order may be reported by any of them.
At most four reads, mostly one: visitors that never named a user have no neighbours.
"""

from collections.abc import Iterable, Set
from dataclasses import dataclass, field
from typing import Final, NamedTuple
from uuid import UUID

from schemas.stage import CustomerState, Stage
from schemas.touches import order_node, user_node, visitor_node
from stream_processors.race.facts import Fact
from stream_processors.race.history import Derived
from stream_processors.store import Node, Row, Store


@dataclass(frozen=True)
class Stored:
    """A derived row as it stands in the store."""

    version: int
    derived: Derived


class Mark(NamedTuple):
    """Says whether a node's facts are still those that were read."""

    facts: int = 0
    versions: int = 0

    def plus(self, version: int) -> "Mark":
        return Mark(self.facts + 1, (self.versions + version) % 2**64)


@dataclass
class Neighbourhood:
    facts: dict[str, dict[UUID, Fact]] = field(default_factory=dict)  # by site
    stored: dict[tuple[str, UUID], Stored] = field(default_factory=dict)
    marks: dict[Node, Mark] = field(default_factory=dict)  # of the nodes whose whole history is here
    persons: set[Node] = field(default_factory=set)  # persons all of whose events are here

    @property
    def read(self) -> Set[Node]:
        return self.marks.keys()


async def read_neighbourhood(store: Store, requested: Iterable[Node]) -> Neighbourhood:
    found = Neighbourhood()
    rows = await _read(store, found, set(requested))
    found.persons |= found.read
    # the visitors' users, and everybody's orders
    rows += await _read(store, found, {node for row in rows for node in (*_users(row), *_orders(row))})
    found.persons |= {node for node in found.read if node[1].startswith("u:")}
    # the users' visitors; their other users are not followed, since no event of theirs is derived here
    rows = await _read(store, found, {node for row in rows for node in (*_visitors(row), *_orders(row))})
    await _read(store, found, {node for row in rows for node in _orders(row)})
    # who else reports the same orders must agree on who carries them
    others = {(site_id, fact.node) for site_id, facts in found.facts.items() for fact in facts.values()}
    for row in await store.derived(list(found.read | others)):
        found.stored[row[0], row[1]] = _stored(row)
    return found


async def outdated(store: Store, found: Neighbourhood) -> set[Node]:
    """The nodes whose facts are not those that were read any more, and all that hang together with them."""
    now = {(row[0], row[1]): Mark(*row[2:]) for row in await store.marks(list(found.read))}
    reached = {node for node, mark in found.marks.items() if now.get(node, Mark()) != mark}
    size = 0
    while size < len(reached):
        size = len(reached)
        for site_id, facts in found.facts.items():
            for fact in facts.values():
                nodes = {(site_id, node) for node in fact.nodes}
                if not nodes.isdisjoint(reached):
                    reached |= nodes
    return reached


_Found = tuple[Node, Fact]


async def _read(store: Store, found: Neighbourhood, nodes: set[Node]) -> list[_Found]:
    wanted = nodes - found.read
    if not wanted:
        return []
    found.marks.update(dict.fromkeys(wanted, Mark()))
    rows = []
    for row in await store.history(list(wanted)):
        node, fact = (row[0], row[1]), _fact(row)
        found.marks[node] = found.marks[node].plus(row[2])
        found.facts.setdefault(row[0], {})[fact.event_id] = fact
        rows.append((node, fact))
    return rows


def _users(row: _Found) -> Iterable[Node]:
    (site_id, node), fact = row
    if fact.user_id and node.startswith("v:"):
        yield site_id, user_node(fact.user_id)


def _visitors(row: _Found) -> Iterable[Node]:
    (site_id, node), fact = row
    if fact.visitor_id and node.startswith("u:"):
        yield site_id, visitor_node(fact.visitor_id)


def _orders(row: _Found) -> Iterable[Node]:
    (site_id, _), fact = row
    if fact.order_key:
        yield site_id, order_node(fact.order_key)


def _fact(row: Row) -> Fact:
    """Of a row of `store.history`: the fact stands after site_id, node and version."""
    fact: Fact = Fact._make((*row[3:10], tuple(row[10]), *row[11:]))
    return fact


def _stored(row: Row) -> Stored:
    """Of a row of `store.derived`: what was derived stands after site_id, event_id and version."""
    _, _, version, person_id, stage, rule_id, state, *rest = row
    return Stored(version, Derived(person_id, _STAGES[stage], rule_id, _STATES[state], *rest))


_STAGES: Final = {"": None} | {stage.value: stage for stage in Stage}
_STATES: Final = {state.value: state for state in CustomerState}
