"""Reads from the store all the facts that must be seen together to derive the events of some nodes.

A visitor's events may belong to users, a user's to several visitors, and one order may be reported by any of them.
At most four reads, mostly one: visitors that never named a user have no neighbours.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final
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


@dataclass
class Neighbourhood:
    facts: dict[str, dict[UUID, Fact]] = field(default_factory=dict)  # by site
    stored: dict[tuple[str, UUID], Stored] = field(default_factory=dict)
    read: set[Node] = field(default_factory=set)  # nodes whose whole history is here
    persons: set[Node] = field(default_factory=set)  # persons all of whose events are here

    def owners(self, site_id: str) -> set[Node]:
        """The nodes read of a site that own events: visitors and users."""
        return {node for node in self.read if node[0] == site_id and not node[1].startswith("o:")}


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
    for row in await store.derived(list(found.read)):
        found.stored[row[0], row[1]] = _stored(row)
    return found


_Found = tuple[Node, Fact]


async def _read(store: Store, found: Neighbourhood, nodes: set[Node]) -> list[_Found]:
    wanted = nodes - found.read
    if not wanted:
        return []
    found.read |= wanted
    rows = [((row[0], row[1]), _fact(row)) for row in await store.history(list(wanted))]
    for (site_id, _), fact in rows:
        found.facts.setdefault(site_id, {})[fact.event_id] = fact
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


_FACT_FIRST: Final = 2  # after site_id and node
_DERIVED_FIRST: Final = 3  # after site_id, event_id and version


def _fact(row: Row) -> Fact:
    fact: Fact = Fact._make(row[_FACT_FIRST:])
    return fact._replace(candidates=tuple(fact.candidates))


def _stored(row: Row) -> Stored:
    derived: Derived = Derived._make(row[_DERIVED_FIRST:])
    typed = derived._replace(
        stage=Stage(derived.stage) if derived.stage else None, customer_state=CustomerState(derived.customer_state)
    )
    return Stored(version=row[2], derived=typed)
