"""One JSON object from a client → an event, or the reason why not. Pure: no HTTP, no Kafka, no clock."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import orjson
from pydantic import ValidationError

from producers.privacy import clean_url, hash_email_id, scrubbed, truncate_ip
from schemas.events import SCHEMA_VERSION, Event, Json
from schemas.rejection import DeadLetter, Rejection, RejectReason, dead_letter_id
from schemas.touches import BARRIER_EVENT

MAX_EVENT_BYTES: Final = 256 * 1024
MAX_DEPTH: Final = 64
RESERVED_NAMES: Final = frozenset({BARRIER_EVENT, "raceline_probe"})
CLIENT_SOURCES: Final = frozenset({"website", "app", "server"})
_ID_FIELDS: Final = ("visitor_id", "user_id", "session_id")
_TIME_FIELDS: Final = ("occurred_at", "sent_at")


@dataclass(frozen=True)
class Visit:
    """What the request itself says about its events."""

    site_id: str
    received_at: datetime
    ip: str | None = None
    user_agent: str | None = None
    language: str | None = None


@dataclass(frozen=True)
class Intake:
    secret: bytes
    new_id: Callable[[datetime], UUID]

    def judge(self, raw: object, visit: Visit) -> Event | Rejection:
        if not isinstance(raw, dict):
            return _invalid(f"an event is a JSON object, this is {_json_type(raw)}")
        if (refusal := checked(raw, visit)) is not None:
            return refusal
        times = _times(raw)
        if isinstance(times, Rejection):
            return times
        try:
            return Event.model_validate(self._fields(raw, visit) | times)
        except ValidationError as error:
            return _first_problem(error)

    def dead_letter(self, raw: Json, visit: Visit, refusal: Rejection) -> DeadLetter:
        """What is kept of a refused object: an event as far as it goes, so that a retry judges it as one.

        The same object has the same letter whenever it comes, so a missing event_id becomes the letter's id.
        """
        letter_id = dead_letter_id(scrubbed(_text(raw), self.secret).encode(), refusal.reason)
        kept = self._kept({**raw, "event_id": letter_id} if raw.get("event_id") is None else raw, visit)
        return DeadLetter(
            dead_letter_id=letter_id,
            reason=refusal.reason,
            detail=refusal.detail,
            refused_by="collector",
            refused_at=visit.received_at,
            site_id=visit.site_id,
            event_id=_as_uuid(str(kept["event_id"])),
            payload=scrubbed(_text(kept), self.secret),
        )

    def _kept(self, raw: Json, visit: Visit) -> Json:
        """Takes nothing that describes the visitor from the request. A foreign site stays, and forbids a retry."""
        kept = self._fields(raw, replace(visit, ip=None, user_agent=None, language=None))
        if raw.get("site_id") is not None:
            kept["site_id"] = raw["site_id"]
        moments = {name: _moment(raw[name]) for name in _TIME_FIELDS if name in raw}
        return kept | {name: moment for name, moment in moments.items() if moment is not None}

    def _fields(self, raw: Json, visit: Visit) -> Json:
        fields = {name: value for name, value in raw.items() if value is not None}
        fields |= {name: _hashed(fields[name], self.secret) for name in _ID_FIELDS if name in fields}
        fields.setdefault("source", "website")
        fields.setdefault("occurred_at", visit.received_at)
        if "event_id" not in fields:
            fields["event_id"] = self.new_id(visit.received_at)
        fields["site_id"] = visit.site_id
        fields["received_at"] = visit.received_at
        fields["context"] = _context(fields.get("context", {}), visit, from_browser=fields["source"] != "server")
        return fields


Check = Callable[[Json, Visit], Rejection | None]


def _size_and_shape(raw: Json, visit: Visit) -> Rejection | None:
    try:
        text = orjson.dumps(raw)
    except orjson.JSONEncodeError:  # its own limit, 254 levels
        return _invalid(f"nested more than {MAX_DEPTH} levels deep")
    if len(text) > MAX_EVENT_BYTES:
        detail = f"the event has {len(text)} bytes, the limit is {MAX_EVENT_BYTES}"
        return Rejection(reason=RejectReason.TOO_LARGE, detail=detail)
    # Two quick looks at the text spare nearly every event the walk, which costs as much as the validation.
    if b"\\u0000" in text or text.count(b"{") + text.count(b"[") > MAX_DEPTH:
        return _walked(raw)
    return None


def _walked(raw: Json) -> Rejection | None:
    level: list[Any] = [raw]
    for _ in range(MAX_DEPTH):
        if any(isinstance(value, str) and "\0" in value for value in level):
            return Rejection(reason=RejectReason.INVALID_JSON, detail="a text contains a NUL character")
        level = [child for value in level for child in _children(value)]
        if not level:
            return None
    return _invalid(f"nested more than {MAX_DEPTH} levels deep")


def _unknown_version(raw: Json, visit: Visit) -> Rejection | None:
    version = raw.get("schema_version")
    if version is None or (version == SCHEMA_VERSION and not isinstance(version, bool)):
        return None
    detail = f"schema_version: this release knows {SCHEMA_VERSION}, not {str(version)[:40]}"
    return Rejection(reason=RejectReason.UNKNOWN_VERSION, detail=detail)


def _reserved(raw: Json, visit: Visit) -> Rejection | None:
    name = raw.get("name")
    return _invalid(f"name: {name} is reserved") if isinstance(name, str) and name in RESERVED_NAMES else None


def _other_site(raw: Json, visit: Visit) -> Rejection | None:
    site = raw.get("site_id")
    return None if site in (None, visit.site_id) else _invalid(f"site_id: the write key belongs to {visit.site_id}")


def _other_source(raw: Json, visit: Visit) -> Rejection | None:
    source = raw.get("source")
    if source is None or (isinstance(source, str) and source in CLIENT_SOURCES):
        return None
    return _invalid("source: over HTTP it is website, app or server")


def _imported(raw: Json, visit: Visit) -> Rejection | None:
    context = raw.get("context")
    if isinstance(context, dict) and context.get("imported") not in (None, False):
        return _invalid("context.imported: only `raceline send` and polls may set it")
    return None


CHECKS: Final[tuple[Check, ...]] = (
    _size_and_shape,
    _unknown_version,
    _reserved,
    _other_site,
    _other_source,
    _imported,
)


def checked(raw: Json, visit: Visit) -> Rejection | None:
    """What a client may not send, though it may be an event; also asked before a dead letter is sent again."""
    for check in CHECKS:
        if (refusal := check(raw, visit)) is not None:
            return refusal
    return None


def _times(raw: Json) -> Json | Rejection:
    times: Json = {}
    for name in _TIME_FIELDS:
        if raw.get(name) is not None:
            moment = _moment(raw[name])
            if moment is None:
                return _invalid(f"{name}: an ISO 8601 time with a time zone, or milliseconds since 1970, is needed")
            times[name] = moment
    return times


def _moment(value: object) -> datetime | None:
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value / 1000, UTC)
        if isinstance(value, str):
            moment = datetime.fromisoformat(value)
            return moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError, OSError):
        pass
    return None


def _context(sent: object, visit: Visit, from_browser: bool) -> object:
    if not isinstance(sent, dict):
        return sent  # the model names the problem
    context = {name: value for name, value in sent.items() if value is not None}
    for name in ("url", "referrer"):
        if isinstance(context.get(name), str):
            context[name] = clean_url(context[name])
    ip = visit.ip if from_browser else context.get("ip")  # a server's own address says nothing about the visitor
    context["ip"] = truncate_ip(ip) if isinstance(ip, str) else None
    if from_browser:
        context.setdefault("user_agent", visit.user_agent)
        context.setdefault("locale", visit.language)
    return context


def _hashed(value: object, secret: bytes) -> object:
    return hash_email_id(value, secret) if isinstance(value, str) else value


def _first_problem(error: ValidationError) -> Rejection:
    problems = error.errors(include_url=False, include_input=False, include_context=False)
    first = problems[0]
    field = ".".join(str(step) for step in first["loc"])[:120] or "event"
    more = f" ({len(problems) - 1} more)" if len(problems) > 1 else ""
    return _invalid(f"{field}: {first['msg']}{more}")


def _invalid(detail: str) -> Rejection:
    return Rejection(reason=RejectReason.INVALID_EVENT, detail=detail)


def _children(value: object) -> list[Any]:
    if isinstance(value, dict):
        return [*value.keys(), *value.values()]
    return value if isinstance(value, list) else []


def _json_type(value: object) -> str:
    names = {list: "an array", str: "a string", bool: "a boolean", int: "a number", float: "a number"}
    return names.get(type(value), "null")


def _as_uuid(value: object) -> str:
    try:
        return str(UUID(value)) if isinstance(value, str) else ""
    except ValueError:
        return ""


def _text(raw: Json) -> str:
    try:
        return orjson.dumps(raw)[:MAX_EVENT_BYTES].decode(errors="replace")
    except orjson.JSONEncodeError:  # nested too deeply
        return "{}"
