import io
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from producers.files.cells import number
from producers.files.items import FileRefusal, Item, ReadOptions, Skipped, UnreadableFile
from producers.files.table import read_table
from schemas.events import Event

NOW = datetime(2025, 1, 1, tzinfo=UTC)
SHOP = """
name: orders
delimiter: ";"
decimal: ","
site: shop
event: {column: kind, names: {Sale: purchase, Lead: generate_lead}}
source: crm
occurred_at: {column: when, format: "%d.%m.%Y %H:%M", zone: Europe/Berlin}
user_id: mail
context: {country: land, url: {template: "https://shop.example/{nr}?x=1"}}
properties:
  order_id: {template: "shop-{nr}"}
  value: {column: sum, type: number}
  gift: {column: gift, type: boolean}
  currency: {constant: EUR}
"""
HEADER = "nr;kind;when;mail;land;sum;gift\n"
ROW = "7;Sale;01.07.2024 12:00;Joe@B.example;DE;1234,50;yes\n"

Read = Callable[..., list[Item]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def run(text: str, mapping: str = SHOP, site: str | None = None) -> list[Item]:
        path = tmp_path / "mapping.yaml"
        path.write_text(mapping, encoding="utf-8")
        return list(read_table(io.BytesIO(text.encode()), ReadOptions(NOW, b"s", site, path)))

    return run


def test_row_becomes_the_event_that_the_mapping_says(read: Read) -> None:
    (event,) = read(HEADER + ROW)
    assert isinstance(event, Event)
    assert (event.name, event.source, event.site_id, event.received_at) == ("purchase", "crm", "shop", NOW)
    assert event.occurred_at == datetime(2024, 7, 1, 10, 0, tzinfo=UTC)
    assert event.properties == {"order_id": "shop-7", "value": 1234.5, "gift": True, "currency": "EUR"}
    assert (event.context.country, event.context.imported) == ("DE", True)
    assert event.context.url == "https://shop.example/7"
    assert event.user_id is not None
    assert "@" not in event.user_id


def test_empty_cell_leaves_its_field_out(read: Read) -> None:
    (event,) = read(HEADER + ROW.replace("DE", "").replace("1234,50", " "))
    assert isinstance(event, Event)
    assert (event.context.country, "value" in event.properties) == (None, False)


def test_quotes_and_line_ends_within_cells_are_read(read: Read) -> None:
    (event,) = read(HEADER.replace("\n", "\r\n") + ROW.replace("7;", '"a;\r\n""7""";', 1))
    assert isinstance(event, Event)
    assert event.properties["order_id"] == 'shop-a;\n"7"'


@pytest.mark.parametrize(
    ("row", "word"),
    [
        (ROW.replace("1234,50", "1.234,50"), "1.234,50"),
        (ROW.replace("1234,50", "1.234"), "1.234"),
        (ROW.replace("1234,50", "NaN"), "NaN"),
        (ROW.replace("1234,50", "12345678901234567,89"), "digits"),
        (ROW.replace("yes", "perhaps"), "perhaps"),
        (ROW.replace("01.07.2024", "2024-07-01"), "%d.%m.%Y"),
        (ROW.replace("DE", "Germany"), "country"),
        ("7;Sale\n", "2 columns instead of 7"),
    ],
)
def test_bad_row_is_refused_with_its_line_and_the_file_goes_on(read: Read, row: str, word: str) -> None:
    first, refusal, last = read(HEADER + ROW + row + ROW)
    assert isinstance(first, Event)
    assert isinstance(last, Event)
    assert isinstance(refusal, FileRefusal)
    assert (refusal.line, word in refusal.rejection.detail) == (3, True)
    assert b"Joe@" not in refusal.payload


def test_quote_that_is_never_closed_is_refused_with_the_lines_it_took(read: Read) -> None:
    (refusal,) = read(HEADER + '"' + ROW + ROW)
    assert isinstance(refusal, FileRefusal)
    assert "lines 2 to 3" in refusal.rejection.detail


def test_line_that_is_too_long_is_refused_and_not_cut(read: Read) -> None:
    mapping = "name: n\nwhitespace: true\ncolumns: [t, a]\nevent: login\nsource: app\nuser_id: {template: u}\n"
    mapping += "occurred_at: {column: t}\nsite: s"
    text = "2024-01-01 " + "x" * 300_000 + "\n2024-01-01 a\n"
    refusal, event = read(text, mapping)
    assert isinstance(refusal, FileRefusal)
    assert isinstance(event, Event)


def test_row_without_a_name_is_skipped(read: Read) -> None:
    assert read(HEADER + ROW.replace("Sale", "Return") + "\n") == [
        Skipped(2, "no name for this row"),
        Skipped(3, "blank line"),
    ]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("user_id: mail", "user_id: email", ["user_id", "'email'", "nr, kind"]),
        ('"shop-{nr}"', '"shop-{number}"', ["properties.order_id", "'number'"]),
        ('"shop-{nr}"', '"shop-{nr"', ["properties.order_id", "braces"]),
        ("zone: Europe/Berlin", "zone: Berlin", ["occurred_at.zone", "Berlin"]),
        ("source: crm", "source: CRM", ["source"]),
        ("source: crm", "sorce: crm", ["sorce"]),
        ("country: land", "contry: land", ["context", "contry"]),
        ("{constant: EUR}", "{constant: EUR, column: nr}", ["properties.currency", "exactly one"]),
        ("user_id: mail", "", ["user_id or visitor_id"]),
        ("site: shop", "", ["--site"]),
        ("name: orders", "encoding: utf-16\nname: orders", ["encoding", "utf-16"]),
        ("name: orders", "name: [", ["mapping.yaml"]),
    ],
)
def test_wrong_mapping_is_told_by_its_key(read: Read, old: str, new: str, words: list[str]) -> None:
    with pytest.raises(UnreadableFile) as told:
        read(HEADER + ROW, SHOP.replace(old, new))
    assert [word for word in words if word not in str(told.value)] == []


