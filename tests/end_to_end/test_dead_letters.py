"""`raceline dead-letters`: listed with its reason, shown, mended or retried, and then not listed any more."""

import json
from datetime import UTC, datetime

import pytest
from running_stack import RunningStack, until
from typer.testing import CliRunner

from producers.outgoing import OutgoingRecord
from producers.publisher import Publisher, PublisherOptions
from raceline.cli import app
from schemas.rejection import DeadLetter, RejectReason, dead_letter_id
from schemas.topics import DEAD_LETTERS

pytestmark = pytest.mark.e2e

EVENT_ID = "00000000-0000-4000-a000-000000000001"


def refused_by_an_older_release() -> DeadLetter:
    """What is a good event for this release."""
    now = datetime.now(UTC)
    event = {"event_id": EVENT_ID, "name": "page_view", "source": "website", "site_id": "retried", "visitor_id": "v"}
    payload = json.dumps({**event, "occurred_at": now.isoformat(), "received_at": now.isoformat()})
    return DeadLetter(
        dead_letter_id=dead_letter_id(payload.encode(), RejectReason.UNKNOWN_VERSION),
        reason=RejectReason.UNKNOWN_VERSION,
        detail="schema_version: this release knows 0",
        refused_by="classify",
        refused_at=now,
        site_id="retried",
        event_id=EVENT_ID,
        payload=payload,
    )


def run(stack: RunningStack, *words: str) -> str:
    result = CliRunner().invoke(app, [*words, "--data-dir", str(stack.settings.data_dir)])
    assert result.exit_code == 0, result.output
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
