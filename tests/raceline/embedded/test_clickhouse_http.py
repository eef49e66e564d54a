"""ClickHouse's HTTP interface as plain clients see it."""

import gzip
import json
import shutil
import socket
import subprocess
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor

import cramjam
import lz4.frame
import pytest
from plain_http import Ask

from raceline.embedded.clickhouse import ClickHouse

_ROWS = "number, toString(number) AS s FROM numbers(3)"


def test_ping_and_root_say_ok(ask: Ask) -> None:
    assert ask("GET", path="/ping").body == b"Ok.\n"
    assert ask("GET").body == b"Ok.\n"
    assert ask("GET", path="/replicas_status").status == 200
    assert ask("GET", path="/nothing").status == 404


def test_query_comes_in_url_or_body_or_both(ask: Ask) -> None:
    assert ask("GET", query="SELECT 1").body == b"1\n"
    assert ask("POST", b"SELECT 2").body == b"2\n"
    assert ask("POST", b"+ 2", query="SELECT 1").body == b"3\n"


def test_answer_carries_the_headers_of_clickhouse(ask: Ask) -> None:
    reply = ask("POST", f"SELECT {_ROWS} FORMAT JSONEachRow".encode(), query_id="mine")
    assert reply.headers["x-clickhouse-query-id"] == "mine"
    assert reply.headers["x-clickhouse-format"] == "JSONEachRow"
    assert reply.headers["x-clickhouse-timezone"] == "UTC"
    assert reply.headers["x-clickhouse-server-display-name"]
    assert reply.headers["content-type"].startswith("application/x-ndjson")
    assert reply.summary["result_rows"] == "3"
    assert [json.loads(line)["s"] for line in reply.text.splitlines()] == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("output_format", "expected"),
    [
        ("TSV", b"0\t0\n1\t1\n2\t2\n"),
        ("CSVWithNames", b'"number","s"\n0,"0"\n1,"1"\n2,"2"\n'),
        ("JSONCompactEachRow", b'[0, "0"]\n[1, "1"]\n[2, "2"]\n'),
        ("Null", b""),
    ],
)
def test_default_format_is_followed(ask: Ask, output_format: str, expected: bytes) -> None:
    reply = ask("POST", f"SELECT {_ROWS}".encode(), default_format=output_format)
    assert reply.body == expected
    assert ask("POST", f"SELECT {_ROWS}".encode(), {"X-ClickHouse-Format": output_format}).body == expected


def test_long_answer_has_one_head(ask: Ask) -> None:
    lines = ask("POST", b"SELECT number FROM numbers(300000) FORMAT CSVWithNames").text.splitlines()
    assert (lines[0], lines.count('"number"'), len(lines)) == ('"number"', 1, 300_001)


def test_statement_without_rows_names_no_format(ask: Ask) -> None:
    reply = ask("POST", b"CREATE TABLE IF NOT EXISTS default.none (a Int8) ENGINE = Memory")
    assert (reply.status, reply.body) == (200, b"")
    assert "x-clickhouse-format" not in reply.headers


@pytest.mark.parametrize(
    ("sql", "status", "code", "name"),
    [
        ("SELECT * FROM nosuch", 404, 60, "UNKNOWN_TABLE"),
        ("SELECT * FROM nosuch.t", 404, 81, "UNKNOWN_DATABASE"),
        ("SELEC 1", 400, 62, "SYNTAX_ERROR"),
        ("1 + 1", 400, 62, "SYNTAX_ERROR"),  # the engine alone would take it
        ("SELECT 1; SELECT 2", 400, 62, "SYNTAX_ERROR"),
        ("", 400, 62, "SYNTAX_ERROR"),
        ("SELECT toUInt8('x')", 400, 6, "CANNOT_PARSE_TEXT"),
        ("SELECT 1 + 'x'", 500, 43, "ILLEGAL_TYPE_OF_ARGUMENT"),
        ("SELECT {missing:String}", 500, 456, "UNKNOWN_QUERY_PARAMETER"),
        ("SELECT throwIf(1)", 500, 395, "FUNCTION_THROW_IF_VALUE_IS_NON_ZERO"),
        ("SELECT * FROM file('/etc/hostname', 'TSV', 'a String')", 403, 497, "ACCESS_DENIED"),
        ("SELECT * FROM url('http://127.0.0.1:1/', 'TSV', 'a String')", 403, 497, "ACCESS_DENIED"),
        ("SELECT sleep(0.3) SETTINGS max_execution_time = 0.1", 408, 159, "TIMEOUT_EXCEEDED"),
    ],
)
def test_failure_has_the_code_and_status_of_clickhouse(ask: Ask, sql: str, status: int, code: int, name: str) -> None:
    reply = ask("POST", sql.encode())
    assert (reply.status, reply.headers.get("x-clickhouse-exception-code")) == (status, str(code))
    assert reply.text.startswith(f"Code: {code}. DB::Exception: ")
    assert f"({name})" in reply.text


