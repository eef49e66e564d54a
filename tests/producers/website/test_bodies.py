"""Bodies of requests over real HTTP: within limits of size and time, packed or not, and JSON."""

import asyncio
import gzip
import json
import socket
import time
import tracemalloc
import zlib
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from starlette.datastructures import Headers

from producers.website.answers import HttpRefusal
from producers.website.body import BodyLimits, read_body

Serve = Callable[..., Any]
EVENT = {"name": "page_view", "visitor_id": "v1"}


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"nonsense", b'{"name": "a"}\0', b"\xff\xfe", b'{"name": "\\ud800"}', b"[" * 5000, b'{"name": NaN}'],
    ids=["empty", "cut", "words", "NUL", "bytes", "half a surrogate", "bomb", "NaN"],
)
def test_what_is_not_json_is_refused(served: Any, body: bytes) -> None:
    answer = served.post(body)
    assert (answer.status, answer.json["error"]) == (400, "invalid_json")


def test_too_many_events_are_refused(served: Any) -> None:
    answer = served.post([{"name": "a"}] * 1001)
    assert (answer.status, answer.json["error"]) == (413, "too_many_events")


def test_large_body_is_refused_whatever_its_length_header_says(serve: Serve) -> None:
    served = serve(limits=BodyLimits(10_000, 5))
    assert served.post(b"x" * 10_001).json["error"] == "too_large"
    chunked = b"POST /v1/events?key=demo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    with socket.create_connection(("127.0.0.1", served.port), timeout=10) as client:
        client.sendall(chunked)
        for _ in range(20):
            client.sendall(b"1000\r\n" + b"x" * 4096 + b"\r\n")
        client.sendall(b"0\r\n\r\n")
        assert b" 413 " in client.recv(4096)


def test_endless_body_is_cut_off(serve: Serve) -> None:
    served = serve(limits=BodyLimits(10_000, 5))
    sent = 0
    with socket.create_connection(("127.0.0.1", served.port), timeout=10) as client:
        client.sendall(b"POST /v1/events?key=demo HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n")
        with suppress(ConnectionError):
            while sent < 100_000_000:
                sent += client.send(b"x" * 65536)
    assert sent < 50_000_000


def test_slow_body_is_refused_after_the_time_limit(serve: Serve) -> None:
    served = serve(limits=BodyLimits(seconds=0.3))
    with socket.create_connection(("127.0.0.1", served.port), timeout=10) as client:
        client.sendall(b'POST /v1/events?key=demo HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{"name"')
        began = time.monotonic()
        answer = client.recv(4096)
    assert b" 408 " in answer
    assert b"slow_body" in answer
    assert 0.2 < time.monotonic() - began < 3


def test_gzip_is_accepted_with_and_without_its_header(served: Any) -> None:
    body = gzip.compress(json.dumps(EVENT).encode())
    assert served.post(body, content_encoding="gzip").status == 200
    assert served.post(body, content_type="text/plain").status == 200


def test_zip_bomb_is_refused(served: Any) -> None:
    answer = served.post(gzip.compress(b"[" + b" " * 50_000_000 + b"]"), content_encoding="gzip")
    assert (answer.status, answer.json["error"]) == (413, "too_large")


@pytest.mark.parametrize(
    ("body", "encoding", "status"),
    [
        (b"{}", "gzip", 400),
        (gzip.compress(b"{}" * 100)[:-9], "gzip", 400),
        (gzip.compress(b"{}") * 2, "gzip", 400),
        (zlib.compress(b"{}"), "deflate", 415),
    ],
    ids=["plain", "cut", "two", "another"],
)
def test_body_that_is_not_packed_as_said_is_refused(served: Any, body: bytes, encoding: str, status: int) -> None:
    answer = served.post(body, content_encoding=encoding)
    assert (answer.status, answer.json["error"]) == (status, "invalid_encoding")


def test_bomb_is_not_unpacked_beyond_the_limit() -> None:
    bomb = gzip.compress(b" " * 50_000_000)

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": bomb}

    tracemalloc.start()
    try:
        refused = asyncio.run(read_body(Headers(), receive, BodyLimits(100_000)))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert isinstance(refused, HttpRefusal)
    assert refused.status == 413
    assert peak < 2_000_000
