"""A plain HTTP client for the embedded ClickHouse."""

import http.client
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode


@dataclass(frozen=True)
class Reply:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def summary(self) -> dict[str, str]:
        numbers: dict[str, str] = json.loads(self.headers["x-clickhouse-summary"])
        return numbers


Ask = Callable[..., Reply]


def ask_server(
    port: int,
    method: str,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    **url: str,
) -> Reply:
    """One request over a plain HTTP client. `path` is no parameter of the URL."""
    path = url.pop("path", "/")
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, f"{path}?{urlencode(url)}" if url else path, body or None, dict(headers or {}))
        reply = connection.getresponse()
        return Reply(reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read())
    finally:
        connection.close()
