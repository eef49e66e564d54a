"""The live page's addresses, to be mounted beside the collector's."""

from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from raceline.database import Database
from raceline.live.assets import PAGE, SECURITY_HEADERS, answer
from raceline.live.feed import Feeds, Key, Update
from raceline.live.period import read_minutes
from raceline.live.reader import Reader

LOOPBACK: Final = ("localhost", "127.0.0.1", "[::1]")
_HEADERS: Final = {**SECURITY_HEADERS, "Cache-Control": "no-store"}
_HEARTBEAT_SECONDS: Final = 5.0
_ANSWER_SECONDS: Final = 15.0
_LONGEST_SITE: Final = 200


def routes(
    database: Callable[[], Database],
    clock: Callable[[], datetime],
    stopping: Callable[[], bool],
    hosts: Collection[str] = (),
) -> list[BaseRoute]:
    """`database` is called in threads before each read and must give the same connection again.

    Streams end within a quarter of a second once `stopping()` is true: without that, a server that waits for its
    requests would wait for every open page. Only loopback names and `hosts` are answered ('*': every name), so that
    a foreign page cannot read the numbers by a name of its own that points here.
    """
    page = _LivePage(Feeds(Reader(database, clock)), stopping)
    guard = [Middleware(TrustedHostMiddleware, allowed_hosts=[*LOOPBACK, *hosts], www_redirect=False)]
    return [
        Route("/", _index, middleware=guard),
        Route("/static/{file}", _static, middleware=guard),
        Route("/api/live", page.snapshot, middleware=guard),
        Route("/api/live/stream", page.stream, middleware=guard),
    ]


def _index(request: Request) -> Response:
    return answer(request, PAGE)


def _static(request: Request) -> Response:
    return answer(request, request.path_params["file"])


@dataclass(frozen=True)
class _LivePage:
    feeds: Feeds
    stopping: Callable[[], bool]

    async def snapshot(self, request: Request) -> Response:
        """One snapshot. 503 when ClickHouse does not give one."""
        try:
            key = _key(request)
        except ValueError as error:
            return JSONResponse({"error": str(error)}, 400, _HEADERS)
        async with self.feeds.watch(key) as feed:
            update = await feed.after(0, _ANSWER_SECONDS, self.stopping)
        if update is None:
            return JSONResponse({"reason": "slow"}, 503, _HEADERS)
        return Response(update.body, 200 if update.kind == "snapshot" else 503, _HEADERS, "application/json")

    async def stream(self, request: Request) -> Response:
        """Server-sent events: `snapshot`, `trouble`, `heartbeat`, until the browser leaves or the server stops."""
        try:
            key = _key(request)
        except ValueError as error:
            return JSONResponse({"error": str(error)}, 400, _HEADERS)
        headers = {**_HEADERS, "X-Accel-Buffering": "no"}
        if request.method == "HEAD":
            return Response(headers=headers, media_type="text/event-stream")
        return StreamingResponse(self._messages(key), headers=headers, media_type="text/event-stream")

    async def _messages(self, key: Key) -> AsyncIterator[bytes]:
        yield b"retry: 2000\n\n"
        number = 0
        async with self.feeds.watch(key) as feed:
            while not self.stopping():
                update = await feed.after(number, _HEARTBEAT_SECONDS, self.stopping)
                yield _message(update)
                number = update.number if update else number


def _message(update: Update | None) -> bytes:
    if update is None:
        return b"event: heartbeat\ndata: {}\n\n"
    return b"event: %s\ndata: %s\n\n" % (update.kind.encode(), update.body)


def _key(request: Request) -> Key:
    """Any text is a site, known or not. Raises ValueError for what no page asks."""
    site = request.query_params.get("site")
    if site is not None and len(site) > _LONGEST_SITE:
        raise ValueError(f"site is longer than {_LONGEST_SITE} characters")
    return site or None, read_minutes(request.query_params.get("minutes"))
