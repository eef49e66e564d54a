"""ClickHouse's own Go client over HTTP, opened as Grafana's plugin opens it, against the embedded ClickHouse."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from raceline.embedded.clickhouse import ClickHouse
from tests.raceline.embedded.go_client import GoClient, build, opened

_KINDS = {
    "toDateTime('2026-03-01 10:00:00')": ("DateTime", "2026-03-01T10:00:00Z"),
    "toDateTime('2026-03-01 10:00:00', 'Europe/Berlin')": ("DateTime", "2026-03-01T09:00:00Z"),
    "toDateTime64('2026-03-01 10:00:00.123', 3)": ("DateTime64(3)", "2026-03-01T10:00:00.123Z"),
    "toDateTime64('2026-03-01 10:00:00.5', 6, 'Asia/Tokyo')": (
        "DateTime64(6, 'Asia/Tokyo')",
        "2026-03-01T10:00:00.5+09:00",
    ),
    "toDate('2026-03-01')": ("Date", "2026-03-01T00:00:00Z"),
    "toLowCardinality('organic')": ("LowCardinality(String)", "organic"),
    "toLowCardinality(toNullable('x'))": ("LowCardinality(Nullable(String))", "x"),
    "CAST(NULL, 'LowCardinality(Nullable(String))')": ("LowCardinality(Nullable(String))", None),
    "toNullable('it''s ü')": ("Nullable(String)", "it's ü"),
    "CAST(NULL, 'Nullable(Float64)')": ("Nullable(Float64)", None),
    "CAST('b', 'Enum8(\\'a\\' = 1, \\'b\\' = 2)')": ("Enum8('a' = 1, 'b' = 2)", "b"),
    "18446744073709551615": ("UInt64", 2**64 - 1),
    "-9223372036854775808": ("Int64", -(2**63)),
    "toInt128('-170141183460469231731687303715884105728')": ("Int128", -(2**127)),
    "-1.5": ("Float64", -1.5),
    "0 / 0": ("Float64", "NaN"),
    "toFloat32(1.5)": ("Float32", 1.5),
    "[toUInt32(1), 2]": ("Array(UInt32)", [1, 2]),
    "emptyArrayString()": ("Array(String)", []),
    "[toNullable(toInt32(1)), NULL]": ("Array(Nullable(Int32))", [1, None]),
    "[toLowCardinality('z')]": ("Array(LowCardinality(String))", ["z"]),
    "map('k', 'v')": ("Map(String, String)", {"k": "v"}),
    "map('k', toUInt64(1))": ("Map(String, UInt64)", {"k": 1}),
    "toDecimal64('1.5', 4)": ("Decimal(18, 4)", "1.5"),
    "toDecimal128('123456789012345678.1234', 4)": ("Decimal(38, 4)", "123456789012345678.1234"),
    "toUUID('00000000-0000-0001-0000-000000000002')": ("UUID", "00000000-0000-0001-0000-000000000002"),
    "true": ("Bool", True),
    "toFixedString('ab', 2)": ("FixedString(2)", "ab"),
    "toIPv4('127.0.0.1')": ("IPv4", "127.0.0.1"),
    "CAST((1, 'a'), 'Tuple(x UInt8, y String)')": ("Tuple(x UInt8, y String)", {"x": 1, "y": "a"}),
    '\'{"a": 1, "b": {"c": "d"}}\'::JSON': ("JSON", {"a": 1, "b": {"c": "d"}}),
    "NULL": ("Nullable(Nothing)", None),
}
_FAILS_MIDWAY = "SELECT number, throwIf(number = 900000), toString(number) FROM numbers(1000000)"
_A_COLUMN = ["default", "shown", "a", "UInt64", ""]
_SCHEMA_LOOKUPS = {
    "SELECT database, name FROM system.tables ORDER BY database, name": ["default", "shown"],
    "SELECT database, table, name, type, comment FROM system.columns WHERE (database, table) IN (('default', 'shown'))"
    " OR (database = currentDatabase() AND table IN ('shown')) ORDER BY database, table, position": _A_COLUMN,
    'DESCRIBE TABLE "default"."shown"': ["a", "UInt64", "", "", "", "", ""],
    "SELECT DISTINCT s FROM default.shown SETTINGS max_execution_time=10": ["text"],
    "SHOW DATABASES": ["default"],
    "SHOW TABLES FROM default": ["shown"],
    "SELECT currentDatabase()": ["default"],
    "EXPLAIN SYNTAX SELECT 1": ["SELECT 1\nFROM system.one"],
    "EXPLAIN AST SELECT 1": ["SelectWithUnionQuery (children 1)"],
    "SELECT value FROM system.settings WHERE name='readonly'": ["0"],
}


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("go"))


@pytest.fixture
def go(program: Path, clickhouse: ClickHouse, request: pytest.FixtureRequest) -> Iterator[GoClient]:
    with opened(program, clickhouse.port, **getattr(request, "param", {})) as client:
        yield client


def test_client_greets_and_pings(go: GoClient) -> None:
    ((name, version, revision, zone),) = go.rows("", Do="hello")
    assert (name, revision, zone) == ("raceline", 0, "UTC")
    ((full,),) = go.rows("SELECT version()")
    assert full.startswith(f"{version}.")
    assert "error" not in go.ask(Do="ping")


@pytest.mark.parametrize("sql", _KINDS)
def test_every_kind_of_column_is_read(go: GoClient, sql: str) -> None:
    kind, value = _KINDS[sql]
    answer = go.ask(f"SELECT {sql} AS it, number FROM numbers(2)")
    assert (answer["columns"], answer["types"]) == (["it", "number"], [kind, "UInt64"])
    assert answer["rows"] == [[value, 0], [value, 1]]


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
def test_time_series_comes_in_the_zone_of_the_dashboard(go: GoClient, zone: str) -> None:
    sql = """SELECT toStartOfInterval(toDateTime(time), INTERVAL 60 second) AS time, 'act' AS stage,
        toFloat64(count()) AS value
        FROM (SELECT toDateTime('2026-03-01 10:00:00') + number * 20 AS time FROM numbers(6))
        WHERE time >= toDateTime(1772359200) AND time <= toDateTime(1772362800)
        GROUP BY time, stage ORDER BY time"""
    comment = ["grafana_user:admin", "grafana_dashboard:race-overview", "grafana_panel:2"]
    rows = go.rows(sql, Zone=zone, Comment=comment)
    hour, offset = (10, "Z") if zone == "UTC" else (11, "+01:00")
    assert rows == [[f"2026-03-01T{hour}:0{minute}:00{offset}", "act", 3.0] for minute in range(2)]


@pytest.mark.parametrize("go", [{"Compression": name} for name in ("none", "gzip", "deflate", "br")], indirect=True)
def test_long_result_is_whole_in_each_compression(go: GoClient) -> None:
    rows = go.rows("SELECT number, toString(number) FROM numbers(200000)")
    assert rows == [[number, str(number)] for number in range(200_000)]
    assert go.rows("SELECT 1 WHERE 0") == []


@pytest.mark.parametrize("go", [{"Compression": name} for name in ("lz4", "zstd")], indirect=True)
def test_block_compression_is_refused_in_a_sentence(go: GoClient) -> None:
    error = go.ask(Do="ping")["error"]
    assert (error["status"], error["code"], error["name"]) == (501, 48, "NOT_IMPLEMENTED")
    assert error["message"].startswith("compress=1 is not served, use Content-Encoding")


@pytest.mark.parametrize("go", [{}, {"Compression": "none"}], indirect=True)
@pytest.mark.parametrize(
    ("sql", "status", "code", "name"),
    [
        ("SELECT * FROM nosuch", 404, 60, "UNKNOWN_TABLE"),
        ("SELEC 1", 400, 62, "SYNTAX_ERROR"),
        ("SELECT throwIf(number = 5) FROM numbers(10)", 500, 395, "FUNCTION_THROW_IF_VALUE_IS_NON_ZERO"),
        ("SELECT * FROM file('/etc/hostname', 'TSV', 'a String')", 403, 497, "ACCESS_DENIED"),
        (_FAILS_MIDWAY, 0, 395, "FUNCTION_THROW_IF_VALUE_IS_NON_ZERO"),
    ],
)
def test_error_comes_with_its_code(go: GoClient, sql: str, status: int, code: int, name: str) -> None:
    error = go.ask(sql)["error"]
    assert (error["status"], error["code"], error["name"]) == (status, code, name)
    assert name in error["message"]


def test_query_that_takes_too_long_ends_and_the_client_goes_on(go: GoClient) -> None:
    assert "deadline exceeded" in go.ask("SELECT sleep(3)", Seconds=0.2)["error"]["message"]
    assert go.rows("SELECT 1") == [[1]]


def test_parameters_and_settings_arrive(go: GoClient) -> None:
    awkward = 'it\'s "ü" \\ %'
    assert go.rows("SELECT {s:String}, {n:UInt64}", Params={"s": awkward, "n": "7"}) == [[awkward, 7]]
    settings = {"max_threads": "3", "log_comment": "grafana ü", "session_id": "go"}
    sql = "SELECT getSetting('max_threads'), getSetting('log_comment')"
    assert go.rows(sql, Settings=settings) == [[3, "grafana ü"]]
    assert len(go.rows("SELECT number FROM numbers(100)", Settings={"limit": "5"})) == 5


@pytest.mark.parametrize("go", [{"Settings": {"max_threads": "4", "max_result_rows": "1000"}}], indirect=True)
def test_settings_that_the_plugin_enforces_hold(go: GoClient) -> None:
    enforced = {"readonly": "1"}
    assert go.rows("SELECT getSetting('max_threads')", Settings=enforced) == [[4]]
    error = go.ask("SELECT 1 SETTINGS max_threads = 2", Settings=enforced)["error"]
    assert (error["code"], error["name"]) == (164, "READONLY")
    assert go.ask("CREATE TABLE by_grafana (a Int8) ENGINE = Memory", Settings=enforced)["error"]["code"] == 164


@pytest.fixture
def guarded(tmp_path: Path, free_port: Callable[[], int]) -> Iterator[ClickHouse]:
    server = ClickHouse(tmp_path / "data", free_port(), {**os.environ, "RACELINE_CLICKHOUSE_PASSWORD": "it's: ü"})
    server.start()
    yield server
    server.stop()


@pytest.fixture
def shown(go: GoClient) -> Iterator[GoClient]:
    for sql in ("CREATE TABLE shown (a UInt64, s String) ENGINE = MergeTree ORDER BY a", "INSERT INTO shown VALUES"):
        assert "error" not in go.ask(f"{sql} (1, 'text')" if sql.endswith("VALUES") else sql, Do="exec")
    yield go
    assert "error" not in go.ask("DROP TABLE shown", Do="exec")


def test_schema_is_looked_up(shown: GoClient) -> None:
    for sql, row in _SCHEMA_LOOKUPS.items():
        assert row in shown.rows(sql), sql


@pytest.mark.parametrize("go", [{"Compression": name} for name in ("none", "gzip")], indirect=True)
def test_batch_is_inserted(shown: GoClient) -> None:
    shown.rows("INSERT INTO shown", Do="insert", Rows=20_000)
    assert shown.rows("SELECT count(), max(s) FROM shown WHERE s != 'text'") == [[20_000, "text 9999"]]


def test_many_connections_ask_at_once(go: GoClient) -> None:
    rows = go.rows("SELECT {n:UInt32}, sleep(0.02), sum(number) FROM numbers(100000)", Do="parallel", Times=40)
    assert rows == [[number, 0, 4999950000] for number in range(40)]


def test_password_is_asked_for(program: Path, guarded: ClickHouse) -> None:
    def asked(**options: Any) -> dict[str, Any]:
        with opened(program, guarded.port, **options) as client:
            return client.ask("SELECT 1")

    assert asked(Password="it's: ü")["rows"] == [[1]]
    error = asked(Password="wrong")["error"]
    assert (error["status"], error["code"], error["name"]) == (403, 516, "AUTHENTICATION_FAILED")
