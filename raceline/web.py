"""`python -m raceline.web`: the collector and the live page on one port, as `raceline up` runs them."""

import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from producers.settings import SettingsError
from producers.website.__main__ import serve, started
from producers.website.collector import Collector, probe_routes, routes, utc_now
from raceline.database import Database
from raceline.live.routes import routes as live_routes
from raceline.settings import CommandSettings, command_settings
from raceline.stack import Stack


def main() -> None:
    producer, collector = started("web process")
    try:
        settings = command_settings(None)
    except SettingsError as error:
        raise SystemExit(f"The web process cannot start: {error}") from None
    serve(lambda stopping: create_app(collector, settings, stopping), producer.host, producer.port)


def create_app(collector: Collector, settings: CommandSettings, stopping: Callable[[], bool]) -> Starlette:
    connect = _Connection(settings)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with collector.delivery.running():
            yield

    async def readyz(request: Request) -> Response:
        parts = await run_in_threadpool(_parts, collector, connect, settings)
        ready = all(answer == "ok" for answer in parts.values())
        return JSONResponse({"ready": ready, **parts}, 200 if ready else 503)

    return Starlette(
        routes=[
            *routes(collector),
            Route("/readyz", readyz),
            *probe_routes(collector),
            *live_routes(connect, utc_now, stopping),
        ],
        lifespan=lifespan,
    )


def _parts(collector: Collector, connect: Callable[[], Database], settings: CommandSettings) -> dict[str, str]:
    """What every part says: "ok", or why it is not."""
    stack = Stack.read(settings.data_dir)
    return {
        "collector": "ok" if collector.delivery.ready else collector.delivery.publisher.outage or "the spool is full",
        "clickhouse": _said(connect),
        "pipeline": "ok" if stack is None or stack.ready else "starting",
    }


def _said(connect: Callable[[], Database]) -> str:
    try:
        connect().rows("migrate.applied")
    except Exception as problem:
        return str(problem).splitlines()[0]
    return "ok"


class _Connection:
    """One connection for all threads, made when it is first needed: ClickHouse may start later."""

    def __init__(self, settings: CommandSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._database: Database | None = None

    def __call__(self, *_: Any) -> Database:
        with self._lock:
            if self._database is None:
                self._database = Database.connect(self._settings)
            return self._database


if __name__ == "__main__":
    main()
