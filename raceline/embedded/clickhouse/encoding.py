"""Content-Encoding of request and response bodies."""

import zlib
from collections.abc import Callable
from typing import Any, Final, Protocol

import cramjam
import lz4.frame

from raceline.embedded.clickhouse.errors import CANNOT_DECOMPRESS, NOT_IMPLEMENTED, refusal

_SMALL: Final = 1024  # below this, compressing costs more than it saves


class Decoder(Protocol):
    """Takes a body chunk by chunk; `finish` says whether the body was whole, and may still give data."""

    def decode(self, chunk: bytes) -> bytes: ...
    def finish(self) -> bytes: ...


class _Plain:
    def decode(self, chunk: bytes) -> bytes:
        return chunk

    def finish(self) -> bytes:
        return b""


class _Frames:
    """Compressed data as frames one after the other: clickhouse-connect makes one of each block of an insert."""

    def __init__(self, name: str, frame: Callable[[], Any], errors: tuple[type[Exception], ...]) -> None:
        self._name, self._new_frame, self._errors = name, frame, errors
        self._frame: Any = None  # the one that has begun and not ended

    def decode(self, chunk: bytes) -> bytes:
        found = []
        while chunk:
            self._frame = self._frame or self._new_frame()
            try:
                found.append(bytes(self._frame.decompress(chunk)))
            except self._errors as error:
                raise refusal(CANNOT_DECOMPRESS, f"The request body is not {self._name}: {error}") from None
            chunk = b""
            if self._frame.eof:
                chunk, self._frame = self._frame.unused_data or b"", None
        return b"".join(found)

    def finish(self) -> bytes:
        if self._frame is not None:
            raise refusal(CANNOT_DECOMPRESS, "The compressed request body ends early")
        return b""


class _Whole:
    """For encodings that are decoded in one piece at the end."""

    def __init__(self, name: str, decompress: Callable[[bytes], Any]) -> None:
        self._name, self._decompress = name, decompress
        self._chunks: list[bytes] = []

    def decode(self, chunk: bytes) -> bytes:
        self._chunks.append(chunk)
        return b""

    def finish(self) -> bytes:
        try:
            return bytes(self._decompress(b"".join(self._chunks)))
        except (cramjam.DecompressionError, OSError) as error:
            raise refusal(CANNOT_DECOMPRESS, f"The request body is not {self._name}: {error}") from None


def decoder(content_encoding: str) -> Decoder:
    """The decoder of a request body. Raises QueryFailedError for an encoding that is not served."""
    match content_encoding.strip().lower():
        case "" | "identity":
            return _Plain()
        case "gzip" | "x-gzip" | "deflate":
            return _Frames("gzip or deflate", lambda: zlib.decompressobj(47), (zlib.error,))  # with either header
        case "lz4":
            return _Frames("an LZ4 frame", lz4.frame.LZ4FrameDecompressor, (RuntimeError, EOFError))
        case "zstd":
            return _Whole("zstd", cramjam.zstd.decompress)
        case "br":
            return _Whole("brotli", cramjam.brotli.decompress)
        case unknown:
            raise refusal(NOT_IMPLEMENTED, f"Content-Encoding {unknown[:32]} is not served")


class Encoder(Protocol):
    """Gives the encoded form of a body piece by piece; `name` is its Content-Encoding, None for none."""

    name: str | None

    def encode(self, piece: bytes) -> bytes: ...
    def finish(self) -> bytes: ...


class _Unencoded:
    name: str | None = None

    def encode(self, piece: bytes) -> bytes:
        return piece

    def finish(self) -> bytes:
        return b""


class _Lz4Encoder:
    name: str | None = "lz4"

    def __init__(self) -> None:
        self._frame = lz4.frame.LZ4FrameCompressor()
        self._begin: bytes = self._frame.begin()

    def encode(self, piece: bytes) -> bytes:
        begin, self._begin = self._begin, b""
        return begin + bytes(self._frame.compress(piece))

    def finish(self) -> bytes:
        return self._begin + bytes(self._frame.flush())


class _ZlibEncoder:
    def __init__(self, name: str) -> None:
        self.name: str | None = name
        self._deflate = zlib.compressobj(1, zlib.DEFLATED, 31 if name == "gzip" else 15)

    def encode(self, piece: bytes) -> bytes:
        return self._deflate.compress(piece)

    def finish(self) -> bytes:
        return self._deflate.flush()


class _ZstdEncoder:
    name: str | None = "zstd"

    def __init__(self) -> None:
        self._frame = cramjam.zstd.Compressor(1)

    def encode(self, piece: bytes) -> bytes:
        self._frame.compress(piece)
        return bytes(self._frame.flush())

    def finish(self) -> bytes:
        return bytes(self._frame.finish())


def encoder(accepted: str, size: int | None) -> Encoder:
    """The cheapest encoding that the client accepts; none for a body known to be small."""
    if size is not None and size < _SMALL:
        return _Unencoded()
    offers = {offer.partition(";")[0].strip().lower() for offer in accepted.split(",")}
    if "lz4" in offers:
        return _Lz4Encoder()
    if "zstd" in offers:
        return _ZstdEncoder()
    for name in ("gzip", "deflate"):
        if name in offers:
            return _ZlibEncoder(name)
    return _Unencoded()