def test_url_parameters_are_settings_and_unknown_ones_fail(ask: Ask) -> None:
    assert ask("POST", b"SELECT getSetting('max_threads')", max_threads="3").body == b"3\n"
    assert ask("POST", b"SELECT getSetting('max_threads') = 3").body == b"0\n"
    reply = ask("POST", b"SELECT 1", nosuch="1")
    assert (reply.status, reply.headers["x-clickhouse-exception-code"]) == (404, "115")


@pytest.mark.parametrize(
    ("kind", "sent", "shown"),
    [
        ("String", 'it\'s "ü" %', 'it\'s "ü" %'),
        ("String", "a\\nb\\\\c", "a\nb\\c"),
        ("Array(String)", "['x\\'y','ü']", "['x\\'y','ü']"),
        ("UInt64", "18446744073709551615", "18446744073709551615"),
        ("DateTime64(3, 'UTC')", "2026-03-01 10:00:00.123", "2026-03-01 10:00:00.123"),
        ("Decimal(38, 4)", "12.5", "12.5"),
        ("Nullable(String)", "\\N", "\\N"),
        ("Map(String, String)", "{'a':'b'}", "{'a':'b'}"),
        ("Identifier", "system", "system"),
    ],
)
def test_query_parameters_arrive_as_sent(ask: Ask, kind: str, sent: str, shown: str) -> None:
    sql = "SELECT database FROM system.tables WHERE database = 'system' LIMIT 1" if kind == "Identifier" else ""
    sql = sql or f"SELECT {{a:{kind}}}"
    reply = ask("POST", f"{sql} FORMAT TSVRaw".encode(), param_a=sent)
    assert reply.text == f"{shown}\n"


@pytest.mark.parametrize("encoding", ["identity", "gzip", "deflate", "lz4", "zstd", "br"])
def test_encoded_body_is_decoded(ask: Ask, encoding: str) -> None:
    encode = {
        "identity": bytes,
        "gzip": gzip.compress,
        "deflate": zlib.compress,
        "lz4": lz4.frame.compress,
        "zstd": cramjam.zstd.compress,
        "br": cramjam.brotli.compress,
    }[encoding]
    body = bytes(encode(b"SELECT 'encoded'"))
    assert ask("POST", body, {"Content-Encoding": encoding}).body == b"encoded\n"
    if encoding != "identity":
        assert ask("POST", body[:-4], {"Content-Encoding": encoding}).headers["x-clickhouse-exception-code"] == "271"


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "lz4", "zstd"])
def test_answer_is_encoded_only_as_accepted(ask: Ask, encoding: str) -> None:
    sql = b"SELECT number FROM numbers(2000000)"
    plain = ask("POST", sql, {"Accept-Encoding": encoding}, enable_http_compression="0")
    assert "content-encoding" not in plain.headers
    assert "content-encoding" not in ask("POST", sql).headers
    decode = {
        "gzip": gzip.decompress,
        "deflate": zlib.decompress,
        "lz4": lz4.frame.decompress,
        "zstd": cramjam.zstd.decompress,
    }[encoding]
    encoded = ask("POST", sql, {"Accept-Encoding": encoding})
    assert encoded.headers["content-encoding"] == encoding
    assert bytes(decode(encoded.body)) == plain.body


def test_reading_methods_do_not_write(ask: Ask) -> None:
    for readonly in ({}, {"readonly": "0"}, {"readonly": "1"}, {"session_id": "reader"}):
        reply = ask("GET", query="CREATE TABLE default.by_get (a Int8) ENGINE = Memory", **readonly)
        assert (reply.status, reply.headers["x-clickhouse-exception-code"]) == (500, "164")


def test_readonly_is_the_engines_own(ask: Ask) -> None:
    create = b"CREATE TABLE default.by_reader (a Int8) ENGINE = Memory"
    for level in ("1", "2"):
        assert ask("POST", create, readonly=level).headers["x-clickhouse-exception-code"] == "164"
    assert ask("POST", b"SELECT 1 SETTINGS max_threads = 1", readonly="1").status == 500
    assert ask("POST", b"SELECT 1 SETTINGS max_threads = 1", readonly="2").body == b"1\n"


def test_session_keeps_what_it_sets(ask: Ask) -> None:
    assert ask("POST", b"SET max_threads = 3", session_id="keeps").status == 200
    assert ask("POST", b"CREATE TEMPORARY TABLE seen (a Int8)", session_id="keeps").status == 200
    reply = ask("POST", b"SELECT getSetting('max_threads'), count() FROM seen", session_id="keeps", database="system")
    assert reply.body == b"3\t0\n"
    assert ask("POST", b"SELECT count() FROM seen", session_id="other").status == 404


