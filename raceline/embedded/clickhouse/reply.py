"""What ClickHouse puts around an answer: headers, content types, the summary."""

import json
from typing import Final

from raceline.embedded.clickhouse.connection import Counts
from raceline.embedded.clickhouse.errors import QueryFailedError

_TEXT: Final = "text/plain; charset=UTF-8"
_CONTENT_TYPES: Final = {
    "tabseparated": "text/tab-separated-values; charset=UTF-8",
    "tsv": "text/tab-separated-values; charset=UTF-8",
    "tabseparatedwithnames": "text/tab-separated-values; charset=UTF-8",
    "tsvwithnames": "text/tab-separated-values; charset=UTF-8",
    "csv": "text/csv; charset=UTF-8; header=absent",
    "csvwithnames": "text/csv; charset=UTF-8; header=present",
    "json": "application/json; charset=UTF-8",
    "jsoncompact": "application/json; charset=UTF-8",
    "jsonstrings": "application/json; charset=UTF-8",
    "jsoneachrow": "application/x-ndjson; charset=UTF-8",
    "jsoncompacteachrow": "application/x-ndjson; charset=UTF-8",
    "native": "application/octet-stream",
    "rowbinary": "application/octet-stream",
    "rowbinarywithnamesandtypes": "application/octet-stream",
    "parquet": "application/octet-stream",
    "arrow": "application/octet-stream",
    "arrowstream": "application/octet-stream",
    "xml": "application/xml; charset=UTF-8",
}
_LONGEST_FAILURE: Final = 15 << 10  # clients look for it in the last 16 KiB

Headers = list[tuple[bytes, bytes]]


def headers(fields: dict[str, str]) -> Headers:
    """As ASGI takes them. What would break a header line is left out."""
    return [(name.lower().encode(), value.encode("latin-1", "replace")) for name, value in fields.items()]


def answer_fields(output_format: str | None, query_id: str, server_name: str) -> dict[str, str]:
    """The headers of every answer to a query; `output_format` is None where there is no result set."""
    fields = {
        "Content-Type": _CONTENT_TYPES.get((output_format or "").lower(), _TEXT),
        "X-ClickHouse-Server-Display-Name": server_name,
        "X-ClickHouse-Query-Id": "".join(filter(str.isprintable, query_id)),
        "X-ClickHouse-Timezone": "UTC",
    }
    if output_format is not None:
        fields["X-ClickHouse-Format"] = output_format
    return fields


def summary(counts: Counts) -> str:
    """X-ClickHouse-Summary: numbers as strings, as ClickHouse writes them."""
    numbers = {
        "read_rows": counts.read_rows,
        "read_bytes": counts.read_bytes,
        "written_rows": counts.written_rows,
        "written_bytes": counts.written_bytes,
        "total_rows_to_read": 0,
        "result_rows": counts.result_rows,
        "result_bytes": 0,
        "elapsed_ns": int(counts.elapsed_seconds * 1e9),
    }
    return json.dumps({name: str(number) for name, number in numbers.items()}, separators=(",", ":"))


def error_fields(error: QueryFailedError) -> dict[str, str]:
    """The header by which clients tell a ClickHouse error from any other."""
    return {"X-ClickHouse-Exception-Code": str(error.code)}


def failure_midway(error: QueryFailedError, tag: str) -> bytes:
    """What follows the rows of an answer that has begun: the failure, between marks that only the header of this
    answer foretold, so that no row can pass for one."""
    text = error.text.encode()[:_LONGEST_FAILURE]
    return b"\r\n__exception__\r\n%s\r\n%s\n%d %s\r\n__exception__\r\n" % (
        tag.encode(),
        text,
        len(text) + 1,
        tag.encode(),
    )
