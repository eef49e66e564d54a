"""The benchmarks run, on little: what they measure here says nothing."""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks.job import handle
from stream_processors.app import Agent
from stream_processors.fetches import Fetch, Record

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.e2e


def printed(*words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *words],
        env=os.environ | {"PYTHONPATH": str(ROOT / "tests" / "support")},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_contenders_give_an_agent_what_it_wants_again_until_it_wants_nothing() -> None:
    calls: list[list[int]] = []

    async def wants_the_later_half(fetches: Sequence[Fetch]) -> Sequence[Fetch]:
        calls.append([fetch.first_offset for fetch in fetches])
        return fetches[(len(fetches) + 1) // 2 :]

    fetches = [Fetch("t", 0, (Record(None, b"", offset, 0),), 1) for offset in range(4)]
    asyncio.run(handle(Agent("t", wants_the_later_half), fetches))
    assert calls == [[0, 1, 2, 3], [2, 3], [3]]


def test_throughput_measures_the_whole_job_beside_a_bare_loop() -> None:
    words = ["--broker", "tansu", "--contender", "bare_loop", "--runs", "1", "--events", "500"]
    table = printed("benchmarks.throughput", *words)
    assert re.search(r"raceline +[1-9]\d* ", table)
    assert re.search(r"bare_loop +[1-9]\d* .* at least 0\.5: (reached|MISSED)", table)


def test_latency_measures_from_the_answer_to_the_kpi() -> None:
    words = ["--broker", "tansu", "--runs", "1", "--seconds", "3", "--per-second", "20"]
    said = printed("benchmarks.latency", *words)
    found = re.search(r"p50 ([\d.]+) s, p95 ([\d.]+) s, p99 ([\d.]+) s", said)
    assert found is not None, said
    assert 0 < float(found[1]) <= float(found[2]) <= float(found[3])
