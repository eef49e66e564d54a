"""Tests in a browser where there is none: they are skipped before anything is started for them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.e2e


def test_no_stack_is_started_for_tests_that_are_skipped(tmp_path: Path) -> None:
    tests = ROOT / "tests" / "end_to_end" / "test_a_page_in_a_browser.py"
    command = [sys.executable, "-m", "pytest", "-q", "--setup-show", "-p", "no:cacheprovider", str(tests)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RACELINE_REQUIRE_")}
    environment |= {"PATH": str(tmp_path), "PYTEST_ADDOPTS": f"--basetemp={tmp_path / 'nested'}"}
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stdout
    assert "needs a Chromium" in ran.stdout
    assert "passed" not in ran.stdout
    assert not [line for line in ran.stdout.splitlines() if line.split()[:3] == ["SETUP", "M", "stack"]], ran.stdout
