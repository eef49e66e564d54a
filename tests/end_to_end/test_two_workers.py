"""Two workers on the same persons and minutes, one of them stopped in the middle of what it does."""

import json
import os
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import pytest
from running_stack import RunningStack, until

pytestmark = pytest.mark.e2e

PERSONS = 300
START = datetime.now(UTC).replace(microsecond=0) - timedelta(days=2)


def events_of(number: int, random: Random) -> Iterator[dict[str, Any]]:
    """Three orders in the same millisecond: one by the visitor, one by the user, one by both; and who is who."""
    at = START + timedelta(minutes=number % 7)
    visitor, user = {"visitor_id": f"v{number}"}, {"user_id": f"u{number}"}
    for who in (visitor, user, visitor | user):
        yield {"name": "purchase", "occurred_at": at.isoformat(), "properties": {"value": 10, "currency": "EUR"}} | who
    linked = at + timedelta(minutes=random.choice((-1, 1)))
    yield {"name": "sign_up", "occurred_at": linked.isoformat()} | visitor | user


def write_files(folder: Path, site: str) -> list[Path]:
    random = Random(7)
    rows = [row for number in range(PERSONS) for row in events_of(number, random)]
    random.shuffle(rows)
    now = datetime.now(UTC).isoformat()
    fixed = {"site_id": site, "source": "website", "received_at": now}
    lines = [
        json.dumps({"event_id": str(UUID(int=random.getrandbits(128), version=4)), **fixed, **row}) + "\n"
        for row in rows
    ]
    paths = [folder / f"part-{number}.ndjson" for number in range(4)]
    for number, path in enumerate(paths):
        path.write_text("".join(lines[number :: len(paths)]))
    return paths


def test_orders_keyed_by_visitor_and_by_user_have_one_first_order(stack: RunningStack, tmp_path: Path) -> None:
    stack.send(*write_files(tmp_path, "two_keys"), site="two_keys")
    stack.settle()
    convert, engage = stack.kpis("two_keys")["convert"], stack.kpis("two_keys")["engage"]
    assert (convert["orders"], convert["first_orders"], engage["repeat_orders"]) == (3 * PERSONS, PERSONS, 2 * PERSONS)
    assert (convert["customers"], engage["repeat_customers"]) == (PERSONS, PERSONS)


def test_a_stopped_worker_that_wakes_up_later_spoils_nothing(stack: RunningStack, tmp_path: Path) -> None:
    """It is stopped for longer than its session, so the other one takes its partitions and answers in its place."""
    worker = stack.workers[0].pid
    assert worker is not None
    first, *others = write_files(tmp_path, "stopped")
    stack.send(first, site="stopped")
    until(lambda: stack.stored("stopped") > 0)  # now there is something to derive and to roll up
    os.kill(worker, signal.SIGSTOP)
    assert stack.kpis("stopped")["convert"]["orders"] != 3 * PERSONS // 4, "it was stopped in the middle of its work"
    try:
        stack.send(*others, site="stopped")
        time.sleep(9)
    finally:
        os.kill(worker, signal.SIGCONT)
    stack.settle()
    convert, engage = stack.kpis("stopped")["convert"], stack.kpis("stopped")["engage"]
    assert (convert["orders"], convert["first_orders"], engage["repeat_orders"]) == (3 * PERSONS, PERSONS, 2 * PERSONS)
    assert convert["revenue"] == 30.0 * PERSONS
