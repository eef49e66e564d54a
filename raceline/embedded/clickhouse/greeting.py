"""The first question of ClickHouse's Go client, which Grafana's plugin uses, over HTTP.

It decodes the answer at the protocol revision that it offers, and everything later at the revision that it reads in
the answer. The engine writes Native without a revision; so the answer is made here, and names revision 0.
"""

import struct
from collections.abc import Mapping
from typing import Final

_QUESTION: Final = "select displayname(), version(), revision(), timezone()"
_BLOCK_INFO: Final = b"\x01\x00\x02\xff\xff\xff\xff\x00"
_PLAIN_COLUMN: Final = b"\x00"  # no custom serialization


def is_greeting(sql: str, url: Mapping[str, str]) -> bool:
    """Whether this is that question, asked with a revision."""
    return url.get("client_protocol_version", "0") != "0" and sql.strip().rstrip(";").lower() == _QUESTION


def greeting(server_name: str, version: str) -> bytes:
    """One Native block of one row, as revision 54460 writes it."""
    columns = (
        ("displayName()", "String", _text(server_name)),
        ("version()", "String", _text(version)),
        ("revision()", "UInt32", struct.pack("<I", 0)),
        ("timezone()", "String", _text("UTC")),
    )
    block = b"".join(_text(name) + _text(kind) + _PLAIN_COLUMN + value for name, kind, value in columns)
    return _BLOCK_INFO + bytes((len(columns), 1)) + block


def _text(text: str) -> bytes:
    data = text.encode()[:127]  # a length up to 127 is one byte
    return bytes((len(data),)) + data
