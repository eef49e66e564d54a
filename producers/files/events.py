"""NDJSON of events, as the collector takes them: for backfills, replays and exports of other tools."""

from collections.abc import Iterator
from typing import Any, BinaryIO, Final
from uuid import UUID

import orjson
from pydantic import ValidationError

from producers.files.items import Item, ReadOptions, Skipped, refused
from producers.files.opening import Line, numbered_lines
from producers.files.row_ids import RowIds
from producers.privacy import clean_url, hash_email_id, truncate_ip
from schemas.events import SCHEMA_VERSION, Event
from schemas.rejection import Rejection, RejectReason

_ID_FIELDS: Final = ("visitor_id", "user_id", "session_id")


def read_events(stream: BinaryIO, options: ReadOptions) -> Iterator[Item]:
    """`options.site` wins over the row's own. `sent_at` is dropped: an old event says nothing about a clock now."""
    with RowIds("", "events") as ids:
        for line in numbered_lines(stream):
            if line.content.strip():
                yield _item(line, ids, options)
            else:
                yield Skipped(line.number, "blank line")


def _item(line: Line, ids: RowIds, options: ReadOptions) -> Item:
    found = _parsed(line)
    if isinstance(found, dict):
        try:
            return Event.model_validate(_completed(found, ids, options))
        except ValidationError as error:
            found = Rejection(reason=RejectReason.INVALID_EVENT, detail=_in_words(error))
    return refused(line.number, found, line.content, options)


def _parsed(line: Line) -> dict[str, Any] | Rejection:
    if line.too_long:
        return Rejection(reason=RejectReason.TOO_LARGE, detail="the line is longer than 256 KiB")
    try:
        row = orjson.loads(line.content)
    except orjson.JSONDecodeError as error:
        return Rejection(reason=RejectReason.INVALID_JSON, detail=str(error))
    if not isinstance(row, dict):
        return Rejection(reason=RejectReason.INVALID_EVENT, detail="a row must be a JSON object")
    if row.get("schema_version", SCHEMA_VERSION) != SCHEMA_VERSION:
        return Rejection(reason=RejectReason.UNKNOWN_VERSION, detail=f"schema_version is {row['schema_version']!r}")
    return row


def _completed(row: dict[str, Any], ids: RowIds, options: ReadOptions) -> dict[str, Any]:
    if options.site is not None:
        row["site_id"] = options.site
    row.pop("received_at", None)
    row.pop("sent_at", None)
    event_id = row.get("event_id") or _content_id(row, ids)
    context = row.get("context")
    return {
        **row,
        **{name: hash_email_id(row[name], options.secret) for name in _ID_FIELDS if isinstance(row.get(name), str)},
        "event_id": event_id,
        "received_at": options.now,
        "context": _clean_context(context) if isinstance(context, dict | None) else context,
    }


def _content_id(row: dict[str, Any], ids: RowIds) -> UUID:
    return ids.next_id(orjson.dumps(row, option=orjson.OPT_SORT_KEYS).decode())


def _clean_context(context: dict[str, Any] | None) -> dict[str, Any]:
    clean = {**(context or {}), "imported": True}
    for name in ("url", "referrer"):
        if isinstance(clean.get(name), str):
            clean[name] = clean_url(clean[name])
    if isinstance(clean.get("ip"), str):
        clean["ip"] = truncate_ip(clean["ip"])
    return clean


def _in_words(error: ValidationError) -> str:
    problems = error.errors(include_url=False, include_input=False)
    return "; ".join(f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in problems)
