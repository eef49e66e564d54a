"""`raceline wait` while the embedded broker is replaced."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from producers.publisher import Publisher
from raceline import wait as module
from raceline.database import Database
from raceline.settings import CommandSettings
from raceline.stack import Stack


def passes(data_dir: Path) -> bool:
    settings = CommandSettings(data_dir=data_dir)
    clock = iter(range(1000))
    return module._barriers_pass(
        settings, cast(Publisher, None), cast(Database, None), 100.0, lambda: float(next(clock))
    )


def announce(data_dir: Path, generation: int, *, ready: bool) -> None:
    Stack("kafka", "clickhouse", "collector", generation, ready=ready).write(data_dir)


def barriers(monkeypatch: pytest.MonkeyPatch, script: Iterator[None]) -> list[bool]:
    passed: list[bool] = []

    def pass_barriers(*_: object) -> bool:
        next(script, None)
        passed.append(True)
        return True

    monkeypatch.setattr(module, "pass_barriers", pass_barriers)
    return passed


def test_barriers_count_only_when_the_broker_was_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def roll() -> Iterator[None]:
        announce(tmp_path, 1, ready=True)
        yield

    announce(tmp_path, 0, ready=True)
    passed = barriers(monkeypatch, roll())
    assert passes(tmp_path)
    assert len(passed) == 2


def test_no_barrier_is_sent_before_the_broker_has_the_whole_spool(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    announce(tmp_path, 1, ready=False)
    passed = barriers(monkeypatch, iter(()))
    assert not passes(tmp_path)
    assert passed == []


def test_a_kafka_of_ones_own_is_never_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    passed = barriers(monkeypatch, iter(()))
    assert passes(tmp_path)
    assert len(passed) == 1
