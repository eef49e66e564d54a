"""Refused events as commands show them and send them again."""

import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from rich.console import Console

from producers.website.intake import Intake, Visit
from raceline.dead_letters import Letter, obstacle, show, table
from schemas.events import Event
from schemas.rejection import DeadLetter, Rejection

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def letter(**changes: Any) -> Letter:
    fields: dict[str, Any] = {
        "dead_letter_id": UUID(int=1),
        "reason": "invalid_event",
        "detail": "name: missing",
        "refused_by": "classify",
        "refused_at": NOW,
        "site_id": "demo",
        "event_id": "",
        "payload": "{}",
    }
    return Letter(**{**fields, **changes})


def console() -> tuple[Console, io.StringIO]:
    written = io.StringIO()
    return Console(file=written, force_terminal=True, color_system=None, width=200), written


@pytest.mark.parametrize("text", ["[/x]", "[red]", "[link=https://a.example]", ":smile:", "a\\"])
def test_hostile_text_is_listed_and_shown_as_it_is(text: str) -> None:
    hostile = letter(detail=f"{text}\x1b[2J\x9bz", site_id=text, event_id=text, payload=f"{text}\x1b]0;t\x07")
    out, written = console()
    out.print(table([hostile]))
    assert written.getvalue().count(text) == 2
    show(hostile, out)
    assert written.getvalue().count(text) == 4
    assert "\x1b" not in written.getvalue().replace("\x1b[1m", "").replace("\x1b[0m", "")


INTAKE = Intake(b"a secret of tests", new_id=lambda now: UUID(int=7))
VISIT = Visit("demo", NOW, ip="203.0.113.77", user_agent="Mozilla/5.0 of Jane", language="de-DE")


def refused(visit: Visit = VISIT, **sent: Any) -> DeadLetter:
    verdict = INTAKE.judge(sent, visit)
    assert isinstance(verdict, Rejection)
    return INTAKE.dead_letter(sent, visit, verdict)


def stored(refusal: DeadLetter) -> Letter:
    return Letter(**refusal.model_dump())


def test_letter_of_the_collector_is_an_event_for_a_release_that_takes_it() -> None:
    found = refused(
        name="purchase", visitor_id="Jane@a.example", colour=1, occurred_at=1_772_452_000_000, context={"title": "t"}
    )
    kept = json.loads(found.payload)
    assert kept.pop("colour") == 1
    event = Event.model_validate(kept)
    assert (event.site_id, event.source, event.received_at) == ("demo", "website", NOW)
    assert event.occurred_at == datetime.fromtimestamp(1_772_452_000, UTC)
    assert str(event.event_id) == found.event_id == str(found.dead_letter_id)
    assert event.visitor_id is not None
    assert event.visitor_id.startswith("eh_")
    assert obstacle(stored(found)) is None


def test_letter_of_the_collector_says_no_more_of_the_visitor_than_was_sent() -> None:
    payload = refused(name="X", context={"url": "https://a.example/?mail=jane@a.example"}).payload
    assert not [word for word in ("203.0.113", "Mozilla", "de-DE", "jane", "mail") if word in payload]


def test_the_same_object_has_the_same_letter_whenever_it_comes() -> None:
    later = Visit("demo", NOW + timedelta(hours=1))
    first, second = refused(name="X"), refused(later, name="X")
    assert first.dead_letter_id == second.dead_letter_id
    assert first.event_id == second.event_id


@pytest.mark.parametrize(
    ("sent", "detail"),
    [
        ({"site_id": "another"}, "site_id: the write key belongs to demo"),
        ({"source": "crm"}, "source: over HTTP"),
        ({"context": {"imported": True}}, "context.imported"),
        ({"name": "raceline_probe"}, "reserved"),
        ({"schema_version": 2}, "schema_version"),
    ],
)
def test_what_a_client_may_not_send_is_not_let_in_by_a_retry(sent: dict[str, Any], detail: str) -> None:
    found = refused(**{"name": "page_view", **sent, "received_at": NOW.isoformat(), "event_id": str(UUID(int=9))})
    assert detail in (obstacle(stored(found)) or "")


@pytest.mark.parametrize(
    "payload", ["", "a,b,c", "[1]", "[" * 100_000, "{}", '{"site_id": "demo"}', '{"event_id": "a"}']
)
def test_what_is_no_event_cannot_be_retried(payload: str) -> None:
    assert obstacle(letter(payload=payload)) == "mend the row and send the file again"


def test_row_of_a_file_cannot_be_retried() -> None:
    row = json.dumps({"site_id": "demo", "event_id": str(UUID(int=9))})
    assert obstacle(letter(payload=row, refused_by="send")) == "mend the row and send the file again"
    assert obstacle(letter(payload=row)) is None
