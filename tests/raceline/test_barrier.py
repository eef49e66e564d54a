"""Barriers against a database that shows them late, or never."""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from itertools import count
from typing import Any, cast

import pytest

from producers.outgoing import OutgoingRecord
from producers.publisher import Publisher
from raceline.barrier import ROUNDS, pass_barriers
from raceline.database import Database
from schemas.events import Event
from schemas.topics import PARTITIONS


class Pipeline:
    """Shows a barrier so many seconds after it was sent; one that is lost is never shown."""

    def __init__(self, latency: float, lost: int = 0) -> None:
        self.now = 0.0
        self.latency = latency
        self.lost = lost
        self.sent: dict[str, float] = {}
        self._number = count()

    def submit(self, records: Sequence[OutgoingRecord], timeout: float) -> "Future[None]":
        barrier_id = str(Event.model_validate_json(records[0].value).event_id)
        self.sent[barrier_id] = self.now + self.latency if next(self._number) >= self.lost else float("inf")
        done: Future[None] = Future()
        done.set_result(None)
        return done

    def rows(self, name: str, parameters: Mapping[str, Any]) -> list[dict[str, int]]:
        return [{"ways": PARTITIONS**3 if self.now >= self.sent[parameters["barrier_id"]] else 0}]


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: None)


def passes(pipeline: Pipeline, seconds: float) -> bool:
    def tick() -> None:
        pipeline.now += 1.0

    return pass_barriers(cast(Publisher, pipeline), cast(Database, pipeline), seconds, lambda: pipeline.now, check=tick)


def test_a_barrier_that_is_slower_than_the_next_one_is_sent_still_counts() -> None:
    pipeline = Pipeline(latency=40.0)
    assert passes(pipeline, 150.0)
    assert len(pipeline.sent) == 3 * ROUNDS, "a further one each 15 s"


def test_a_lost_barrier_is_followed_by_another() -> None:
    assert passes(Pipeline(latency=1.0, lost=1), 60.0)


def test_nothing_passes_before_its_time() -> None:
    assert not passes(Pipeline(latency=30.0), 80.0), "three rounds of 30 s"
