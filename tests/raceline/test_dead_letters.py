"""Refused events as commands show them and send them again."""

import io
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from rich.console import Console

from raceline.dead_letters import Letter, show, table

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
