"""The collector: HTTP → accepted events. A 200 means that Kafka or the spool has them."""

import gzip
import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs
from uuid import UUID

import orjson
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from producers.delivery import Delivery, Unavailable
from producers.ids import uuid7
from producers.website.answers import HttpRefusal, answer, preflight, refusal
from producers.website.body import BodyLimits, read_body
from producers.website.intake import Intake, Visit
from producers.website.metrics import metrics_text
from schemas.events import Event
from schemas.rejection import Rejection

MAX_EVENTS: Final = 1000
DEMO_SITES: Final[Mapping[str, str]] = {"demo": "demo"}
_RETRY_AFTER = (("retry-after", "5"),)
_TRACKER: Final = Path(__file__).with_name("tracker.js")


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Collector:
    """What the routes share. `sites` maps write keys to site ids."""

    delivery: Delivery
    secret: bytes
    sites: Mapping[str, str] = field(default_factory=lambda: DEMO_SITES)
    limits: BodyLimits = field(default_factory=BodyLimits)
    clock: Callable[[], datetime] = utc_now
    new_id: Callable[[datetime], UUID] = uuid7
    accepted: int = 0
    refused: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.intake = Intake(self.secret, self.new_id)


def create_app(collector: Collector) -> Starlette:
    """The collector alone, with everything it needs started and ended."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with collector.delivery.running():
            yield

    return Starlette(routes=[*routes(collector), *probe_routes(collector)], lifespan=lifespan)


def routes(collector: Collector) -> list[BaseRoute]:
    return [
        Route("/v1/events", EventsEndpoint(collector)),
        Route("/tracker.js", tracker),
    ]


def probe_routes(collector: Collector) -> list[BaseRoute]:
    async def healthz(request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(request: Request) -> Response:
        ready = collector.delivery.ready
        return JSONResponse(
            {"ready": ready, "kafka": collector.delivery.publisher.outage or "ok"}, 200 if ready else 503
        )

    async def metrics(request: Request) -> Response:
        return PlainTextResponse(metrics_text(collector.accepted, collector.refused, collector.delivery))

    return [Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics)]


class EventsEndpoint:
    """`POST /v1/events`: one event, or an array in which each is judged alone."""

    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        if scope["method"] == "OPTIONS":
            response = preflight(headers)
        else:
            outcome = await self._outcome(scope, headers, receive)
            if isinstance(outcome, HttpRefusal):
                self._collector.refused[outcome.error] += 1
                response = refusal(outcome, headers)
            else:
                response = answer(400 if "error" in outcome else 200, outcome, headers)
        await response(scope, receive, send)

    async def _outcome(self, scope: Scope, headers: Headers, receive: Receive) -> HttpRefusal | dict[str, Any]:
        if scope["method"] != "POST":
            return HttpRefusal(405, "method_not_allowed", "events are sent with POST", (("allow", "POST, OPTIONS"),))
        body = await read_body(headers, receive, self._collector.limits)
        if isinstance(body, HttpRefusal):
            return body
        site_id = self._collector.sites.get(_write_key(scope, headers))
        if site_id is None:
            return HttpRefusal(401, "unknown_key", "the write key (X-Raceline-Key or ?key=) belongs to no site")
        try:
            sent = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            return HttpRefusal(400, "invalid_json", f"the body is not JSON: {error}")
        many = sent if isinstance(sent, list) else [sent]
        if len(many) > MAX_EVENTS:
            return HttpRefusal(413, "too_many_events", f"{len(many)} events in one request, the limit is {MAX_EVENTS}")
        return await self._take(many, self._visit(scope, headers, site_id), single=not isinstance(sent, list))

    async def _take(self, many: list[object], visit: Visit, single: bool) -> HttpRefusal | dict[str, Any]:
        collector = self._collector
        judged = [collector.intake.judge(raw, visit) for raw in many]
        events = [verdict for verdict in judged if isinstance(verdict, Event)]
        refused = [(index, verdict) for index, verdict in enumerate(judged) if isinstance(verdict, Rejection)]
        try:
            if events:
                await collector.delivery.accept(events)
        except Unavailable as error:
            return HttpRefusal(503, "unavailable", str(error), _RETRY_AFTER)
        collector.accepted += len(events)
        collector.refused.update(verdict.reason.value for _, verdict in refused)
        letters = [(many[index], verdict) for index, verdict in refused]
        collector.delivery.keep_refused(
            [collector.intake.dead_letter(raw, visit, verdict) for raw, verdict in letters if isinstance(raw, dict)]
        )
        return _summary(len(events), refused, single)

    def _visit(self, scope: Scope, headers: Headers, site_id: str) -> Visit:
        client = scope.get("client")
        # What is not a browser (curl, a server that relays) says nothing about the visitor.
        user_agent = headers.get("user-agent")
        return Visit(
            site_id=site_id,
            received_at=self._collector.clock(),
            ip=client[0] if client else None,
            user_agent=user_agent[:2048] if user_agent and "Mozilla/" in user_agent else None,
            language=_language(headers.get("accept-language", "")),
        )


def _summary(accepted: int, refused: list[tuple[int, Rejection]], single: bool) -> dict[str, Any]:
    summary: dict[str, Any] = {
        "accepted": accepted,
        "refused": [
            {"index": index, "reason": verdict.reason.value, "detail": verdict.detail} for index, verdict in refused
        ],
    }
    if not accepted and refused:
        first = refused[0][1]
        summary = {"error": first.reason.value, "detail": first.detail, **summary}
    return summary


def _write_key(scope: Scope, headers: Headers) -> str:
    """From the header, or from the query, as a beacon has no headers."""
    return headers.get("x-raceline-key") or parse_qs(scope["query_string"].decode("latin-1")).get("key", [""])[0]


def _language(accepted: str) -> str | None:
    first = accepted.split(",", 1)[0].split(";", 1)[0].strip()
    return first if 0 < len(first) <= 35 and first != "*" else None


@cache
def _tracker_file() -> tuple[bytes, bytes, str]:
    script = _TRACKER.read_bytes()
    return script, gzip.compress(script, mtime=0), f'"{hashlib.sha256(script).hexdigest()[:16]}"'


async def tracker(request: Request) -> Response:
    script, packed, etag = _tracker_file()
    headers = {"etag": etag, "cache-control": "public, max-age=3600", "vary": "accept-encoding"}
    headers |= {"access-control-allow-origin": "*", "cross-origin-resource-policy": "cross-origin"}
    if etag in request.headers.get("if-none-match", ""):
        return Response(b"", 304, headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["content-encoding"], script = "gzip", packed
    return Response(script, 200, headers, "text/javascript; charset=utf-8")
