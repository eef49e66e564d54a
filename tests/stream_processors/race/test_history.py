"""What a person's history says: pure, in the order (occurred_at, event_id), whatever the order of arrival."""

from decimal import Decimal
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.stage import CustomerState, Stage
from stream_processors.race.facts import Fact
from stream_processors.race.history import ACT_BEFORE_ORDER_MS, MAX_LINKS, Derived, derive
from tests.stream_processors.race.named_facts import DAY, MINUTE, START, fact, order


def derived(*facts: Fact) -> list[Derived]:
    """In the order in which the facts are given."""
    found = derive(facts)
    return [found[fact.event_id] for fact in facts]


def ranks(*facts: Fact) -> list[int]:
    return [one.order_rank for one in derived(*facts)]


def persons(*facts: Fact) -> list[str]:
    return [one.person_id for one in derived(*facts)]


def test_the_first_order_is_convert_and_a_later_one_is_engage() -> None:
    first, second = derived(order(1, user_id="u"), order(2, at=MINUTE, user_id="u"))
    assert (first.stage, first.rule_id, first.order_rank) == (Stage.CONVERT, "first_order", 1)
    assert (second.stage, second.rule_id, second.order_rank) == (Stage.ENGAGE, "repeat_order", 2)


def test_of_orders_in_the_same_millisecond_the_one_with_the_smaller_id_is_first() -> None:
    assert ranks(order(2, user_id="u"), order(1, user_id="u")) == [2, 1]


def test_each_person_has_a_first_order() -> None:
    assert ranks(order(1, user_id="u1"), order(2, at=1, user_id="u2"), order(3, at=2, user_id="u1")) == [1, 1, 2]


SOURCES = ["crm", "server", "website", "app"]


@pytest.mark.parametrize("best", range(4))
def test_reports_of_one_order_are_one_order_with_the_most_trusted_value(best: int) -> None:
    reports = [
        order(number, at=-number, value=number + 10, order_id="o", user_id="u", source=source)
        for number, source in enumerate(SOURCES[best:])
    ]
    found = derived(*reports)
    assert sorted(one.order_rank for one in found) == [0] * (len(reports) - 1) + [1]
    assert found[-1].order_value == Decimal(10)  # the earliest carries it, the first of the list knows its value


def test_a_report_without_a_value_leaves_it_to_the_next_trusted() -> None:
    crm = order(1, value=None, order_id="o", user_id="u", source="crm")
    website = order(2, at=1, value=7, order_id="o", user_id="u")
    assert derived(crm, website)[0].order_value == 7
    assert derived(crm)[0].order_value is None


def test_a_second_report_has_no_stage_and_does_not_make_a_repeat_customer() -> None:
    first, again, login = derived(
        order(1, order_id="o", user_id="u"),
        order(2, at=1, order_id="o", user_id="u", source="crm"),
        fact(3, "login", 2, user_id="u"),
    )
    assert (again.stage, again.rule_id, again.customer_state) == (None, "same_order", CustomerState.CUSTOMER)
    assert login.customer_state is CustomerState.CUSTOMER
    assert first.stage is Stage.CONVERT


def test_a_report_by_a_stranger_does_not_count_for_both() -> None:
    assert ranks(
        order(1, order_id="o", visitor_id="v"),
        order(2, at=1, order_id="o", user_id="u", source="crm"),
        order(3, at=2, user_id="u"),
    ) == [1, 0, 1]


def test_an_order_of_nobody_known_is_a_person_of_its_own() -> None:
    (found,) = derived(order(1, order_id="o", source="server"))
    assert (found.person_id, found.order_rank) == ("o:o", 1)


def test_a_visitor_is_the_user_of_the_last_link_before_else_of_the_first_after() -> None:
    link1 = fact(1, at=10, visitor_id="v", user_id="u1")
    link2 = fact(2, at=20, visitor_id="v", user_id="u2")
    times = {0: "u:u1", 9: "u:u1", 10: "u:u1", 19: "u:u1", 20: "u:u2", 99: "u:u2"}
    anonymous = [fact(10 + at, at=at, visitor_id="v") for at in times]
    assert persons(*anonymous, link1, link2)[: len(times)] == list(times.values())


def test_a_link_of_the_same_millisecond_counts_whatever_its_id() -> None:
    early = fact(9, at=0, visitor_id="v", user_id="u1")
    for number in (1, 99):
        assert (
            persons(fact(number, at=5, visitor_id="v"), fact(50, at=5, visitor_id="v", user_id="u2"), early)[0]
            == "u:u2"
        )


def test_a_users_own_events_are_his_on_whatever_laptop() -> None:
    assert persons(
        fact(1, visitor_id="v", user_id="u1"), fact(2, at=1, visitor_id="v", user_id="u2"), fact(3, at=2, user_id="u1")
    ) == ["u:u1", "u:u2", "u:u1"]


def test_two_laptops_of_a_user_are_one_person() -> None:
    assert ranks(
        order(1, visitor_id="v1"),
        order(2, at=1, visitor_id="v2"),
        fact(3, at=2, visitor_id="v1", user_id="u"),
        fact(4, at=3, visitor_id="v2", user_id="u"),
    )[:2] == [1, 2]


@pytest.mark.parametrize(("users", "person"), [(MAX_LINKS, "u:u0"), (MAX_LINKS + 1, "v:v")])
def test_a_visitor_of_more_than_20_users_joins_none(users: int, person: str) -> None:
    links = [fact(number + 1, at=number, visitor_id="v", user_id=f"u{number}") for number in range(users)]
    assert persons(fact(99, at=-1, visitor_id="v"), *links)[0] == person


