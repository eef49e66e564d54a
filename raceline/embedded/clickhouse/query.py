"""What one HTTP request asks: the protocol's parameters, the query's own, and settings."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from raceline.embedded.clickhouse.errors import NOT_IMPLEMENTED, refusal
from raceline.embedded.clickhouse.outside import refuse_setting

# Named by the HTTP interface; the engine does not know them.
_PROTOCOL: Final = frozenset(
    {
        "query",
        "database",
        "default_format",
        "user",
        "password",
        "quota_key",
        "query_id",
        "stacktrace",
        "role",
        "buffer_size",
        "wait_end_of_query",
        "session_id",
        "session_timeout",
        "session_check",
        "close_session",
        "client_protocol_version",
        "compress",
        "decompress",
        "send_progress_in_http_headers",
        "http_headers_progress_interval_ms",
        "enable_http_compression",
        "cancel_http_readonly_queries_on_client_close",
        "add_http_cors_header",
        "http_zlib_compression_level",
    }
)


@dataclass(frozen=True)
class Query:
    """One request, without its body."""

    sql: str
    database: str
    default_format: str
    query_id: str
    session_id: str
    readonly: str
    compressed: bool
    params: Mapping[str, str]
    settings: Mapping[str, str]
    body_is_form: bool = False


def read_query(method: str, url: Mapping[str, str], headers: Mapping[str, str], fresh_id: str) -> Query:
    """Sort the parameters. Raises QueryFailedError for the block compression of ClickHouse's own clients."""
    for name in ("compress", "decompress"):
        if url.get(name, "0") not in {"0", "", "false"}:
            raise refusal(NOT_IMPLEMENTED, f"{name}=1 is not served, use Content-Encoding and Accept-Encoding")
    for name in url:
        refuse_setting(name)
    asked = url.get("readonly", "0")
    return Query(
        sql=url.get("query", ""),
        database=url.get("database") or headers.get("x-clickhouse-database", ""),
        default_format=url.get("default_format") or headers.get("x-clickhouse-format", ""),
        query_id=url.get("query_id") or fresh_id,
        session_id=url.get("session_id", ""),
        readonly="2" if method in {"GET", "HEAD"} and asked == "0" else asked,
        compressed=url.get("enable_http_compression", "1") in {"1", "true"},
        params={name[6:]: value for name, value in url.items() if name.startswith("param_")},
        settings={
            name: value
            for name, value in url.items()
            if name not in _PROTOCOL and name != "readonly" and not name.startswith("param_")
        },
    )
