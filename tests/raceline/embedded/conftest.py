"""What the tests of the embedded ClickHouse share."""

from collections.abc import Iterator

import clickhouse_connect
import pytest
from clickhouse_connect.driver.client import Client
from plain_http import Ask, ask_server

from raceline.embedded.clickhouse import ClickHouse


@pytest.fixture
def ask(clickhouse: ClickHouse) -> Ask:
    """Ask the shared server over plain HTTP."""
    return lambda method, body=b"", headers=None, **url: ask_server(clickhouse.port, method, body, headers, **url)


@pytest.fixture
def client(clickhouse: ClickHouse, request: pytest.FixtureRequest) -> Iterator[Client]:
    """clickhouse-connect, in a database of this test's own."""
    database = request.node.name.partition("[")[0]
    options = getattr(request, "param", {})
    with clickhouse_connect.get_client(host="127.0.0.1", port=clickhouse.port, **options) as opened:
        opened.command(f"CREATE DATABASE `{database}`")
        opened.database = database
        yield opened
        opened.command(f"DROP DATABASE `{database}`", use_database=False)