@pytest.mark.parametrize(
    ("before", "acted"),
    [(-1, False), (0, True), (MINUTE, True), (ACT_BEFORE_ORDER_MS, True), (ACT_BEFORE_ORDER_MS + 1, False)],
    ids=["after it", "at the same time", "a minute before", "30 days before", "a millisecond more"],
)
def test_who_acted_at_most_30_days_before_the_order_acted_before_it(before: int, acted: bool) -> None:
    view, bought = fact(2, "view_item", 40 * DAY - before, user_id="u"), order(1, at=40 * DAY, user_id="u")
    assert derived(view, bought)[1].acted_before is acted


def test_an_older_act_does_not_hide_one_in_time() -> None:
    old, in_time, bought = fact(1, "view_item", 0), fact(2, "view_item", 39 * DAY), order(3, at=40 * DAY)
    assert derived(*(one._replace(user_id="u") for one in (old, in_time, bought)))[2].acted_before


def test_the_state_is_the_one_before_the_event() -> None:
    facts = [
        fact(1, user_id="u"),
        fact(2, "generate_lead", 1, user_id="u"),
        fact(3, "login", 2, user_id="u"),
        order(4, at=3, user_id="u"),
        order(5, at=4, user_id="u"),
        fact(6, "login", 5, user_id="u"),
    ]
    assert [one.customer_state.value for one in derived(*facts)] == [
        "anonymous",
        "anonymous",
        "lead",
        "lead",
        "customer",
        "repeat_customer",
    ]


def test_the_first_page_of_a_session_is_reach_and_the_next_is_act() -> None:
    facts = [fact(1, visitor_id="v"), fact(2, at=1, visitor_id="v"), fact(3, at=DAY, visitor_id="v")]
    assert [one.stage for one in derived(*facts)] == [Stage.REACH, Stage.ACT, Stage.REACH]


def session_of(one: Derived) -> tuple[int, int, int, bool]:
    return one.session_end_ms, one.session_events, one.session_page_views, one.session_engaged


def test_a_session_stands_at_its_first_event_alone() -> None:
    first, second = derived(fact(1, visitor_id="v"), fact(2, at=20_000, visitor_id="v"))
    assert session_of(first) == (START + 20_000, 2, 2, True)
    assert session_of(second) == (0, 0, 0, False)
    assert first.session_id == second.session_id == f"v@{START}"


def test_facts_of_server_and_crm_make_no_visits() -> None:
    for source in ("server", "crm"):
        (found,) = derived(fact(1, visitor_id="v", source=source))
        assert (found.session_id, found.session_events, found.first_visit) == ("", 0, False)


def test_the_first_visit_is_the_visitors_first_fact_on_the_website() -> None:
    facts = [
        fact(1, visitor_id="v", source="crm"),
        fact(2, at=1, visitor_id="v"),
        fact(3, at=DAY, visitor_id="v"),
        fact(4, at=1, visitor_id="w"),
    ]
    assert [one.first_visit for one in derived(*facts)] == [False, True, False, True]


# few of everything, so that ties, merges and shared orders are frequent
names = st.sampled_from(["page_view", "view_item", "purchase", "login", "generate_lead", "other"])
times = st.sampled_from([0, 1, MINUTE, 31 * MINUTE, 30 * DAY, 30 * DAY + 1])


@st.composite
def facts_of(draw: st.DrawFn, group: str = "") -> list[Fact]:
    found = []
    for number in range(draw(st.integers(0, 14))):
        name = draw(names)
        ids = {
            "visitor_id": draw(st.sampled_from(["", f"{group}v1", f"{group}v2", f"{group}v3"])),
            "user_id": draw(st.sampled_from(["", "", f"{group}u1", f"{group}u2"])),
            "session_id": draw(st.sampled_from(["", "", "s1"])),
            "source": draw(st.sampled_from(["website", "website", "app", "server", "crm"])),
            "has_signal": draw(st.booleans()),
        }
        if name == "purchase":
            ids["order_id"] = draw(st.sampled_from([f"{group}o1", f"{group}o2", f"{group}o3"]))
            ids["value"] = draw(st.sampled_from([None, Decimal(5), Decimal(7)]))
        unique = sum(map(ord, group)) << 32 | number
        found.append(fact(unique, name, draw(times), channel=draw(st.sampled_from(["a", "b"])), **ids))
    return [one for one in found if one.visitor_id or one.user_id or one.order_id]


@settings(max_examples=300, deadline=None)
@given(facts_of(), st.randoms(use_true_random=False))
def test_the_order_of_arrival_and_repetitions_change_nothing(facts: list[Fact], random: Random) -> None:
    shuffled = [*facts, *facts[:3]]
    random.shuffle(shuffled)
    assert derive(shuffled) == derive(facts)


@settings(max_examples=200, deadline=None)
@given(facts_of("a"), facts_of("b"))
def test_what_others_do_changes_nothing_for_a_person(facts: list[Fact], others: list[Fact]) -> None:
    assert derive([*facts, *others]) == {**derive(facts), **derive(others)}


@settings(max_examples=200, deadline=None)
@given(facts_of())
def test_every_person_has_one_first_order_and_every_order_is_counted_once(facts: list[Fact]) -> None:
    found = derive(facts)
    by_person: dict[str, list[int]] = {}
    for one in found.values():
        if one.order_rank:
            by_person.setdefault(one.person_id, []).append(one.order_rank)
    assert all(sorted(counted) == list(range(1, len(counted) + 1)) for counted in by_person.values())
    assert sum(map(len, by_person.values())) == len({fact.order_key for fact in facts if fact.order_key})


@settings(max_examples=200, deadline=None)
@given(facts_of())
def test_every_visit_is_in_one_session(facts: list[Fact]) -> None:
    visits = [fact for fact in facts if fact.visitor_id and fact.source in ("website", "app")]
    assert sum(one.session_events for one in derive(facts).values()) == len(visits)
