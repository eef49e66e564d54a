"""What the worker writes and reads is what the migrated database has."""

import re
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client

from stream_processors.race.facts import Fact
from stream_processors.race.history import Derived
from stream_processors.race.rules import ORDER_NAMES
from stream_processors.store import query
from stream_processors.tables import DERIVED, EVENTS, TABLES

MIGRATIONS = Path(__file__).resolve().parents[2] / "sql" / "migrations"
BY_THE_DATABASE = {"events": {"stored_at"}, "barriers": {"passed_at"}}


@pytest.mark.parametrize("table", TABLES)
def test_columns_are_those_of_the_table_in_order_and_type(client: Client, table: str) -> None:
    rows = client.query(
        "select name, type from system.columns where database = currentDatabase() and table = {table:String} "
        "order by position",
        parameters={"table": table},
    ).result_rows
    filled_in = BY_THE_DATABASE.get(table, set())
    assert [(name, type_) for name, type_ in rows if name not in filled_in] == list(TABLES[table].items())


def selected(name: str) -> list[str]:
    """The columns of a query of one select, by their aliases."""
    columns = re.search(r"select(.*?)\nfrom", query(name), re.DOTALL)
    assert columns
    return [column.split()[-1] for column in columns[1].split(",")]


def test_facts_are_read_in_the_order_of_their_fields() -> None:
    assert selected("store.history") == ["site_id", "node", "version", *Fact._fields]


def test_derived_rows_are_read_in_the_order_of_their_fields() -> None:
    assert selected("store.derived") == ["site_id", "event_id", "version", *Derived._fields]


def test_derived_rows_are_written_in_the_order_of_their_fields() -> None:
    written = [
        name for name in DERIVED if name not in ("site_id", "minute", "event_id", "version", "is_deleted", "node")
    ]
    assert written == [field.removesuffix("_ms") for field in Derived._fields]


def test_the_copies_by_node_have_the_same_columns(client: Client) -> None:
    def columns(table: str) -> dict[str, str]:
        rows = client.query(f"describe table {table}").result_rows
        return {row[0]: row[1] for row in rows}

    assert columns("derived_by_node") == DERIVED
    history = columns("history")
    assert history.pop("node") == "String"
    assert history.items() <= EVENTS.items()


def test_the_history_finds_orders_under_the_names_that_the_rules_have() -> None:
    found = re.search(r"name in \(([^)]*)\)", (MIGRATIONS / "0003_history_of_events.sql").read_text())
    assert found
    assert set(re.findall(r"'(\w+)'", found[1])) == ORDER_NAMES
