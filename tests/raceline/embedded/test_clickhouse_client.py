"""clickhouse-connect against the embedded ClickHouse."""

import asyncio
import datetime as dt
import uuid
from decimal import Decimal
from typing import Any

import clickhouse_connect
import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError

from raceline.embedded.clickhouse import ClickHouse

_NOW = dt.datetime(2026, 3, 1, 10, 0, 0, 123000, tzinfo=dt.UTC)
_COLUMNS: dict[str, tuple[str, Any]] = {
    "text": ("String", "it's ü\n\t\\ "),
    "low": ("LowCardinality(String)", "organic"),
    "id": ("UUID", uuid.UUID(int=7)),
    "at_ms": ("DateTime64(3, 'UTC')", _NOW),
    "at": ("DateTime('UTC')", _NOW.replace(microsecond=0)),
    "u8": ("UInt8", 255),
    "u16": ("UInt16", 65535),
    "u32": ("UInt32", 2**32 - 1),
    "u64": ("UInt64", 2**64 - 1),
    "money": ("Decimal(38, 4)", Decimal("123456789012345678.1234")),
    "small_money": ("Decimal(18, 4)", Decimal("-1.5000")),
    "tags": ("Array(String)", ["a'b", "", "ü"]),
    "properties": ("Map(String, String)", {"k": "v'", "": ""}),
    "flag": ("Bool", True),
    "maybe": ("Nullable(Float64)", None),
    "day": ("Date", dt.date(2026, 3, 1)),
}


def _create(table: str) -> str:
    columns = ", ".join(f"{name} {kind}" for name, (kind, _) in _COLUMNS.items())
    return f"CREATE TABLE {table} ({columns}) ENGINE = MergeTree ORDER BY id"


def _row() -> list[Any]:
    return [value for _, value in _COLUMNS.values()]


def _as_read(row: list[Any]) -> list[Any]:
    """A UTC column is read back without its zone."""
    return [value.replace(tzinfo=None) if isinstance(value, dt.datetime) else value for value in row]


@pytest.mark.parametrize("client", [{}, {"compress": False}, {"compress": "zstd"}, {"compress": "gzip"}], indirect=True)
def test_every_column_type_comes_back_as_inserted(client: Client) -> None:
    client.command(_create("kinds"))
    summary = client.insert("kinds", [_row()] * 3, column_names=list(_COLUMNS))
    assert summary.written_rows == 3
    rows = client.query("SELECT * FROM kinds").result_rows
    assert [list(row) for row in rows] == [_as_read(_row())] * 3


def test_async_client_inserts_and_reads(clickhouse: ClickHouse, client: Client) -> None:
    client.command(_create("kinds"))

    async def run() -> tuple[list[Any], int]:
        opened = await clickhouse_connect.get_async_client(
            host="127.0.0.1", port=clickhouse.port, database=client.database
        )
        async with opened:
            inserts = (opened.insert("kinds", [_row()] * 10, column_names=list(_COLUMNS)) for _ in range(5))
            await asyncio.gather(*inserts)
            rows = (await opened.query("SELECT * FROM kinds LIMIT 1")).result_rows
            count = await opened.command("SELECT count() FROM kinds")
        return list(rows[0]), int(str(count))

    first, count = asyncio.run(run())
    assert (first, count) == (_as_read(_row()), 50)


def test_states_go_through_insert_select(client: Client) -> None:
    client.command(
        "CREATE TABLE states (k UInt8, s AggregateFunction(uniqExact, UInt64)) ENGINE = AggregatingMergeTree ORDER BY k"
    )
    for low in (0, 50):
        done = client.command(f"INSERT INTO states SELECT 1, uniqExactState(number) FROM numbers({low}, 100)")
        assert done.written_rows == 1  # type: ignore[union-attr]
    assert client.command("SELECT uniqExactMerge(s) FROM states") == 150


def test_parameters_of_every_kind(client: Client) -> None:
    awkward = 'it\'s "ü" \\ \n\t {x} %s -- ; $$'
    values = {"s": awkward, "l": [awkward, "", "b"], "n": 2**63, "d": _NOW, "b": True, "e": Decimal("1.5")}
    sql = "SELECT {s:String}, {l:Array(String)}, {n:UInt64}, {d:DateTime64(3, 'UTC')}, {b:Bool}, {e:Decimal(38, 4)}"
    row = client.query(sql, parameters=values).result_rows[0]
    assert list(row) == [awkward, values["l"], 2**63, _NOW.replace(tzinfo=None), True, Decimal("1.5")]


