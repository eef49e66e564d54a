"""Every default rule with an event that it takes, and with one that looks nearly the same and belongs to another."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from pydantic import JsonValue

from schemas.events import Event, Source
from schemas.stage import CustomerState, Stage
from stream_processors.race.rules import (
    LEAD_NAMES,
    ORDER_NAMES,
    PROVISIONAL,
    RULES,
    RULES_BY_ID,
    Moment,
    candidates,
    decide,
)

NOW = datetime(2024, 5, 1, 10, tzinfo=UTC)
NEW, LEAD, CUSTOMER, REPEAT = CustomerState
LANDING, LATER, KNOWN = Moment(True, NEW, 0), Moment(False, NEW, 0), Moment(False, CUSTOMER, 0)
FIRST, SECOND = Moment(True, NEW, 1), Moment(True, CUSTOMER, 2)


def event(name: str, **properties: JsonValue) -> Event:
    return Event(
        event_id=UUID(int=1),
        name=name,
        source=Source.WEBSITE,
        site_id="s",
        occurred_at=NOW,
        received_at=NOW,
        properties=properties,
    )


def scroll(percent: JsonValue) -> Event:
    return event("scroll", percent_scrolled=percent)


def rule_of(happened: Event, moment: Moment) -> str:
    return decide(candidates(happened), moment).id


# rule: what it takes, at which moment; what nearly is that, and the rule that takes it instead
TABLE = {
    "landing_page": (event("page_view"), LANDING, event("page_view"), LATER, "later_page"),
    "later_page": (event("page_view"), LATER, event("screen_view"), LATER, "no_stage"),
    "repeat_order": (
        event("purchase"),
        SECOND,
        event("purchase"),
        FIRST,
        "first_order",
    ),
    "same_order": (
        event("purchase"),
        LANDING,
        event("purchase"),
        SECOND,
        "repeat_order",
    ),
    "first_order": (
        event("close_convert_lead"),
        FIRST,
        event("refund"),
        FIRST,
        "taken_back",
    ),
    "checkout": (event("begin_checkout"), LATER, event("view_cart"), LATER, "interaction"),
    "taken_back": (event("order_cancelled"), LATER, event("purchase"), FIRST, "first_order"),
    "loyalty": (event("referral"), LATER, event("review"), LATER, "activity"),
    "customer_activity": (
        event("login"),
        KNOWN,
        event("login"),
        LATER,
        "activity",
    ),
    "activity": (event("share"), LATER, event("share"), KNOWN, "customer_activity"),
    "arrival": (event("ad_click"), LATER, event("click"), LATER, "interaction"),
    "lead": (event("form_submit"), LATER, event("form_start"), LATER, "interaction"),
    "interaction": (event("view_item"), LATER, event("view_items"), LATER, "no_stage"),
    "deep_scroll": (
        scroll(90),
        LATER,
        scroll(89.9),
        LATER,
        "no_stage",
    ),
    "no_stage": (
        scroll("90"),
        LATER,
        scroll(100),
        LATER,
        "deep_scroll",
    ),
}


@pytest.mark.parametrize("rule_id", TABLE)
def test_a_rule_takes_its_event_and_not_its_neighbour(rule_id: str) -> None:
    taken, moment, neighbour, other_moment, other_rule = TABLE[rule_id]
    assert rule_of(taken, moment) == rule_id
    assert rule_of(neighbour, other_moment) == other_rule


def test_every_rule_has_its_row() -> None:
    assert set(TABLE) == {rule.id for rule in RULES} == set(RULES_BY_ID)
    assert len(RULES_BY_ID) == len(RULES)


NAMED = sorted([*ORDER_NAMES, *LEAD_NAMES, "page_view", "login", "refund", "view_item", "anything_else"])


@pytest.mark.parametrize("name", NAMED)
def test_whatever_the_history_says_some_rule_decides(name: str) -> None:
    for landing in (True, False):
        for state in CustomerState:
            for rank in (0, 1, 2, 7):
                assert rule_of(event(name), Moment(landing, state, rank)) in RULES_BY_ID
    assert rule_of(event(name), PROVISIONAL) in RULES_BY_ID


@pytest.mark.parametrize(
    ("state", "stage"),
    [(NEW, Stage.ACT), (LEAD, Stage.ACT), (CUSTOMER, Stage.ENGAGE), (REPEAT, Stage.ENGAGE)],
)
def test_a_review_is_engage_only_by_somebody_who_has_ordered(state: CustomerState, stage: Stage) -> None:
    assert decide(candidates(event("review")), Moment(False, state, 0)).stage is stage


def test_without_a_rule_that_asks_nothing_there_is_no_decision() -> None:
    with pytest.raises(LookupError):
        decide(("landing_page",), LATER)


@pytest.mark.parametrize("percent", [True, None, [90], {}])
def test_what_is_no_percentage_is_no_deep_scroll(percent: JsonValue) -> None:
    assert rule_of(scroll(percent), LATER) == "no_stage"
