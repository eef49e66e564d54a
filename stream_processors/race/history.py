"""What only a person's history can say: sessions, first or repeat, customer state, and so the stage.

Pure and without clocks: the same stored events give the same answer in whatever order they arrived. Events are
taken in the order (occurred_at, event_id). Users and visitors are told apart by node names (`u:`, `v:`).
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Final, NamedTuple
from uuid import UUID

from schemas.stage import CustomerState, Stage
from schemas.touches import user_node
from stream_processors.race.facts import Fact
from stream_processors.race.rules import LEAD_NAMES, Moment, decide
from stream_processors.race.sessions import Session, sessions_of

ACT_BEFORE_ORDER_MS: Final = 30 * 24 * 3600 * 1000
MAX_LINKS: Final = 20


class Derived(NamedTuple):
    """What was derived for one event."""

    person_id: str
    stage: Stage | None
    rule_id: str
    customer_state: CustomerState
    order_rank: int
    order_value: Decimal | None
    acted_before: bool
    first_visit: bool
    session_id: str
    session_start_ms: int
    session_end_ms: int  # this and what follows of the session stand at its first event alone
    session_events: int
    session_page_views: int
    session_engaged: bool
    channel: str
    media: str
    campaign: str


class Order(NamedTuple):
    carrier: UUID  # the event that carries the order: the earliest that names it
    value: Decimal | None  # from the most trusted source that states one


_TRUST: Final = {"crm": 0, "server": 1, "website": 2, "app": 3, "ads": 4}


def derive(facts: Iterable[Fact]) -> dict[UUID, Derived]:
    """Derives all events of a closed set of facts: the persons concerned, with everything that they did."""
    ordered = sorted({fact.event_id: fact for fact in facts}.values(), key=lambda fact: fact.position)
    persons = _persons(ordered)
    visits = _by_visitor(ordered)
    session_of = {id: session for rows in visits.values() for session in sessions_of(rows) for id in session.event_ids}
    first_visits = {rows[0].event_id for rows in visits.values()}
    orders = _orders(ordered)
    derived: dict[UUID, Derived] = {}
    by_person: defaultdict[str, list[Fact]] = defaultdict(list)
    for fact in ordered:
        by_person[persons[fact.event_id]].append(fact)
    for person_id, rows in by_person.items():
        _derive_person(person_id, rows, orders, session_of, first_visits, derived)
    return derived


def _derive_person(
    person_id: str,
    rows: Sequence[Fact],
    orders: Mapping[str, Order],
    session_of: Mapping[UUID, Session],
    first_visits: set[UUID],
    derived: dict[UUID, Derived],
) -> None:
    ordered_before, lead_before = 0, False
    acts: list[int] = []
    carried: list[tuple[Fact, Order]] = []
    for fact in rows:
        order = orders.get(fact.order_key)
        carries = order is not None and order.carrier == fact.event_id
        rank = ordered_before + 1 if carries else 0
        session = session_of.get(fact.event_id)
        starts = session is not None and session.event_ids[0] == fact.event_id
        landing = session is None or session.landing_event == fact.event_id
        state = _state(ordered_before, lead_before)
        rule = decide(fact.candidates, Moment(landing, state, rank))
        derived[fact.event_id] = Derived(
            person_id=person_id,
            stage=rule.stage,
            rule_id=rule.id,
            customer_state=state,
            order_rank=rank,
            order_value=order.value if order is not None and carries else None,
            acted_before=False,
            first_visit=fact.event_id in first_visits,
            session_id=session.session_id if session else "",
            session_start_ms=session.started_ms if session else 0,
            session_end_ms=session.ended_ms if session and starts else 0,
            session_events=session.events if session and starts else 0,
            session_page_views=session.page_views if session and starts else 0,
            session_engaged=session.engaged if session and starts else False,
            channel=session.channel if session else fact.channel,
            media=session.media if session else fact.media,
            campaign=session.campaign if session else fact.campaign,
        )
        if rule.stage is Stage.ACT:
            acts.append(fact.occurred_ms)
        if order is not None and carries:
            ordered_before += 1
            carried.append((fact, order))
        lead_before = lead_before or fact.name in LEAD_NAMES
    for fact, _ in carried:
        if _acted_before(acts, fact.occurred_ms):
            derived[fact.event_id] = derived[fact.event_id]._replace(acted_before=True)


def _state(orders: int, lead: bool) -> CustomerState:
    if orders:
        return CustomerState.CUSTOMER if orders == 1 else CustomerState.REPEAT_CUSTOMER
    return CustomerState.LEAD if lead else CustomerState.ANONYMOUS


def _acted_before(acts: Sequence[int], ordered_ms: int) -> bool:
    """Whether one of the (ascending) times lies in the 30 days up to the order, the order's own time included."""
    at = bisect_left(acts, ordered_ms - ACT_BEFORE_ORDER_MS)
    return at < len(acts) and acts[at] <= ordered_ms


def _by_visitor(ordered: Iterable[Fact]) -> dict[str, list[Fact]]:
    """What happened on the website or in the app, by visitor: server and CRM facts make no visits."""
    rows: defaultdict[str, list[Fact]] = defaultdict(list)
    for fact in ordered:
        if fact.visitor_id and fact.source in ("website", "app"):
            rows[fact.visitor_id].append(fact)
    return dict(rows)


def _orders(ordered: Iterable[Fact]) -> dict[str, Order]:
    found: dict[str, list[Fact]] = {}
    for fact in ordered:
        if fact.order_key:
            found.setdefault(fact.order_key, []).append(fact)
    return {key: Order(reports[0].event_id, _order_value(reports)) for key, reports in found.items()}


def _order_value(reports: Sequence[Fact]) -> Decimal | None:
    stated = [fact for fact in reports if fact.value is not None]
    return min(stated, key=lambda fact: (_TRUST[fact.source], *fact.position)).value if stated else None


def _persons(ordered: Sequence[Fact]) -> dict[UUID, str]:
    """The person of each event: its user, else the user its visitor was known as at or before it, else after it."""
    links: defaultdict[str, list[tuple[tuple[int, int], str]]] = defaultdict(list)
    for fact in ordered:
        if fact.visitor_id and fact.user_id:
            links[fact.visitor_id].append((fact.position, fact.user_id))
    return {fact.event_id: _person(fact, links.get(fact.visitor_id, ())) for fact in ordered}


def _person(fact: Fact, links: Sequence[tuple[tuple[int, int], str]]) -> str:
    if fact.user_id:
        return user_node(fact.user_id)
    if not links or len({user for _, user in links}) > MAX_LINKS:
        return fact.node
    at_or_before = bisect_left(links, (fact.occurred_ms + 1, 0), key=lambda link: link[0])
    return user_node(links[at_or_before - 1][1] if at_or_before else links[0][1])
