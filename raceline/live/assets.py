"""The files of the live page. Everything a browser needs comes from here: the page makes no external request."""

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

STATIC: Final = Path(__file__).resolve().parent / "static"
PAGE: Final = "index.html"
MEDIA_TYPES: Final = {
    PAGE: "text/html; charset=utf-8",
    "live.css": "text/css; charset=utf-8",
    "live.js": "text/javascript; charset=utf-8",
    "format.js": "text/javascript; charset=utf-8",
    "dom.js": "text/javascript; charset=utf-8",
    "health.js": "text/javascript; charset=utf-8",
    "header.js": "text/javascript; charset=utf-8",
    "source.js": "text/javascript; charset=utf-8",
    "funnel.js": "text/javascript; charset=utf-8",
    "tiles.js": "text/javascript; charset=utf-8",
    "charts.js": "text/javascript; charset=utf-8",
    "channels.js": "text/javascript; charset=utf-8",
    "echarts.min.js": "text/javascript; charset=utf-8",
    "favicon.svg": "image/svg+xml",
    "ECHARTS-LICENSE": "text/plain; charset=utf-8",
    "ECHARTS-NOTICE": "text/plain; charset=utf-8",
}

# No inline script or style, nothing from elsewhere, and nobody else's page may frame this one.
SECURITY_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; "
    "object-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


@dataclass(frozen=True)
class Asset:
    media_type: str
    body: bytes
    zipped: bytes
    etag: str


@cache
def asset(name: str) -> Asset:
    """Read and compressed once. `name` is a key of `MEDIA_TYPES`."""
    body = (STATIC / name).read_bytes()
    etag = f'W/"{hashlib.sha256(body).hexdigest()[:32]}"'
    return Asset(MEDIA_TYPES[name], body, gzip.compress(body, mtime=0), etag)


def answer(request: Request, name: str) -> Response:
    """The file, or 304 when the browser has it. Blocks for some 50 ms at the first request of a large file."""
    if name not in MEDIA_TYPES:
        return Response("not found", 404, SECURITY_HEADERS, "text/plain")
    found = asset(name)
    headers = {**SECURITY_HEADERS, "ETag": found.etag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
    known = {etag.strip() for etag in request.headers.get("if-none-match", "").split(",")}
    if found.etag in known:
        return Response(status_code=304, headers=headers)
    headers["Content-Type"] = found.media_type
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(found.zipped, headers={**headers, "Content-Encoding": "gzip"})
    return Response(found.body, headers=headers)
