"""The real engine for the tests of the agents: one database, in which every test takes site ids of its own."""

from collections.abc import Iterator

import pytest
from clickhouse_connect.driver.client import Client

from raceline.embedded.clickhouse import ClickHouse
from raceline.migrate import migrate
from raceline.settings import CommandSettings
from stream_processors.settings import WorkerSettings
from stream_processors.store import Store, connect

_DATABASE = "agents"


@pytest.fixture(scope="session")
def worker_settings(clickhouse: ClickHouse) -> WorkerSettings:
    for _ in migrate(CommandSettings(clickhouse_url=clickhouse.url, clickhouse_database=_DATABASE)):
        pass
    return WorkerSettings(clickhouse_url=clickhouse.url, clickhouse_database=_DATABASE)


@pytest.fixture(scope="session")
def store(worker_settings: WorkerSettings) -> Iterator[Store]:
    found = Store(worker_settings)
    yield found
    found._connected().close()


@pytest.fixture(scope="session")
def client(worker_settings: WorkerSettings) -> Iterator[Client]:
    with connect(worker_settings) as found:
        yield found
