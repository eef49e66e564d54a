"""`raceline dead-letters`: listed with its reason, shown, mended or retried, and then not listed any more."""

import json
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from running_stack import RunningStack, until
from typer.testing import CliRunner

from producers.outgoing import OutgoingRecord
from producers.publisher import Publisher, PublisherOptions
from producers.website.intake import Intake, Visit
from raceline.cli import app
from schemas.rejection import DeadLetter, Rejection, RejectReason
from schemas.topics import DEAD_LETTERS

pytestmark = pytest.mark.e2e

EVENT_ID = "00000000-0000-4000-a000-000000000001"


def refused_by_an_older_release() -> DeadLetter:
    """By its collector; what is a good event for this release."""
    visit = Visit("retried", datetime.now(UTC))
    refusal = Rejection(reason=RejectReason.UNKNOWN_VERSION, detail="schema_version: this release knows [/0]")
    sent = {"event_id": EVENT_ID, "name": "page_view", "visitor_id": "v"}
    return Intake(b"a secret of tests", lambda now: UUID(int=0)).dead_letter(sent, visit, refusal)


def run(stack: RunningStack, *words: str, exit_code: int = 0) -> str:
    result = CliRunner().invoke(app, words, env=stack.environment)
    assert result.exit_code == exit_code, result.output
    return result.output


def test_retried_event_counts_and_leaves_the_list(stack: RunningStack) -> None:
    letter = refused_by_an_older_release()
    publisher = Publisher(PublisherOptions(stack.settings.kafka))
    publisher.start()
    publisher.publish_all([OutgoingRecord(DEAD_LETTERS.name, None, letter.model_dump_json().encode())])
    publisher.close()
    short = str(letter.dead_letter_id)[:8]
    until(lambda: short in run(stack, "dead-letters", "list", "--reason", "unknown_version"))
    assert json.loads(run(stack, "dead-letters", "show", short, "--payload"))["event_id"] == EVENT_ID
    assert "1 sent again" in run(stack, "dead-letters", "retry", short)
    stack.settle()
    assert stack.kpis("retried")["reach"]["page_views"] == 1
    assert short not in run(stack, "dead-letters", "list", "--reason", "unknown_version")


def test_refused_row_of_a_file_cannot_be_retried(stack: RunningStack, tmp_path: Path) -> None:
    file = tmp_path / "rows"
    file.write_text(json.dumps({"event_id": EVENT_ID, "name": "[/x]", "site_id": "[/mended]"}) + "\n")
    assert "refused 1: invalid_event" in run(stack, "send", str(file), exit_code=1)
    until(lambda: "[/mended]" in run(stack, "dead-letters", "list", "--reason", "invalid_event"))
    (line,) = [each for each in run(stack, "dead-letters", "list").splitlines() if "[/mended]" in each]
    short = next(word for word in line.split() if len(word) == 8 and word.isalnum())
    answer = run(stack, "dead-letters", "retry", short, exit_code=1)
    assert f"{short} cannot be retried: mend the row and send the file again" in answer
    assert "0 sent again" in answer
