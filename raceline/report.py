"""KPIs as a table for people."""

from rich.table import Table

from raceline.kpis import Report, Value
from schemas.kpi import KPIS, Kpi


def kpi_table(site: str, report: Report) -> Table:
    table = Table(title=f"KPIs of {site}")
    table.add_column("stage", no_wrap=True)
    table.add_column("KPI", no_wrap=True)
    table.add_column("value", justify="right", no_wrap=True)
    table.add_column("meaning", style="dim")  # the one that gives way where the terminal is narrow
    previous = ""
    for kpi in KPIS:
        table.add_row(kpi.group if kpi.group != previous else "", kpi.title, shown(kpi, report), kpi.meaning)
        previous = kpi.group
    return table


def shown(kpi: Kpi, report: Report) -> str:
    return formatted(kpi, report[kpi.group][kpi.id])


def formatted(kpi: Kpi, value: Value) -> str:
    if value is None:
        return "–"
    if kpi.unit == "share":
        return f"{value:.1%}"
    return f"{value:,.2f}" if kpi.unit == "money" else f"{value:,}"