def test_setting_of_one_request_ends_with_it_in_a_session(ask: Ask) -> None:
    sql = b"SELECT getSetting('max_block_size')"
    before = ask("POST", sql, session_id="ends").body
    assert ask("POST", sql, session_id="ends", max_block_size="1000").body == b"1000\n"
    assert ask("POST", sql, session_id="ends").body == before


_THREADS = b"SELECT value FROM system.settings WHERE name = 'max_threads'"


@pytest.mark.parametrize(
    ("sql", "named"),
    [
        (b"SELECT {x:UInt8} SETTINGS max_threads = 3", {"param_x": "1"}),
        (b"SELECT {x:UInt8}", {"param_x": "1", "max_threads": "3"}),
        (b"SET max_threads = 3", {}),
        (b"INSERT INTO FUNCTION null('a UInt8') SETTINGS max_threads = 3 SELECT 1", {}),
        (b"CREATE TEMPORARY TABLE mine (a UInt8)", {}),
        (b"SELECT throwIf(1) SETTINGS max_threads = 3", {}),
    ],
)
def test_a_query_finds_nothing_of_the_one_before(ask: Ask, sql: bytes, named: dict[str, str]) -> None:
    before = ask("POST", _THREADS).body
    for _ in range(3):
        ask("POST", sql, **named)
        assert ask("POST", _THREADS).body == before
        assert ask("POST", b"SELECT {x:UInt8}").headers["x-clickhouse-exception-code"] == "456"
        assert ask("POST", b"SELECT * FROM mine").status == 404


def test_session_takes_one_query_at_a_time(ask: Ask) -> None:
    def refused(sql: bytes) -> bool:
        return ask("POST", sql, session_id="busy").headers.get("x-clickhouse-exception-code") == "373"

    with ThreadPoolExecutor(1) as threads:
        slow = threads.submit(refused, b"SELECT sleep(3)")
        quick = False
        while not slow.done() and not quick:
            quick = refused(b"SELECT 1")
        assert quick or slow.result(), "whichever came second is refused"


def test_small_query_overtakes_a_big_one(ask: Ask) -> None:
    slow = threading.Thread(target=ask, args=("POST", b"SELECT sleepEachRow(1) FROM numbers(2) FORMAT Null"))
    slow.start()
    begun = time.monotonic()
    assert ask("POST", b"SELECT 1").body == b"1\n"
    assert time.monotonic() - begun < 1.0
    assert slow.is_alive()
    slow.join()


def test_failure_midway_breaks_the_connection(ask: Ask) -> None:
    import http.client

    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        ask("POST", b"SELECT throwIf(number = 3000000), number, number FROM numbers(4000000)", max_block_size="10000")


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:8123"},
        {"Host": "127.0.0.1.evil.example"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:8080"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
def test_stranger_is_refused(ask: Ask, headers: dict[str, str]) -> None:
    for reply in (ask("POST", b"SELECT 1", headers), ask("GET", b"", headers, query="SELECT 1")):
        assert reply.status == 403
        assert b"1\n" not in reply.body


def test_loopback_names_are_served(ask: Ask) -> None:
    for host in ("localhost", "LOCALHOST:1", "127.0.0.1:99", "[::1]:8123"):
        assert ask("POST", b"SELECT 1", {"Host": host}).body == b"1\n"


def test_block_compression_is_named_as_missing(ask: Ask) -> None:
    assert ask("POST", b"SELECT 1", compress="1").headers["x-clickhouse-exception-code"] == "48"


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_curl_inserts_a_file_and_reads_it_back(clickhouse: ClickHouse, ask: Ask) -> None:
    assert ask("POST", b"CREATE TABLE default.curled (a UInt32, b String) ENGINE = MergeTree ORDER BY a").status == 200
    url = f"{clickhouse.url}/?query=INSERT%20INTO%20curled%20FORMAT%20CSV"
    rows = "".join(f"{number},row {number}\n" for number in range(200_000)).encode()
    sent = subprocess.run(
        ["curl", "-sS", "-i", "--data-binary", "@-", url], input=rows, capture_output=True, timeout=60
    )
    assert b'"written_rows":"200000"' in sent.stdout, sent.stdout + sent.stderr
    assert ask("POST", b"SELECT count(), uniqExact(b) FROM curled").body == b"200000\t200000\n"


def test_query_ends_when_its_reader_leaves(clickhouse: ClickHouse, ask: Ask) -> None:
    running = (
        b"SELECT count() FROM system.processes WHERE query LIKE '%left by its reader%' AND query NOT LIKE '%processes%'"
    )
    with socket.create_connection(("127.0.0.1", clickhouse.port)) as reader:
        sql = b"SELECT number, 'left by its reader' FROM numbers(10000000000) FORMAT TSV"
        head = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(sql)
        reader.sendall(head + sql)
        assert reader.recv(100).startswith(b"HTTP/1.1 200")
        assert ask("POST", running).body == b"1\n"
    deadline = time.monotonic() + 10
    while ask("POST", running).body != b"0\n":
        assert time.monotonic() < deadline
