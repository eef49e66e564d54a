"""A real purchase history through the whole pipeline: 6,919 orders of 2,357 customers."""

import threading
import time
from pathlib import Path

import pytest
from running_stack import RunningStack, until

from raceline.kpis import Report

pytestmark = pytest.mark.e2e


@pytest.fixture
def cdnow(shared_data: Path) -> Path:
    return shared_data / "cdnow" / "CDNOW_sample.txt"


def assert_known_totals(report: Report) -> None:
    convert, engage = report["convert"], report["engage"]
    assert convert["orders"] == 6919
    assert convert["revenue"] == 244_091.94
    assert convert["first_orders"] == 2357
    assert convert["customers"] == 2357
    assert engage["repeat_orders"] == 4562
    assert engage["repeat_customers"] == 1152


def test_totals_are_right_and_stay_so_when_the_file_is_sent_twice(stack: RunningStack, cdnow: Path) -> None:
    for _ in range(2):
        assert stack.send(cdnow, site="cdnow", format="csv", mapping="cdnow").accepted == 6919
        stack.settle()
        assert_known_totals(stack.kpis("cdnow"))


def test_totals_are_the_same_in_reverse_order(stack: RunningStack, cdnow: Path, tmp_path: Path) -> None:
    reverse = tmp_path / "reverse.txt"
    reverse.write_text("".join(reversed(cdnow.read_text().splitlines(keepends=True))))
    stack.send(reverse, site="cdnow_reverse", format="csv", mapping="cdnow")
    stack.settle()
    assert_known_totals(stack.kpis("cdnow_reverse"))


def test_totals_are_the_same_in_two_halves_at_once(stack: RunningStack, cdnow: Path, tmp_path: Path) -> None:
    lines = cdnow.read_text().splitlines(keepends=True)
    halves = [tmp_path / "first.txt", tmp_path / "second.txt"]
    halves[0].write_text("".join(lines[:3460]))
    halves[1].write_text("".join(lines[3460:]))
    senders = [
        threading.Thread(
            target=stack.send, args=(half,), kwargs={"site": "cdnow_halves", "format": "csv", "mapping": "cdnow"}
        )
        for half in halves
    ]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    stack.settle()
    assert_known_totals(stack.kpis("cdnow_halves"))


def test_totals_are_the_same_with_a_worker_killed_half_way(stack: RunningStack, cdnow: Path, tmp_path: Path) -> None:
    lines = cdnow.read_text().splitlines(keepends=True)
    halves = [tmp_path / "first.txt", tmp_path / "second.txt"]
    halves[0].write_text("".join(lines[:3500]))
    halves[1].write_text("".join(lines[3500:]))
    sent = 0
    for half, worker in zip(halves, stack.workers, strict=True):
        before = stack.stored("cdnow_killed")
        sent += stack.send(half, site="cdnow_killed", format="csv", mapping="cdnow").accepted
        until(lambda before=before: stack.stored("cdnow_killed") > before)  # type: ignore[misc]
        worker.kill()
        assert stack.kpis("cdnow_killed")["convert"]["orders"] != sent, "it was killed in the middle of its work"
        stack.watching(lambda: time.sleep(2))
    stack.watching(stack.settle)
    assert_known_totals(stack.kpis("cdnow_killed"))
