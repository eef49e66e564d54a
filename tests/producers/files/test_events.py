import io
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.files.events import read_events
from producers.files.items import FileRefusal, Item, ReadOptions, Skipped
from schemas.events import Event
from schemas.rejection import RejectReason

NOW = datetime(2025, 1, 1, tzinfo=UTC)
FACT: dict[str, Any] = {
    "name": "page_view",
    "source": "website",
    "site_id": "shop",
    "visitor_id": "v1",
    "occurred_at": "1999-01-01T00:00:00Z",
}


def row(**fields: Any) -> bytes:
    return json.dumps({**FACT, **fields}).encode()


def read(*rows: bytes, site: str | None = None) -> list[Item]:
    return list(read_events(io.BytesIO(b"\n".join(rows)), ReadOptions(NOW, b"s", site)))


def event(*rows: bytes, site: str | None = None) -> Event:
    first = read(*rows, site=site)[0]
    assert isinstance(first, Event), first
    return first


def test_row_becomes_an_imported_event_received_now() -> None:
    found = event(row(sent_at="1999-01-01T00:00:01Z", received_at="1999-01-01T00:00:02Z"))
    assert (found.received_at, found.sent_at, found.context.imported) == (NOW, None, True)


def test_id_of_the_row_stays_and_a_missing_one_is_made_of_the_content() -> None:
    given_id = "7de35fd4-32b1-546d-bdbf-70d4d9208c53"
    assert str(event(row(event_id=given_id)).event_id) == given_id
    respaced = json.dumps(
        dict(reversed({**FACT, "user_id": "u"}.items())), indent=None, separators=(",", " : ")
    ).encode()
    assert event(row(user_id="u")).event_id == event(respaced).event_id != event(row()).event_id


def test_site_of_the_command_wins_over_the_rows() -> None:
    assert event(row(), site="other").site_id == "other"
    assert event(row()).site_id == "shop"


def test_what_identifies_a_person_is_gone() -> None:
    found = event(row(user_id="Joe@B.example", context={"ip": "192.0.2.77", "url": "https://a.example/?token=1"}))
    assert found.user_id is not None
    assert "@" not in found.user_id
    assert (found.context.ip, found.context.url) == ("192.0.2.0", "https://a.example/")


@pytest.mark.parametrize(
    ("bad", "reason", "word"),
    [
        (b"{", RejectReason.INVALID_JSON, ""),
        (b"\xff\xfe{}", RejectReason.INVALID_JSON, ""),
        (b"[1]", RejectReason.INVALID_EVENT, "object"),
        (row(name="Page View"), RejectReason.INVALID_EVENT, "name"),
        (row(color="red"), RejectReason.INVALID_EVENT, "color"),
        (row(context=7), RejectReason.INVALID_EVENT, "context"),
        (row(occurred_at="1999-01-01T00:00:00"), RejectReason.INVALID_EVENT, "occurred_at"),
        (row(event_id="order-1"), RejectReason.INVALID_EVENT, "event_id"),
        (row(schema_version=2), RejectReason.UNKNOWN_VERSION, "2"),
        (row(properties={"text": "x" * 300_000}), RejectReason.TOO_LARGE, "256 KiB"),
    ],
)
def test_bad_row_is_refused_with_its_line_and_the_file_goes_on(bad: bytes, reason: RejectReason, word: str) -> None:
    first, refusal, last = read(row(), bad, row())
    assert isinstance(first, Event)
    assert isinstance(last, Event)
    assert isinstance(refusal, FileRefusal)
    assert (refusal.line, refusal.rejection.reason) == (2, reason)
    assert word in refusal.rejection.detail


def test_dead_letter_of_a_refusal_holds_no_email() -> None:
    (refusal,) = read(row(name="X", user_id="joe@b.example", context={"ip": "192.0.2.77"}))
    assert isinstance(refusal, FileRefusal)
    letter = refusal.dead_letter(NOW)
    assert "joe" not in letter.payload
    assert "192.0.2.77" not in letter.payload
    assert letter.detail.startswith("line 1: name")


def test_dead_letter_of_a_refusal_names_its_site_and_event() -> None:
    (refusal,) = read(row(name="X", site_id="a-shop", event_id="e-1"))
    assert isinstance(refusal, FileRefusal)
    letter = refusal.dead_letter(NOW)
    assert (letter.site_id, letter.event_id) == ("a-shop", "e-1")
    (refusal,) = read(b"{", site="another-shop")
    assert isinstance(refusal, FileRefusal)
    assert refusal.dead_letter(NOW).site_id == "another-shop"


def test_blank_lines_and_a_byte_order_mark_are_no_refusals() -> None:
    kinds = [type(item) for item in read(b"\xef\xbb\xbf" + row(), b"", b"  ", row() + b"\r")]
    assert kinds == [Event, Skipped, Skipped, Event]


@given(st.lists(st.sampled_from("abc"), max_size=12), st.randoms())
def test_ids_are_the_same_in_any_order_and_when_sent_twice(visitors: list[str], random: Any) -> None:
    rows = [row(visitor_id=visitor) for visitor in visitors]
    shuffled = random.sample(rows, len(rows))
    ids = [
        sorted(str(e.event_id) for e in read(*order) if isinstance(e, Event)) for order in (rows, rows[::-1], shuffled)
    ]
    assert ids[0] == ids[1] == ids[2]
    assert len(set(ids[0])) == len(rows)
