"""The benchmarks run, on little: what they measure here says nothing."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

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
