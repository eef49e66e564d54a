"""The commands as processes of their own, which know the stack by its data folder or by its addresses alone."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from running_stack import RunningStack

pytestmark = pytest.mark.e2e


def test_what_is_sent_is_waited_for_and_shown(stack: RunningStack, tmp_path: Path) -> None:
    file = tmp_path / "views.ndjson"
    now = datetime.now(UTC).isoformat()
    views = [{"name": "page_view", "source": "website", "visitor_id": f"v{n}", "occurred_at": now} for n in range(3)]
    file.write_text("".join(json.dumps(view) + "\n" for view in views))
    assert "3 events accepted, 0 refused" in stack.command("send", str(file), "--site", "commands")
    stack.command("wait")
    report = json.loads(stack.command("kpis", "--site", "commands", "--format", "json"))
    assert report["reach"]["page_views"] == report["reach"]["unique_visitors"] == 3


def test_the_doctor_finds_every_part_and_nothing_is_left_to_migrate(stack: RunningStack) -> None:
    said = stack.command("doctor")
    assert (said.count("ok  "), said.count("FAIL")) == (4, 0), said
    assert stack.command("migrate").splitlines() == ["0 migrations applied.", "0 topics created."]
