"""`python -m raceline.web`: the collector and the live page on one port, as `raceline up` runs them."""

import logging
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from producers.settings import SettingsError, load_settings
from producers.website.__main__ import build_collector
from producers.website.collector import Collector, probe_routes, routes, utc_now
from raceline.database import Database
from raceline.live.routes import routes as live_routes
from raceline.settings import CommandSettings, command_settings
from raceline.stack import Stack

_SHUTDOWN_SECONDS = 5


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # the publisher says once what the client says every second
    try:
        settings = load_settings()
        collector = build_collector(settings)
    except (SettingsError, OSError) as error:
        raise SystemExit(f"The web process cannot start: {error}") from None
    server: uvicorn.Server
    app = create_app(collector, command_settings(None), stopping=lambda: server.should_exit)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http="httptools",
        lifespan="on",
        access_log=False,
        server_header=False,
        proxy_headers=False,  # X-Forwarded-For is anybody's word
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
        log_level="warning",
    )
    server = uvicorn.Server(config)
    server.run()


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
