"""From a record to a classified event or to a refusal with its reason; nothing that anybody can send raises."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.rejection import Rejection, RejectReason
from stream_processors.race.pipeline import MAX_EVENT_BYTES, MAX_ID, Classified, classify

RECEIVED = datetime(2024, 5, 1, 10, 0, 1, tzinfo=UTC)
ID = "0190a000-0000-7000-8000-000000000001"
PLAIN = {
    "event_id": ID,
    "name": "purchase",
    "source": "website",
    "site_id": "demo",
    "visitor_id": "v",
    "occurred_at": "2024-05-01T10:00:00Z",
    "received_at": RECEIVED.isoformat(),
}


def record(properties: Any = None, **fields: Any) -> bytes:
    found = {**PLAIN, "properties": properties or {}, **fields}
    return json.dumps({name: value for name, value in found.items() if value is not ...}).encode()


def raw_property(text: str) -> bytes:
    """An event whose property `a` is this JSON text."""
    return record({"a": "HERE"}).replace(b'"HERE"', text.encode())


def accepted(raw: bytes) -> Classified:
    found = classify(raw)
    assert isinstance(found, Classified), found
    return found


def refused(raw: bytes) -> Rejection:
    found = classify(raw)
    assert isinstance(found, Rejection), found
    return found


def at(**ago: float) -> str:
    return (RECEIVED - timedelta(**ago)).isoformat()


REFUSED = {
    "empty": (RejectReason.INVALID_JSON, b""),
    "not JSON": (RejectReason.INVALID_JSON, b"{"),
    "not UTF-8": (RejectReason.INVALID_JSON, record().replace(b"demo", b"\xff")),
    "a NUL byte": (RejectReason.INVALID_JSON, record().replace(b"demo", b"\0")),
    "half a surrogate pair": (RejectReason.INVALID_JSON, raw_property('"\\ud800"')),
    "nested too deeply": (RejectReason.INVALID_JSON, raw_property("[" * 50_000 + "]" * 50_000)),
    "a number of 5000 digits": (RejectReason.INVALID_JSON, raw_property("9" * 5000)),
    "an array": (RejectReason.INVALID_EVENT, b"[]"),
    "a field missing": (RejectReason.INVALID_EVENT, record(event_id=...)),
    "a field too many": (RejectReason.INVALID_EVENT, record(colour="red")),
    "an escaped NUL": (RejectReason.INVALID_EVENT, record({"a": ["x\0"]})),
    "a NUL in a name": (RejectReason.INVALID_EVENT, record({"x\0": 1})),
    "a control character in an id": (RejectReason.INVALID_EVENT, record(visitor_id="a\nb")),
    "no time zone": (RejectReason.INVALID_EVENT, record(occurred_at="2024-05-01T10:00:00")),
    "received before computers": (RejectReason.INVALID_EVENT, record(received_at="1950-01-01T00:00:00Z")),
    "received after the tables end": (RejectReason.INVALID_EVENT, record(received_at="2107-01-01T00:00:00Z")),
    "another version": (RejectReason.UNKNOWN_VERSION, record(schema_version=2)),
    "a version that is text": (RejectReason.UNKNOWN_VERSION, record(schema_version="1")),
    "7 days and a second old": (RejectReason.TOO_OLD, record(occurred_at=at(days=7, seconds=1))),
    "imported from 1989": (
        RejectReason.TOO_OLD,
        record(occurred_at="1989-12-31T23:59:59Z", context={"imported": True}),
    ),
    "an hour and a second ahead": (RejectReason.IN_THE_FUTURE, record(occurred_at=at(hours=-1, seconds=-1))),
    "256 KiB and a byte": (RejectReason.TOO_LARGE, record().ljust(MAX_EVENT_BYTES + 1)),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_bad_record_is_refused_with_its_reason(case: str) -> None:
    reason, raw = REFUSED[case]
    assert refused(raw).reason is reason


def test_every_reason_is_shown() -> None:
    assert {reason for reason, _ in REFUSED.values()} == set(RejectReason)


ACCEPTED = {
    "256 KiB": record().ljust(MAX_EVENT_BYTES),
    "7 days old": record(occurred_at=at(days=7)),
    "an hour ahead": record(occurred_at=at(hours=-1)),
    "imported from 1990": record(occurred_at="1990-01-01T00:00:00Z", context={"imported": True}),
    "a backslash before u0000": raw_property('"\\\\u0000"'),
    "a whole surrogate pair": raw_property('"\\ud83d\\ude00"'),
    "an integer of 100 digits": raw_property("9" * 100),
    "nested a little": raw_property("[" * 100 + "]" * 100),
    "numbers that JSON does not have": record({"a": float("nan"), "b": float("inf")}),
}


@pytest.mark.parametrize("case", ACCEPTED)
def test_what_is_odd_but_clear_is_accepted(case: str) -> None:
    accepted(ACCEPTED[case])


VALUES: dict[str, tuple[Any, str | None]] = {
    "integer": (10, "10"),
    "float": (19.99, "19.99"),
    "text": ("19.990", "19.99"),
    "spaces around": (" 12 ", "12"),
    "exponent": ("1e3", "1000"),
    "negative": (-5, "-5"),
    "five decimals": (0.00005, "0"),
    "none": (None, None),
    "tiny": ("1e-99999", "0"),
    "just below the limit": (9_999_999_999_999, "9999999999999"),
}


@pytest.mark.parametrize("case", VALUES)
def test_an_orders_value_is_read(case: str) -> None:
    value, expected = VALUES[case]
    found = accepted(record({"value": value})).value
    assert found == (None if expected is None else Decimal(expected))


NO_VALUES = [
    "",
    "abc",
    "1,50",
    "1_000",
    "١٢",
    "0x10",
    "NaN",
    "-Infinity",
    "1e9999999",
    "1e999999",
    "99e999999",
    True,
    [1],
    {"a": 1},
]


@pytest.mark.parametrize("value", [*NO_VALUES, float("nan"), float("inf"), 10**13, -(10**13), "9" * 4000], ids=repr)
def test_an_order_whose_value_cannot_be_read_is_refused_not_counted_as_nothing(value: Any) -> None:
    found = refused(record({"order_id": "o", "value": value}))
    assert found.reason is RejectReason.INVALID_EVENT
    assert found.detail.startswith("properties.value")


def test_a_value_of_something_that_is_no_order_is_not_read() -> None:
    assert accepted(record({"value": "much"}, name="page_view")).value is None


@pytest.mark.parametrize(
    ("given", "expected"),
    [("A-1", "A-1"), (17, "17"), (0, "0"), (17.0, "17"), (10**30, "1" + "0" * 30), (None, ID), ("", ID), (..., ID)],
)
def test_an_order_without_an_order_id_is_its_own_order(given: Any, expected: str) -> None:
    assert accepted(record({} if given is ... else {"order_id": given})).order_id == expected


@pytest.mark.parametrize("order_id", [True, False, [], ["a"], {}, 1.5, float("nan"), "x" * (MAX_ID + 1)], ids=repr)
def test_an_order_id_that_would_join_orders_is_refused(order_id: Any) -> None:
    assert refused(record({"order_id": order_id})).detail.startswith("properties.order_id")


def test_a_wrong_clock_is_corrected_and_marked() -> None:
    """It is an hour late, as `sent_at` shows."""
    found = accepted(record(occurred_at=at(hours=1, seconds=10), sent_at=at(hours=1)))
    assert found.clock_corrected
    assert found.occurred_at == RECEIVED - timedelta(seconds=10)


def test_a_clock_that_is_5_minutes_off_is_left_alone() -> None:
    found = accepted(record(occurred_at=at(minutes=6), sent_at=at(minutes=5)))
    assert (found.clock_corrected, found.occurred_at) == (False, RECEIVED - timedelta(minutes=6))


NODES = {
    "v:v": record(user_id="u"),
    "u:u": record(visitor_id=..., user_id="u"),
    "o:A-1": record({"order_id": "A-1"}, visitor_id=...),
    f"o:{ID}": record(visitor_id=...),
    "": record(visitor_id=..., name="page_view"),
}


@pytest.mark.parametrize("node", NODES)
def test_the_owner_of_an_event_is_its_visitor_else_its_user_else_its_order(node: str) -> None:
    assert accepted(NODES[node]).node == node


def test_bots_are_nobodys() -> None:
    found = accepted(record(context={"user_agent": "Googlebot/2.1 (+http://www.google.com/bot.html)"}))
    assert found.bot_reasons
    assert found.node == ""


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from([*PLAIN, "sent_at", "session_id", "context", "a"]), json_values), json_values)
def test_nothing_that_is_sent_raises(fields: dict[str, Any], value: Any) -> None:
    classify(record(**{"properties": {"value": value, "order_id": value}, **fields}))


@settings(max_examples=200, deadline=None)
@given(st.datetimes(), st.datetimes(), st.datetimes())
def test_no_clock_raises(occurred: datetime, sent: datetime, received: datetime) -> None:
    times = {"occurred_at": occurred, "sent_at": sent, "received_at": received}
    classify(record(**{name: f"{time.isoformat()}+14:00" for name, time in times.items()}))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_raise(raw: bytes) -> None:
    classify(raw)
