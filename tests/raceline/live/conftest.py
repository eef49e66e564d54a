"""A seeded embedded ClickHouse and a server of the live page's routes."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from pathlib import Path

import pytest
import uvicorn
from starlette.applications import Starlette

from raceline.database import Database
from raceline.embedded.clickhouse import ClickHouse
from raceline.live import routes
from raceline.migrate import migrate
from raceline.settings import CommandSettings
from tests.raceline.live.seeding import UNTIL, refuse, seed

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="package")
def settings(tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]) -> Iterator[CommandSettings]:
    folder = tmp_path_factory.mktemp("live") / "clickhouse"
    clickhouse = ClickHouse(folder, free_port(), {**os.environ, "PYTHONPATH": str(ROOT)})
    clickhouse.start()
    settings = CommandSettings(clickhouse_url=clickhouse.url)
    list(migrate(settings))
    yield settings
    clickhouse.stop()


@pytest.fixture(scope="package")
def database(settings: CommandSettings) -> Iterator[Database]:
    """Two sites, one of them with two refusals inside the last hour and one before it."""
    database = Database.connect(settings)
    seed(database, "demo", UNTIL, minutes=180, visits=3000, visitors=1900)
    seed(database, "other", UNTIL, minutes=30, visits=200, visitors=150)
    refuse(database, "demo", "too_late", UNTIL - timedelta(minutes=30))
    refuse(database, "", "not_json", UNTIL - timedelta(minutes=20))
    refuse(database, "demo", "too_late", UNTIL - timedelta(minutes=120))
    yield database
    database.close()


class Live:
    """A server in a thread, with the clock of the test."""

    def __init__(self, database: Callable[[], Database], port: int) -> None:
        self.port = port
        app = Starlette(routes=routes(database, lambda: UNTIL, lambda: self.server.should_exit))
        self.server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning"))
        self.thread = threading.Thread(target=self.server.run)

    def start(self) -> None:
        self.thread.start()
        deadline = time.monotonic() + 10
        while not self.server.started:
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def stop(self) -> float:
        """How many seconds it took to end."""
        started = time.monotonic()
        self.server.should_exit = True
        self.thread.join(15)
        assert not self.thread.is_alive()
        return time.monotonic() - started


@contextmanager
def serving(database: Callable[[], Database], port: int) -> Iterator[Live]:
    live = Live(database, port)
    live.start()
    try:
        yield live
    finally:
        live.stop()


@pytest.fixture(scope="module")
def live(database: Database, free_port: Callable[[], int]) -> Iterator[Live]:
    with serving(lambda: database, free_port()) as live:
        yield live


@pytest.fixture
def unreachable(free_port: Callable[[], int]) -> Callable[[], Database]:
    """A database that does not answer."""
    settings = CommandSettings(clickhouse_url=f"http://127.0.0.1:{free_port()}")
    return cache(lambda: Database.connect(settings))
