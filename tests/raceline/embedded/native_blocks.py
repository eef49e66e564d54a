"""Blocks in ClickHouse's Native format, decoded in the steps of its Go client at a given protocol revision."""

import io
import struct
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

CUSTOM_SERIALIZATION = 54454  # the first revision with a flag byte in each column
_BLOCK_INFO = b"\x01\x00\x02\xff\xff\xff\xff\x00"
_CODES = {"Int8": "b", "UInt8": "B", "UInt32": "I", "Int64": "q", "UInt64": "Q", "Float64": "d", "Bool": "?"}
_CODES |= {"UInt16": "H", "DateTime": "I"}


@dataclass(frozen=True)
class Block:
    """Columns by name, in order, with their types beside."""

    types: dict[str, str]
    columns: dict[str, list[Any]]

    @property
    def rows(self) -> list[tuple[Any, ...]]:
        return list(zip(*self.columns.values(), strict=True))


def blocks(body: bytes, revision: int) -> list[Block]:
    """All blocks of an answer; fails where one is not whole, or has what this revision does not."""
    stream = io.BytesIO(body)
    found = []
    while stream.tell() < len(body):
        found.append(_block(stream, revision))
    return found


def _block(stream: io.BytesIO, revision: int) -> Block:
    if revision > 0:
        assert _take(stream, 8) == _BLOCK_INFO
    columns, rows = _varint(stream), _varint(stream)
    block = Block({}, {})
    for _ in range(columns):
        name, kind = _text(stream), _text(stream)
        if revision >= CUSTOM_SERIALIZATION:
            assert _take(stream, 1) == b"\x00", "the client refuses custom serialization"
        block.types[name] = kind
        block.columns[name] = _column(stream, kind, rows) if rows else []
    return block


def _column(stream: io.BytesIO, kind: str, rows: int) -> list[Any]:
    name, _, inner = kind.partition("(")
    inner = inner.removesuffix(")")
    wrapped: dict[str, Callable[[], list[Any]]] = {
        "String": lambda: [_text(stream) for _ in range(rows)],
        "UUID": lambda: [_uuid(stream) for _ in range(rows)],
        "DateTime64": lambda: _numbers(stream, "Int64", rows),
        "Decimal": lambda: _numbers(stream, "Int64", rows),
        "Enum8": lambda: _numbers(stream, "Int8", rows),
        "Nullable": lambda: _nullable(stream, inner, rows),
        "Array": lambda: list(_arrays(stream, inner, rows)),
        "LowCardinality": lambda: _dictionary(stream, inner, rows),
    }
    return wrapped[name]() if name in wrapped else _numbers(stream, name, rows)


def _numbers(stream: io.BytesIO, kind: str, rows: int) -> list[Any]:
    code = f"<{_CODES[kind]}"
    return [number for (number,) in struct.iter_unpack(code, _take(stream, struct.calcsize(code) * rows))]


def _nullable(stream: io.BytesIO, inner: str, rows: int) -> list[Any]:
    nulls = _take(stream, rows)
    return [None if null else value for null, value in zip(nulls, _column(stream, inner, rows), strict=True)]


def _arrays(stream: io.BytesIO, inner: str, rows: int) -> Iterator[list[Any]]:
    ends = _numbers(stream, "UInt64", rows)
    values = _column(stream, inner, ends[-1])
    return (values[start:end] for start, end in zip([0, *ends], ends, strict=False))


def _dictionary(stream: io.BytesIO, inner: str, rows: int) -> list[Any]:
    assert _numbers(stream, "UInt64", 1) == [1], "the version of shared dictionaries"
    (flags,) = _numbers(stream, "UInt64", 1)
    (size,) = _numbers(stream, "UInt64", 1)
    values = _column(stream, inner.removeprefix("Nullable(").removesuffix(")") if "Nullable" in inner else inner, size)
    if "Nullable" in inner:
        values[0] = None
    assert _numbers(stream, "UInt64", 1) == [rows]
    return [values[key] for key in _numbers(stream, ("UInt8", "UInt16", "UInt32", "UInt64")[flags & 0xFF], rows)]


def _uuid(stream: io.BytesIO) -> uuid.UUID:
    high, low = struct.unpack("<QQ", _take(stream, 16))
    return uuid.UUID(int=high << 64 | low)


def _text(stream: io.BytesIO) -> str:
    return _take(stream, _varint(stream)).decode()


def _varint(stream: io.BytesIO) -> int:
    value = shift = 0
    while True:
        byte = _take(stream, 1)[0]
        value |= (byte & 127) << shift
        if byte < 128:
            return value
        shift += 7


def _take(stream: io.BytesIO, size: int) -> bytes:
    data = stream.read(size)
    assert len(data) == size, "the block ends early"
    return data
