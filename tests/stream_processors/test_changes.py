"""Which rows must be written and whose owners must look again, given what was read."""

import re
from decimal import Decimal

import pytest

from stream_processors.changes import COUNTED, Changes, Request, changes, minute_at
from stream_processors.log import version
from stream_processors.neighbourhood import Mark, Neighbourhood, Stored
from stream_processors.race.facts import Fact
from stream_processors.race.history import derive
from stream_processors.store import query
from tests.stream_processors.race.named_facts import MINUTE, fact, order

SITE = "s"
NOW = Request(version(1, 10), oldest=version(1, 8))


def around(*facts: Fact, stored: dict[Fact, int], whole: tuple[str, ...]) -> Neighbourhood:
    """`stored`: facts whose rows are in the store, rightly derived from these alone, with the rows' versions."""
    rows = derive(stored)
    return Neighbourhood(
        facts={SITE: {fact.event_id: fact for fact in facts}},
        stored={(SITE, fact.event_id): Stored(at, rows[fact.event_id]) for fact, at in stored.items()},
        marks={(SITE, node): Mark() for node in whole},
        persons={(SITE, node) for node in whole},
    )


def written(found: Changes) -> list[int]:
    return [row[2].int for row in found.derived]


PAGE = fact(1, visitor_id="v")


@pytest.mark.parametrize(
    ("stored_at", "is_written"),
    [
        (None, True),
        (version(1, 7), False),  # answered before any of these requests
        (version(1, 8), True),  # by an answer to one of them, which may have been cut off
        (version(1, 10), True),
        (version(0, 99), True),  # requests of an earlier broker may be lost
    ],
    ids=["not there", "older", "oldest request", "latest request", "earlier broker"],
)
def test_a_row_that_is_right_is_written_only_if_its_bucket_may_not_know(
    stored_at: int | None, is_written: bool
) -> None:
    there = {} if stored_at is None else {PAGE: stored_at}
    found = changes({(SITE, "v:v"): NOW}, around(PAGE, stored=there, whole=("v:v",)))
    assert written(found) == [1] * is_written
    assert len(found.buckets) == is_written


def test_a_row_that_is_wrong_is_written_with_the_latest_version() -> None:
    """An older page makes this one a later page."""
    older = fact(2, at=-MINUTE, visitor_id="v")
    stored = {PAGE: version(1, 7)}
    found = changes({(SITE, "v:v"): NOW}, around(older, PAGE, stored=stored, whole=("v:v",)))
    assert sorted(written(found)) == [1, 2]
    assert {row[3] for row in found.derived} == {NOW.version}
    assert len(found.buckets) == 2


def test_a_session_that_goes_on_is_written_and_touches_its_first_minute_only_if_something_is_counted_otherwise() -> (
    None
):
    first, second, third = (fact(n, at=n * MINUTE, visitor_id="v") for n in (1, 2, 3))
    engaged = changes({(SITE, "v:v"): NOW}, around(first, second, stored={first: version(1, 7)}, whole=("v:v",)))
    assert sorted(written(engaged)) == [1, 2]
    assert len(engaged.buckets) == 2
    both = {first: version(1, 6), second: version(1, 7)}
    longer = changes({(SITE, "v:v"): NOW}, around(first, second, third, stored=both, whole=("v:v",)))
    assert sorted(written(longer)) == [1, 3]
    assert longer.buckets == {(SITE, minute_at(third.occurred_ms))}


def test_all_that_is_counted_of_a_row_is_looked_at() -> None:
    read = set(re.findall(r"\bd\.(\w+)", query("roll_up.recompute")))
    assert read == {*COUNTED, "session_events", "version", "site_id", "minute", "event_id"}
    assert "d.session_events > 0" in query("roll_up.recompute")


def test_only_rows_of_requested_nodes_are_written_and_others_are_asked() -> None:
    late = order(1, at=MINUTE, user_id="u")
    first = order(2, visitor_id="v", user_id="u")
    found = changes({(SITE, "v:v"): NOW}, around(late, first, stored={late: version(1, 7)}, whole=("v:v", "u:u")))
    assert written(found) == [2]
    assert found.others == {(SITE, "u:u")}


def test_others_whose_rows_are_right_or_not_there_yet_are_not_asked() -> None:
    page, first, late = fact(3, visitor_id="v"), order(1, user_id="u"), order(2, at=MINUTE, user_id="u")
    link = fact(4, "login", visitor_id="v", user_id="u")
    stored = {page: version(1, 1), first: version(1, 2), link: version(1, 3)}
    found = changes({(SITE, "v:v"): NOW}, around(page, first, late, link, stored=stored, whole=("v:v", "u:u")))
    assert found.others == set()


def test_a_stranger_who_reports_the_same_order_is_asked_when_it_no_longer_carries_it() -> None:
    """His other events are not here, so only whether and for how much he orders can be told."""
    his = order(1, at=MINUTE, order_id="o", user_id="stranger")
    mine = order(2, order_id="o", visitor_id="v")
    found = changes({(SITE, "v:v"): NOW}, around(his, mine, stored={his: version(1, 7)}, whole=("v:v", "o:o")))
    assert found.others == {(SITE, "u:stranger")}


def test_a_stranger_who_carries_the_order_is_asked_when_its_value_is_another() -> None:
    his = order(1, order_id="o", user_id="stranger", value=10)
    mine = order(2, at=MINUTE, order_id="o", visitor_id="v", source="crm")._replace(value=Decimal(12))
    found = changes({(SITE, "v:v"): NOW}, around(his, mine, stored={his: version(1, 7)}, whole=("v:v", "o:o")))
    assert found.others == {(SITE, "u:stranger")}


def test_strangers_are_not_judged_by_the_part_of_their_history_that_is_here() -> None:
    his = order(1, order_id="o", user_id="stranger")
    mine = order(2, at=MINUTE, order_id="o", visitor_id="v")
    before = around(his, mine, stored={his: version(1, 7)}, whole=("v:v", "o:o"))
    row = before.stored[SITE, his.event_id]
    before.stored[SITE, his.event_id] = Stored(row.version, row.derived._replace(order_rank=3))
    assert changes({(SITE, "v:v"): NOW}, before).others == set()