def test_columns_can_make_the_id(read: Read) -> None:
    whole = read(HEADER + ROW + ROW.replace("1234,50", "1,00"), SHOP + "id: [nr]\n")
    assert len({event.event_id for event in whole if isinstance(event, Event)}) == 1


def test_rows_of_another_table_or_site_have_other_ids(read: Read) -> None:
    others = read(HEADER + ROW), read(HEADER + ROW, SHOP.replace("orders", "leads")), read(HEADER + ROW, site="x")
    assert len({event.event_id for (event,) in others if isinstance(event, Event)}) == 3


@given(st.decimals(min_value=0, max_value=10**9, places=2))
def test_number_reads_as_the_same_decimal(amount: Decimal) -> None:
    assert Decimal(repr(number(str(amount), "."))) == amount
    assert number(str(amount).replace(".", ","), ",") == number(str(amount), ".")


def cdnow(data: bytes) -> list[Event]:
    items = list(read_table(io.BytesIO(data), ReadOptions(NOW, b"s", "cdnow", Path("cdnow"))))
    events = [item for item in items if isinstance(item, Event)]
    assert len(events) == len(items)
    return events


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 2)), max_size=15))
def test_ids_are_the_same_when_reversed_and_when_cut_where_no_twins_are_parted(orders: list[tuple[int, int]]) -> None:
    lines = [b" %05d 0001 19970101 %2d   29.33\r\n" % order for order in sorted(orders)]
    whole = {event.event_id for event in cdnow(b"".join(lines))}
    assert len(whole) == len(lines)
    assert {event.event_id for event in cdnow(b"".join(reversed(lines)))} == whole
    cut = next((at for at in range(1, len(lines)) if lines[at] != lines[at - 1]), 0)
    assert {e.event_id for part in (lines[:cut], lines[cut:]) for e in cdnow(b"".join(part))} == whole


def test_cdnow_orders_have_the_known_totals(shared_data: Path) -> None:
    data = (shared_data / "cdnow" / "CDNOW_sample.txt").read_bytes()
    events = cdnow(data)
    assert len({event.event_id for event in events}) == len({e.properties["order_id"] for e in events}) == 6919
    assert sum(Decimal(repr(event.properties["value"])) for event in events) == Decimal("244091.94")
    assert len({event.user_id for event in events}) == 2357
    assert sum(Decimal(str(event.properties["quantity"])) for event in events) == 16_479
    assert (min(e.occurred_at for e in events), max(e.occurred_at for e in events)) == (
        datetime(1997, 1, 1, tzinfo=UTC),
        datetime(1998, 6, 30, tzinfo=UTC),
    )


def test_cdnow_ids_are_the_same_reversed_and_in_halves(shared_data: Path) -> None:
    lines = (shared_data / "cdnow" / "CDNOW_sample.txt").read_bytes().splitlines(keepends=True)
    whole, turned = ({e.event_id for e in cdnow(b"".join(order))} for order in (lines, lines[::-1]))
    middle = len(lines) // 2
    halves = {e.event_id for part in (lines[:middle], lines[middle:]) for e in cdnow(b"".join(part))}
    assert whole == turned == halves
