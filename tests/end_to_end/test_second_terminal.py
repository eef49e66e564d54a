"""Whoever asks in another terminal is told the same, whether by `raceline kpis`, by curl or by a ClickHouse client."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import clickhouse_connect
import pytest
from running_stack import RunningStack

from raceline.kpis import Report

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl"),
]

README = Path(__file__).resolve().parents[2] / "README.md"
_SHELL = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)


def in_readme(*words: str) -> str:
    """The one command of the README that has these words, with the lines that it continues on."""
    commands = re.split(r"(?<!\\)\n", "".join(_SHELL.findall(README.read_text())))
    (found,) = (command for command in commands if all(word in command for word in words))
    return found


def typed(stack: RunningStack, line: str) -> str:
    """Types the line into a shell, with the ports of this stack."""
    here = line.replace("http://127.0.0.1:8080", stack.settings.collector_url)
    here = here.replace("http://127.0.0.1:8123", stack.settings.clickhouse_url)
    done = subprocess.run(["bash", "-c", here], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def report(stack: RunningStack) -> Report:
    """What `raceline kpis` says, after the event that the README sends has come."""
    answer = json.loads(typed(stack, in_readme("curl", "/v1/events")))
    assert answer["accepted"] == 1
    stack.settle()
    report: Report = json.loads(stack.command("kpis", "--site", "demo", "--format", "json"))
    assert report["reach"]["page_views"]
    return report


def test_the_curl_line_of_the_readme_says_what_raceline_kpis_says(stack: RunningStack, report: Report) -> None:
    names, values = (row.split("\t") for row in typed(stack, in_readme("curl", ":8123")).splitlines())
    groups = {"unique_visitors": "reach", "orders": "convert", "revenue": "convert"}
    assert names == list(groups)
    assert dict(zip(names, map(float, values), strict=True)) == {name: report[groups[name]][name] for name in names}


def test_a_clickhouse_client_says_what_raceline_kpis_says(stack: RunningStack, report: Report) -> None:
    flat = {kpi: value for group in report.values() for kpi, value in group.items()}
    view = "kpis(site = 'demo', since = '1990-01-01', until = '2100-01-01', dimension = 'all')"
    with clickhouse_connect.get_client(dsn=stack.settings.clickhouse_url, database="raceline") as client:
        (row,) = client.query(f"select {', '.join(flat)} from {view}").named_results()
    assert {kpi: None if value is None else float(value) for kpi, value in row.items()} == flat
