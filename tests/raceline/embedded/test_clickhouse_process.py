"""The embedded ClickHouse as a process: its ends, its directory, its port, its password."""

import base64
import http.client
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import clickhouse_connect
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError
from plain_http import ask_server

from raceline.embedded.child import ChildFailedError
from raceline.embedded.clickhouse import ClickHouse

_ENDLESS = b"SELECT count() FROM numbers(1000000000000) WHERE NOT ignore(sipHash64(number)) SETTINGS max_threads = 1"
_CREATE = b"CREATE TABLE kept (a UInt32, s String) ENGINE = MergeTree ORDER BY a"


@pytest.fixture
def server(tmp_path: Path, free_port: Callable[[], int]) -> Iterator[ClickHouse]:
    env = {**os.environ, "TZ": "America/New_York"}
    started = ClickHouse(tmp_path / "data", free_port(), env)
    started.start()
    yield started
    started.kill()


def _count(server: ClickHouse) -> bytes:
    return ask_server(server.port, "POST", b"SELECT count() FROM kept").body


def test_data_outlives_a_stop_and_a_crash(server: ClickHouse) -> None:
    assert ask_server(server.port, "POST", _CREATE).status == 200
    assert ask_server(server.port, "POST", b"INSERT INTO kept FORMAT TSV\n1\ta\n2\tb\n").status == 200
    assert server.stop() == 0
    server.start()
    assert _count(server) == b"2\n"
    assert ask_server(server.port, "POST", b"INSERT INTO kept FORMAT TSV\n3\tc\n").status == 200
    server.kill()
    left_behind = server.data_dir / "bodies" / "left"
    left_behind.write_bytes(b"half a body")
    server.start()
    assert _count(server) == b"3\n"
    assert not left_behind.exists()


def test_other_databases_outlive_it_beside_an_empty_default_one(server: ClickHouse) -> None:
    for statement in (b"CREATE DATABASE kept", b"CREATE TABLE kept.kept (a UInt8) ENGINE = MergeTree ORDER BY a"):
        assert ask_server(server.port, "POST", statement).status == 200
    for end in (server.stop, server.kill):
        end()
        server.start()
        assert ask_server(server.port, "POST", b"SELECT count() FROM kept.kept").body == b"0\n"
        assert ask_server(server.port, "POST", b"SHOW TABLES FROM default").status == 200


def test_stop_does_not_wait_for_a_long_query(server: ClickHouse) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.request("POST", "/", _ENDLESS, {})
    assert ask_server(server.port, "POST", b"SELECT 1").body == b"1\n"
    assert server.stop(timeout=20) == 0
    connection.close()


def test_time_is_utc_whatever_the_host_says(server: ClickHouse) -> None:
    reply = ask_server(server.port, "POST", b"SELECT timezone(), toDateTime(0)")
    assert reply.body == b"UTC\t1970-01-01 00:00:00\n"


def test_second_server_on_the_directory_is_refused(server: ClickHouse, free_port: Callable[[], int]) -> None:
    second = ClickHouse(server.data_dir, free_port(), log_path=server.data_dir.parent / "second.log")
    with pytest.raises(ChildFailedError, match=rf"code 2\n.*already served by process {server.pid}"):
        second.start()
    assert ask_server(server.port, "POST", b"SELECT 1").body == b"1\n"


def test_taken_port_is_refused(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        argv = [sys.executable, "-m", "raceline.embedded.clickhouse", "--data-dir", str(tmp_path), "--port", str(port)]
        ended = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in ended.stderr


def test_interrupt_ends_it_in_order(server: ClickHouse) -> None:
    assert server.pid is not None
    os.kill(server.pid, signal.SIGINT)
    assert server.stop() == 0


def test_password_is_asked_in_each_way(tmp_path: Path, free_port: Callable[[], int]) -> None:
    env = {**os.environ, "RACELINE_CLICKHOUSE_USER": "race", "RACELINE_CLICKHOUSE_PASSWORD": "it's a secret ü"}
    server = ClickHouse(tmp_path / "data", free_port(), env)
    server.start()
    try:
        basic = base64.b64encode("race:it's a secret ü".encode()).decode()
        in_utf8 = "it's a secret ü".encode().decode("latin-1")  # http.client writes Latin-1
        sql = b"SELECT 1"
        for headers, url in (
            ({"Authorization": f"Basic {basic}"}, {}),
            ({}, {"user": "race", "password": "it's a secret ü"}),
            ({"X-ClickHouse-User": "race", "X-ClickHouse-Key": in_utf8}, {}),
        ):
            assert ask_server(server.port, "POST", sql, headers, **url).body == b"1\n"
        for headers, url in (
            ({}, {}),
            ({"Authorization": f"Basic {basic[:-4]}"}, {}),
            ({"Authorization": "Basic %%%"}, {}),
            ({"X-ClickHouse-User": "race", "X-ClickHouse-Key": "wrong"}, {}),
            ({}, {"user": "default", "password": "it's a secret ü"}),
        ):
            reply = ask_server(server.port, "POST", sql, headers, **url)
            assert (reply.status, reply.headers["x-clickhouse-exception-code"]) == (403, "516")
        assert ask_server(server.port, "GET", path="/ping").status == 200
        with pytest.raises(DatabaseError, match="516"):
            clickhouse_connect.get_client(host="127.0.0.1", port=server.port, username="race", password="no")
        with clickhouse_connect.get_client(
            host="127.0.0.1", port=server.port, username="race", password="it's a secret ü"
        ) as client:
            assert client.command("SELECT 1") == 1
        assert "secret" not in (tmp_path / "data.log").read_text()
    finally:
        server.stop()
