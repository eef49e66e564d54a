"""The table of `raceline kpis`, as terminals show it."""

import io

import pytest
from rich.console import Console

from raceline.kpis import Report
from raceline.report import kpi_table
from schemas.kpi import GROUPS, KPIS


def shown(report: Report, width: int) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(kpi_table("demo", report))
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


@pytest.fixture
def report() -> Report:
    return {group: {kpi.id: 1_234_567 for kpi in KPIS if kpi.group == group} for group in GROUPS}


@pytest.mark.parametrize("width", [80, 120, 200])
def test_every_title_and_value_is_readable_in_a_terminal_of_any_width(report: Report, width: int) -> None:
    text = shown(report, width)
    assert not [kpi.title for kpi in KPIS if kpi.title not in text]
    assert not [group for group in GROUPS if group not in text]
    assert text.count("1,234,567") == sum(kpi.unit != "share" for kpi in KPIS)
    assert text.count("123456700.0%") == sum(kpi.unit == "share" for kpi in KPIS)


def test_what_does_not_exist_is_a_dash_and_not_a_zero(report: Report) -> None:
    report["convert"]["aov"] = None
    [line] = [line for line in shown(report, 120).splitlines() if "Average order value" in line]
    assert "–" in line
    assert "0" not in line
