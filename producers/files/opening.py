"""Files, gzip files and standard input as one stream of bytes that reports how far it has come."""

import gzip
import io
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, Final, NamedTuple, cast

from producers.files.items import UnreadableFile

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MAX_LINE: Final = 256 * 1024
_GZIP: Final = b"\x1f\x8b"
_BOM: Final = b"\xef\xbb\xbf"
_BLOCK: Final = 256 * 1024


class Line(NamedTuple):
    number: int
    content: bytes
    too_long: bool


@contextmanager
def opened(path: str, on_bytes: Callable[[int], None]) -> Iterator[BinaryIO]:
    """`-` is standard input, which is left open. `on_bytes` hears how many bytes of the file itself were read."""
    # closed below, unless it is standard input; `path` may be `-`
    raw: BinaryIO = sys.stdin.buffer if path == "-" else open(path, "rb", buffering=0)  # noqa: PTH123, SIM115
    try:
        plain = io.BufferedReader(_Counted(raw, on_bytes), _BLOCK)
        if not plain.peek(2).startswith(_GZIP):
            yield plain
        else:
            with gzip.open(plain) as unpacked:
                yield cast(BinaryIO, unpacked)
    finally:
        if path != "-":
            raw.close()


def numbered_lines(stream: BinaryIO) -> Iterator[Line]:
    """Lines without their ends, numbered from 1; of one above 256 KiB only the beginning is kept.

    Raises `UnreadableFile` where a compressed file is damaged or cut off.
    """
    number = 0
    try:
        while content := stream.readline(MAX_LINE + 1):
            number += 1
            too_long = len(content) > MAX_LINE
            if too_long and not content.endswith(b"\n"):
                _skip_line(stream)
            yield Line(number, _bare(content, number), too_long)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UnreadableFile(f"damaged or incomplete gzip data after line {number}: {error}") from error


def _bare(content: bytes, number: int) -> bytes:
    return content.rstrip(b"\r\n").removeprefix(_BOM if number == 1 else b"")


def _skip_line(stream: BinaryIO) -> None:
    while part := stream.readline(MAX_LINE):
        if part.endswith(b"\n"):
            return


class _Counted(io.RawIOBase):
    """The bytes of `source`, with a report of each block."""

    def __init__(self, source: BinaryIO, on_bytes: Callable[[int], None]) -> None:
        self._source, self._on_bytes = source, on_bytes

    def readable(self) -> bool:
        return True

    def readinto(self, target: "WriteableBuffer") -> int:
        view = memoryview(target).cast("B")
        block = self._source.read(len(view))
        view[: len(block)] = block
        self._on_bytes(len(block))
        return len(block)
