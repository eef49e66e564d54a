"""Grafana's plugin decodes the first answer at the revision it offers, later ones at the revision it is told."""

import io

from plain_http import Ask

_QUESTION = b"SELECT displayName(), version(), revision(), timezone()"


def _varint(stream: io.BytesIO) -> int:
    value = shift = 0
    while True:
        byte = stream.read(1)[0]
        value |= (byte & 127) << shift
        if byte < 128:
            return value
        shift += 7


def _string(stream: io.BytesIO) -> str:
    return stream.read(_varint(stream)).decode()


def _decode_block(body: bytes, revision: int) -> dict[str, object]:
    """One row, decoded as the Go client does it."""
    stream = io.BytesIO(body)
    if revision > 0:
        assert stream.read(8) == b"\x01\x00\x02\xff\xff\xff\xff\x00"
    columns, rows = _varint(stream), _varint(stream)
    assert rows == 1
    row: dict[str, object] = {}
    for _ in range(columns):
        name, kind = _string(stream), _string(stream)
        if revision >= 54454:
            assert stream.read(1) == b"\x00"
        sizes = {"UInt8": 1, "UInt32": 4}
        row[name] = _string(stream) if kind == "String" else int.from_bytes(stream.read(sizes[kind]), "little")
    assert stream.read() == b""
    return row


def test_greeting_is_written_at_the_offered_revision(ask: Ask) -> None:
    url = {"client_protocol_version": "54460", "default_format": "Native", "database": "default"}
    reply = ask("POST", _QUESTION, {"Accept-Encoding": "gzip"}, **url)
    row = _decode_block(reply.body, 54460)
    assert row["revision()"] == 0
    assert row["timezone()"] == "UTC"
    version = ask("POST", b"SELECT version()").text.strip()
    assert row["version()"] == version


def test_later_answers_are_written_at_the_told_revision(ask: Ask) -> None:
    url = {"client_protocol_version": "54460", "default_format": "Native", "max_execution_time": "60"}
    assert _decode_block(ask("POST", b"SELECT 1", **url).body, 0) == {"1": 1}
    empty = ask("POST", b"SELECT 1 WHERE 0", **url)
    assert (empty.status, empty.body, empty.headers["content-length"]) == (200, b"", "0")


def test_the_same_question_of_others_is_a_query(ask: Ask) -> None:
    assert ask("POST", _QUESTION).text.split("\t")[3] == "UTC\n"
