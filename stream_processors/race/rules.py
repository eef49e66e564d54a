"""The RACE rules: one ordered table, first match wins, the last row is the default.

A rule asks two things: of the event itself, and of the person's history at that moment. The first is asked once,
when the event is classified, and leaves the candidates: the rules that only history can still decide between.
`derive` asks the second whenever the history changes, without reading the event again.
"""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from schemas.events import Event
from schemas.stage import CustomerState, Stage

RULES_VERSION: Final = 1


class Moment(NamedTuple):
    """What the person's history says at the moment of an event."""

    landing: bool  # the first page view of its session
    state: CustomerState  # before the event
    order_rank: int  # 1 for the person's first order, 2 for the next; 0 when the event carries no order


# Taken for granted until the history has been read.
PROVISIONAL: Final = Moment(landing=True, state=CustomerState.ANONYMOUS, order_rank=1)


class Rule(NamedTuple):
    id: str
    stage: Stage | None
    reason: str
    event_when: Callable[[Event], bool]
    history_when: Callable[[Moment], bool] | None = None


ORDER_NAMES: Final = frozenset({"purchase", "close_convert_lead"})
LEAD_NAMES: Final = frozenset(
    ["generate_lead", "sign_up", "form_submit", "newsletter_subscribe", "lead_created", "working_lead", "qualify_lead"]
)
_REACH: Final = frozenset(
    ["session_start", "first_visit", "ad_impression", "ad_click", "view_promotion", "campaign_click"]
)
_CHECKOUT: Final = frozenset(["begin_checkout", "add_payment_info", "add_shipping_info"])
_TAKEN_BACK: Final = frozenset(["refund", "order_cancelled", "close_unconvert_lead"])
_LOYAL: Final = frozenset(
    ["join_group", "invite_sent", "referral", "subscription_renewed", "loyalty_points_earned", "survey_answered"]
)
_BY_CUSTOMERS: Final = frozenset(
    ["login", "share", "review", "email_opened", "email_clicked", "ticket_opened", "ticket_closed", "call_held"]
)
_ACT: Final = LEAD_NAMES | frozenset(
    [
        "click",
        "search",
        "view_search_results",
        "view_item",
        "view_item_list",
        "view_cart",
        "select_item",
        "select_content",
        "select_promotion",
        "file_download",
        "form_start",
        "video_start",
        "video_progress",
        "video_complete",
        "add_to_cart",
        "add_to_wishlist",
        "remove_from_cart",
        "like",
        "comment",
    ]
)


def named(*names: str) -> Callable[[Event], bool]:
    wanted = frozenset(names)
    return lambda event: event.name in wanted


def _deep_scroll(event: Event) -> bool:
    percent = event.properties.get("percent_scrolled")
    return event.name == "scroll" and isinstance(percent, int | float) and percent >= 90


def _landing(moment: Moment) -> bool:
    return moment.landing


def _has_ordered(moment: Moment) -> bool:
    return moment.state in (CustomerState.CUSTOMER, CustomerState.REPEAT_CUSTOMER)


def _repeat(moment: Moment) -> bool:
    return moment.order_rank > 1


def _reported_before(moment: Moment) -> bool:
    return moment.order_rank == 0


RULES: Final = (
    Rule("landing_page", Stage.REACH, "The first page of a session.", named("page_view"), _landing),
    Rule("later_page", Stage.ACT, "A further page of a session.", named("page_view")),
    Rule("repeat_order", Stage.ENGAGE, "An order by somebody who had ordered before.", named(*ORDER_NAMES), _repeat),
    Rule(
        "same_order", None, "Another report of an order that is already counted.", named(*ORDER_NAMES), _reported_before
    ),
    Rule("first_order", Stage.CONVERT, "The person's first order.", named(*ORDER_NAMES)),
    Rule("checkout", Stage.CONVERT, "A step of the checkout.", named(*_CHECKOUT)),
    Rule("taken_back", Stage.CONVERT, "An order or deal was taken back.", named(*_TAKEN_BACK)),
    Rule("loyalty", Stage.ENGAGE, "A sign of loyalty or advocacy.", named(*_LOYAL)),
    Rule("customer_activity", Stage.ENGAGE, "Something a customer does.", named(*_BY_CUSTOMERS), _has_ordered),
    Rule("activity", Stage.ACT, "The same, by somebody who has not ordered yet.", named(*_BY_CUSTOMERS)),
    Rule("arrival", Stage.REACH, "Somebody saw or followed an advertisement, or arrived.", named(*_REACH)),
    Rule("lead", Stage.ACT, "Somebody left a contact.", named(*LEAD_NAMES)),
    Rule("interaction", Stage.ACT, "Somebody interacted with the site.", named(*_ACT)),
    Rule("deep_scroll", Stage.ACT, "Somebody read at least 90 % of a page.", _deep_scroll),
    Rule("no_stage", None, "No rule gives this event a stage.", lambda event: True),
)

RULES_BY_ID: Final = {rule.id: rule for rule in RULES}


def candidates(event: Event, rules: Sequence[Rule] = RULES) -> tuple[str, ...]:
    """The ids of the rules that match the event, in order, up to the first that asks nothing of history."""
    found: list[str] = []
    for rule in rules:
        if rule.event_when(event):
            found.append(rule.id)
            if rule.history_when is None:
                break
    return tuple(found)


def decide(candidate_ids: Sequence[str], moment: Moment) -> Rule:
    """The rule among the candidates that the history allows. There is always one: the last asks nothing."""
    for rule_id in candidate_ids:
        rule = RULES_BY_ID[rule_id]
        if rule.history_when is None or rule.history_when(moment):
            return rule
    raise LookupError(f"no rule among {list(candidate_ids)} decides without history")