@pytest.mark.parametrize("client", [{"form_encode_query_params": True}], indirect=True)
def test_parameters_as_a_form(client: Client) -> None:
    many = [f"it's {number} ü" for number in range(5_000)]  # 80 KB; a server takes 128
    rows = client.query("SELECT {l:Array(String)}", parameters={"l": many}).result_rows
    assert rows[0][0] == many


def test_async_client_sends_parameters_as_a_form(clickhouse: ClickHouse) -> None:
    async def run() -> Any:
        async with await clickhouse_connect.get_async_client(
            host="127.0.0.1", port=clickhouse.port, form_encode_query_params=True
        ) as opened:
            return (await opened.query("SELECT {s:String}", parameters={"s": "it's ü\n"})).result_rows

    assert asyncio.run(run()) == [("it's ü\n",)]


@pytest.mark.parametrize("size", [10, 200_000])
@pytest.mark.parametrize("compression", [None, "gzip", "zstd", "lz4"])
def test_raw_insert_of_text_formats(client: Client, size: int, compression: str | None) -> None:
    import gzip

    import cramjam
    import lz4.frame

    encode: dict[str | None, Any] = {
        None: bytes,
        "gzip": gzip.compress,
        "zstd": cramjam.zstd.compress,
        "lz4": lz4.frame.compress,
    }
    client.command("CREATE TABLE raw (a UInt32, s String) ENGINE = MergeTree ORDER BY a")
    rows = "".join(f'{{"a": {number}, "s": "ü{number}"}}\n' for number in range(size)).encode()
    body = bytes(encode[compression](rows))
    client.raw_insert("raw", ["a", "s"], body, fmt="JSONEachRow", compression=compression)
    assert client.query("SELECT count(), uniqExact(s) FROM raw").result_rows == [(size, size)]


def test_values_are_inserted_whether_few_or_many(client: Client) -> None:
    client.command("CREATE TABLE listed (a UInt32, s String) ENGINE = MergeTree ORDER BY a")
    client.command("INSERT INTO listed VALUES (1 + 1, lower('X;')), ({n:UInt32}, 'b');", parameters={"n": 3})
    assert client.query("SELECT * FROM listed ORDER BY a").result_rows == [(2, "x;"), (3, "b")]
    many = ", ".join(f"({number}, 'text {number}')" for number in range(100_000))
    client.command(f"INSERT INTO listed VALUES {many}")
    assert client.command("SELECT count() FROM listed") == 100_002


def test_same_token_is_inserted_once(client: Client) -> None:
    client.command(
        "CREATE TABLE once (a UInt32) ENGINE = MergeTree ORDER BY a SETTINGS non_replicated_deduplication_window = 100"
    )
    for token in ("one", "one", "two"):
        client.insert("once", [[1], [2]], column_names=["a"], settings={"insert_deduplication_token": token})
    assert client.command("SELECT count() FROM once") == 4


def test_failed_insert_tells_its_code_and_stores_nothing(client: Client) -> None:
    client.command("CREATE TABLE strict (a UInt8) ENGINE = MergeTree ORDER BY a")
    with pytest.raises(DatabaseError, match="Code: 27") as raised:
        client.raw_insert("strict", ["a"], '{"a": 1}\nnonsense', fmt="JSONEachRow")
    assert "/bodies/" not in str(raised.value)
    assert client.command("SELECT count() FROM strict") == 0
    with pytest.raises(DatabaseError, match="UNKNOWN_TABLE"):
        client.query("SELECT * FROM nosuch")


def test_columns_without_rows_are_described(client: Client) -> None:
    result = client.query("SELECT 1 AS a, 'x' AS b LIMIT 0")
    assert (result.column_names, result.result_rows) == (("a", "b"), [])
    assert client.query("SELECT number FROM numbers(0)").result_rows == []


def test_large_answer_is_whole(client: Client) -> None:
    result = client.query("SELECT number, toString(number) FROM numbers(1000000)")
    assert (result.row_count, result.result_rows[-1]) == (1_000_000, (999_999, "999999"))
