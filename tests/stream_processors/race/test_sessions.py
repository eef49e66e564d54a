"""Sessions: the source's own, else a gap of 30 minutes."""

import pytest

from stream_processors.race.facts import Fact
from stream_processors.race.sessions import ENGAGED_MS, GAP_MS, Session, sessions_of
from tests.stream_processors.race.named_facts import START, fact, order


def sizes(*facts: Fact) -> list[int]:
    return [session.events for session in sessions_of(facts)]


def only(*facts: Fact) -> Session:
    (session,) = sessions_of(facts)
    return session


@pytest.mark.parametrize(("pause", "expected"), [(GAP_MS, [2]), (GAP_MS + 1, [1, 1])], ids=["30 min", "1 ms more"])
def test_a_pause_of_more_than_30_minutes_ends_a_session(pause: int, expected: list[int]) -> None:
    assert sizes(fact(1, visitor_id="v"), fact(2, at=pause, visitor_id="v")) == expected


def test_the_pause_is_counted_from_the_last_event_not_from_the_start() -> None:
    assert sizes(*(fact(number, at=number * GAP_MS, visitor_id="v") for number in range(5))) == [5]


def test_sessions_of_the_source_are_kept_however_long_they_pause() -> None:
    assert sizes(
        fact(1, visitor_id="v", session_id="s1"),
        fact(2, at=GAP_MS * 3, visitor_id="v", session_id="s1"),
        fact(3, at=GAP_MS * 3 + 1, visitor_id="v", session_id="s2"),
    ) == [2, 1]


def test_facts_without_a_session_of_the_source_form_their_own_beside_it() -> None:
    found = sessions_of(
        [
            fact(1, visitor_id="v", session_id="s1"),
            fact(2, at=1000, visitor_id="v"),
            fact(3, at=2000, visitor_id="v", session_id="s1"),
            fact(4, at=3000, visitor_id="v"),
        ]
    )
    assert [(session.session_id, session.events) for session in found] == [("s1", 2), (f"v@{START + 1000}", 2)]


ENGAGED = {
    "one page": (False, [fact(1)]),
    "almost 10 s": (False, [fact(1), fact(2, "scroll", ENGAGED_MS - 1)]),
    "10 s": (True, [fact(1), fact(2, "scroll", ENGAGED_MS)]),
    "two pages at once": (True, [fact(1), fact(2)]),
    "a lead": (True, [fact(1, "generate_lead")]),
    "an order": (True, [order(1)]),
    "an order that was taken back": (False, [fact(1, "refund")]),
}


@pytest.mark.parametrize("case", ENGAGED)
def test_a_session_is_engaged_after_10_seconds_2_pages_a_lead_or_an_order(case: str) -> None:
    expected, facts = ENGAGED[case]
    assert only(*facts).engaged is expected


def test_the_first_fact_with_a_signal_gives_the_channel_else_the_first() -> None:
    direct = fact(1, channel="Direct")
    paid = fact(2, at=1, channel="Paid Search", media="paid", campaign="spring", has_signal=True)
    email = fact(3, at=2, channel="Email", has_signal=True)
    session = only(direct, paid, email)
    assert (session.channel, session.media, session.campaign) == ("Paid Search", "paid", "spring")
    assert only(direct).channel == "Direct"


def test_the_landing_is_the_first_page_not_the_first_event() -> None:
    scroll, page = fact(1, "scroll"), fact(2, at=1)
    assert only(scroll, page).landing_event == page.event_id
    assert only(scroll).landing_event is None


def test_a_session_starts_and_ends_with_its_first_and_last_event() -> None:
    session = only(fact(1), fact(2, "scroll", 500), fact(3, at=700))
    assert (session.started_ms, session.ended_ms, session.page_views) == (START, START + 700, 2)
