"""What the collector answers: JSON, with what browsers need to accept it from any site."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import orjson
from starlette.datastructures import Headers
from starlette.responses import Response

HttpError = Literal[
    "invalid_json",
    "invalid_encoding",
    "unknown_key",
    "method_not_allowed",
    "slow_body",
    "too_large",
    "too_many_events",
    "disconnected",
    "unavailable",
]


@dataclass(frozen=True)
class HttpRefusal:
    """A request that is refused as a whole."""

    status: int
    error: HttpError
    detail: str
    headers: tuple[tuple[str, str], ...] = ()


def answer(
    status: int, body: Mapping[str, Any], request: Headers, headers: Mapping[str, str] | None = None
) -> Response:
    return Response(orjson.dumps(body), status, {**cors(request), **(headers or {})}, "application/json")


def refusal(refused: HttpRefusal, request: Headers) -> Response:
    body = {"error": refused.error, "detail": refused.detail}
    return answer(refused.status, body, request, dict(refused.headers))


def preflight(request: Headers) -> Response:
    headers = cors(request) | {
        "access-control-allow-methods": "GET, POST, OPTIONS",
        "access-control-allow-headers": request.get("access-control-request-headers", "content-type"),
        "access-control-max-age": "86400",
    }
    return Response(b"", 200, headers)


def cors(request: Headers) -> dict[str, str]:
    """The origin is echoed, as browsers refuse `*` for requests with credentials, which some trackers send."""
    origin = request.get("origin")
    if origin is None:
        return {}
    return {"access-control-allow-origin": origin, "access-control-allow-credentials": "true", "vary": "origin"}
