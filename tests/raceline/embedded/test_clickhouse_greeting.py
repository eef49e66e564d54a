"""What Grafana's plugin reads, byte by byte: its Go client decodes the first answer at the revision that it offers,
later ones at the revision that it is told."""

import base64
import gzip
import uuid
from contextlib import closing
from http.client import HTTPConnection, IncompleteRead

import pytest
from plain_http import Ask, Reply

from raceline.embedded.clickhouse import ClickHouse
from tests.raceline.embedded.native_blocks import Block, blocks

_OFFERED = 54460
_TOLD = 0
_QUESTION = b"SELECT displayName(), version(), revision(), timezone()"
_KINDS = """SELECT toDateTime('2026-03-01 10:00:00') AS time, toDateTime64('2026-03-01 10:00:00.123', 3) AS ms,
    toLowCardinality('organic') AS low, toLowCardinality(toNullable('x')) AS low_maybe, toNullable(1.5) AS maybe,
    CAST(NULL, 'Nullable(Float64)') AS nothing, CAST('b', 'Enum8(\\'a\\' = 1, \\'b\\' = 2)') AS choice,
    18446744073709551615 AS big, -1.5 AS real, [1, 2, 3] AS list, toDecimal64('1.5', 4) AS money,
    toUUID('00000000-0000-0001-0000-000000000002') AS id, true AS flag"""


def _as_plugin(ask: Ask, sql: bytes | str, headers: dict[str, str] | None = None, **more: str) -> Reply:
    """A request with all that the plugin puts around a query."""
    url = {"database": "default", "default_format": "Native", "client_protocol_version": str(_OFFERED)}
    sign_in = {"Authorization": "Basic " + base64.b64encode(b"default:").decode(), "User-Agent": "grafana/13.2.0"}
    body = sql.encode() if isinstance(sql, str) else sql
    return ask("POST", body, {**sign_in, **(headers or {})}, **url, max_execution_time="60", max_threads="4", **more)


def _one_block(reply: Reply, revision: int = _TOLD) -> Block:
    assert (reply.status, reply.headers["x-clickhouse-format"]) == (200, "Native")
    (block,) = blocks(reply.body, revision)
    return block


def test_greeting_is_written_at_the_offered_revision(ask: Ask) -> None:
    reply = _as_plugin(ask, _QUESTION, {"Accept-Encoding": "gzip"})
    block = _one_block(reply, _OFFERED)
    version = ask("POST", b"SELECT version()").text.strip()
    assert block.rows == [("raceline", version, _TOLD, "UTC")]
    assert list(block.types.values()) == ["String", "String", "UInt32", "String"]


def test_ping_is_a_column_named_1(ask: Ask) -> None:
    assert _one_block(_as_plugin(ask, "SELECT 1")) == Block({"1": "UInt8"}, {"1": [1]})


def test_time_series_is_times_labels_and_numbers(ask: Ask) -> None:
    sql = """SELECT toStartOfInterval(toDateTime(toDateTime('2026-03-01 10:00:00') + number * 60), INTERVAL 60 second)
        AS time, 'act' AS stage, toNullable(toFloat64(number)) AS value FROM numbers(3)
        WHERE time >= toDateTime(1772359200) AND time <= toDateTime(1772362800) ORDER BY time"""
    block = _one_block(_as_plugin(ask, sql))
    assert block.types == {"time": "DateTime", "stage": "String", "value": "Nullable(Float64)"}
    assert block.rows == [(1772359200 + 60 * minute, "act", float(minute)) for minute in range(3)]


def test_every_kind_of_column_is_written_as_the_client_reads_it(ask: Ask) -> None:
    block = _one_block(_as_plugin(ask, _KINDS))
    row = dict(zip(block.columns, block.rows[0], strict=True))
    assert (row.pop("time"), row.pop("ms")) == (1772359200, 1772359200123)
    texts = {"low": "organic", "low_maybe": "x", "choice": 2, "id": uuid.UUID(int=(1 << 64) | 2), "flag": True}
    numbers = {"maybe": 1.5, "nothing": None, "big": 2**64 - 1, "real": -1.5, "list": [1, 2, 3], "money": 15000}
    assert row == texts | numbers
    assert (block.types["ms"], block.types["low"]) == ("DateTime64(3)", "LowCardinality(String)")


@pytest.mark.parametrize("rows", [200_000, 1_000_000])
def test_result_of_several_blocks_is_one_row_after_the_other(ask: Ask, rows: int) -> None:
    found = blocks(_as_plugin(ask, f"SELECT number FROM numbers({rows})").body, _TOLD)
    assert len(found) >= 3
    assert [number for block in found for number in block.columns["number"]] == list(range(rows))


def test_empty_result_has_no_bytes(ask: Ask) -> None:
    reply = _as_plugin(ask, "SELECT 1 WHERE 0", {"Accept-Encoding": "gzip"})
    assert (reply.status, reply.body, reply.headers["content-length"]) == (200, b"", "0")


def test_error_is_text_with_its_code_also_in_the_header(ask: Ask) -> None:
    reply = _as_plugin(ask, "SELECT * FROM nosuch", {"Accept-Encoding": "gzip"})
    assert (reply.status, reply.headers["x-clickhouse-exception-code"]) == (404, "60")
    assert reply.text.startswith("Code: 60. DB::Exception: ")
    assert "content-encoding" not in reply.headers


@pytest.mark.parametrize("wanted", [{}, {"enable_http_compression": "1"}], ids=["by default", "asked for"])
def test_long_answer_is_gzip_if_the_client_takes_it(ask: Ask, wanted: dict[str, str]) -> None:
    sql = "SELECT number FROM numbers(200000)"
    zipped = _as_plugin(ask, sql, {"Accept-Encoding": "gzip"}, **wanted)
    assert zipped.headers["content-encoding"] == "gzip"
    plain = _as_plugin(ask, sql)
    assert "content-encoding" not in plain.headers
    assert gzip.decompress(zipped.body) == plain.body
    off = _as_plugin(ask, sql, {"Accept-Encoding": "gzip"}, enable_http_compression="0")
    assert off.body == plain.body


def test_failure_midway_is_marked_as_the_header_foretold(clickhouse: ClickHouse) -> None:
    sql = "SELECT number, throwIf(number = 2000000) FROM numbers(3000000) SETTINGS max_block_size = 10000"
    with closing(HTTPConnection("127.0.0.1", clickhouse.port, timeout=30)) as connection:
        connection.request("POST", "/?default_format=Native", sql)
        reply = connection.getresponse()
        tag = reply.headers["X-ClickHouse-Exception-Tag"]
        with pytest.raises(IncompleteRead) as broken:
            reply.read()
    rows, _, told = broken.value.partial.partition(f"\r\n__exception__\r\n{tag}\r\n".encode())
    assert sum(len(block.rows) for block in blocks(rows, _TOLD)) <= 2_000_000
    text, _, size = told.removesuffix(f" {tag}\r\n__exception__\r\n".encode()).rpartition(b"\n")
    assert text.startswith(b"Code: 395. DB::Exception: ")
    assert int(size) == len(text) + 1


def test_the_same_question_of_others_is_a_query(ask: Ask) -> None:
    assert ask("POST", _QUESTION).text.split("\t")[3] == "UTC\n"
