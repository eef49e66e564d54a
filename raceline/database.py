"""Raceline's reading side of ClickHouse: what commands and the live page ask, and the migrations' connection."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from raceline.settings import CommandSettings

SQL: Final = Path(__file__).resolve().parent.parent / "sql"
DatabaseError = ClickHouseError


@cache
def query(name: str) -> str:
    return (SQL / "queries" / f"{name}.sql").read_text()


class Database:
    """Blocking; may be used from several threads. Raises `DatabaseError` when ClickHouse does not answer."""

    def __init__(self, client: Client) -> None:
        self._client = client

    @classmethod
    def connect(cls, settings: CommandSettings, *, database: str | None = None) -> "Database":
        return cls(
            clickhouse_connect.get_client(
                dsn=settings.clickhouse_url,
                username=settings.clickhouse_user,
                password=settings.clickhouse_password.get_secret_value(),
                database=settings.clickhouse_database if database is None else database,
                autogenerate_session_id=False,
                form_encode_query_params=True,
                send_receive_timeout=60,
            )
        )

    def rows(self, name: str, parameters: Mapping[str, Any] | None = None) -> Sequence[Mapping[str, Any]]:
        """The rows of the query in `sql/queries/<name>.sql`, by column name."""
        return list(self._client.query(query(name), parameters=dict(parameters or {})).named_results())

    def run(self, statement: str, parameters: Mapping[str, Any] | None = None) -> None:
        self._client.command(statement, parameters=dict(parameters or {}))

    def insert(self, table: str, rows: Sequence[Sequence[Any]], columns: Sequence[str]) -> None:
        self._client.insert(table, rows, column_names=list(columns))

    def close(self) -> None:
        self._client.close()
