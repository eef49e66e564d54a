"""Reading a request's body within limits of size and time, whatever its headers claim."""

import asyncio
import zlib
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import Receive

from producers.website.answers import HttpRefusal

_GZIP_MAGIC = b"\x1f\x8b"
_DISCARD_FACTOR = 16


@dataclass(frozen=True)
class BodyLimits:
    max_bytes: int = 1024 * 1024
    seconds: float = 10.0


async def read_body(headers: Headers, receive: Receive, limits: BodyLimits) -> bytes | HttpRefusal:
    """The body, unpacked if it is gzip. Holds at most the limit in memory; raises nothing."""
    try:
        async with asyncio.timeout(limits.seconds):
            body = await _read(receive, limits.max_bytes)
    except TimeoutError:
        detail = f"the body did not arrive within {limits.seconds:g} seconds"
        return HttpRefusal(408, "slow_body", detail, (("connection", "close"),))
    if isinstance(body, HttpRefusal):
        return body
    encoding = headers.get("content-encoding", "identity").lower()
    if encoding not in ("identity", "gzip", "x-gzip"):
        return HttpRefusal(415, "invalid_encoding", "content-encoding: only gzip and identity are known")
    # Some trackers send gzip under another name, so the bytes decide. No JSON starts with these.
    return _inflated(body, limits.max_bytes) if body.startswith(_GZIP_MAGIC) or encoding != "identity" else body


async def _read(receive: Receive, limit: int) -> bytes | HttpRefusal:
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return HttpRefusal(400, "disconnected", "the client went away before the body was complete")
        size += len(message.get("body", b""))
        if size <= limit:
            chunks.append(message.get("body", b""))
        else:
            chunks.clear()  # the rest is only thrown away: a client that still sends would never see the answer
        if not message.get("more_body", False):
            return b"".join(chunks) if size <= limit else _too_large(limit, close=False)
        if size > limit * _DISCARD_FACTOR:
            return _too_large(limit, close=True)


def _inflated(body: bytes, limit: int) -> bytes | HttpRefusal:
    unpacker = zlib.decompressobj(wbits=31)
    try:
        plain = unpacker.decompress(body, limit + 1)
    except zlib.error:
        return HttpRefusal(400, "invalid_encoding", "the body is not gzip")
    if len(plain) > limit:
        return _too_large(limit, close=False)
    if not unpacker.eof or unpacker.unused_data:
        return HttpRefusal(400, "invalid_encoding", "the gzip body is not complete, or more follows it")
    return plain


def _too_large(limit: int, close: bool) -> HttpRefusal:
    headers = (("connection", "close"),) if close else ()
    return HttpRefusal(413, "too_large", f"the body is larger than {limit} bytes", headers)
