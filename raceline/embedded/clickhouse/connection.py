"""One connection to the engine: it runs one query at a time, on whichever thread, and keeps SET, USE and temporary
tables to itself."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from chdb import ChdbError
from chdb.state.sqlitelike import Connection as ChdbConnection

from raceline.embedded.clickhouse.errors import from_engine


@dataclass(frozen=True)
class Counts:
    """What the engine says of one query."""

    read_rows: int = 0
    read_bytes: int = 0
    written_rows: int = 0
    written_bytes: int = 0
    result_rows: int = 0
    elapsed_seconds: float = 0.0


def _quoted(text: str, quote: str) -> str:
    escaped = text.replace("\\", "\\\\").replace(quote, "\\" + quote)
    return f"{quote}{escaped}{quote}"


class Connection:
    """Calls block. Every method raises QueryFailedError for what the engine refuses."""

    def __init__(self, address: str) -> None:
        self._engine: Any = ChdbConnection(address)  # its types know text only, it takes bytes as well

    def use(self, database: str) -> None:
        """Make unqualified names mean this database."""
        self.run(f"USE {_quoted(database, '`')}".encode(), "Null", {})

    def set(self, settings: Mapping[str, str]) -> None:
        """Apply settings until they are set again."""
        if settings:
            pairs = ", ".join(f"{_quoted(name, '`')} = {_quoted(value, chr(39))}" for name, value in settings.items())
            self.run(f"SET {pairs}".encode(), "Null", {})

    def reset(self, names: Collection[str]) -> None:
        """Give settings their default again."""
        if names:
            self.run(("SET " + ", ".join(f"{_quoted(name, '`')} = DEFAULT" for name in names)).encode(), "Null", {})

    def run(self, sql: bytes, output_format: str, params: Mapping[str, str]) -> tuple[bytes, Counts]:
        """Run to the end. The result is held in memory."""
        try:
            result = self._engine.query(sql, output_format, params=dict(params))
        except (ChdbError, RuntimeError, ValueError) as error:
            raise from_engine(str(error)) from None
        return result.bytes() or b"", _counts(result)

    def stream(self, sql: bytes, output_format: str, params: Mapping[str, str]) -> Iterator[tuple[bytes, int]]:
        """The rows of a SELECT, block by block, with their number; only for formats without a head or a foot."""
        try:
            with self._engine.send_query(sql, output_format, params=dict(params)) as blocks:
                for block in blocks:
                    yield block.bytes(), block.rows_read()
        except (ChdbError, RuntimeError, ValueError) as error:
            raise from_engine(str(error)) from None

    def close(self) -> None:
        """Give it back to the engine, which ends with its last connection."""
        self._engine.close()


def _counts(result: Any) -> Counts:
    return Counts(
        read_rows=result.storage_rows_read(),
        read_bytes=result.storage_bytes_read(),
        written_rows=result.rows_written(),
        written_bytes=result.bytes_written(),
        result_rows=result.rows_read(),
        elapsed_seconds=result.elapsed(),
    )
