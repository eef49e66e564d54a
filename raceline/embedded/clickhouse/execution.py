"""Running one request's statement: what it reads, what it inserts from the body, what it answers."""

from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from raceline.embedded.clickhouse.body import Body
from raceline.embedded.clickhouse.connection import Connection, Counts
from raceline.embedded.clickhouse.errors import QueryFailedError
from raceline.embedded.clickhouse.query import Query
from raceline.embedded.clickhouse.statement import Insert, Statement, check_values, parse

# Rows of these stand alone: blocks can be sent while later ones are computed, and that is four times faster.
_STREAMED: Final = frozenset({"native", "rowbinary", "tabseparated", "tsv", "csv", "jsoneachrow", "tabseparatedraw"})
_HEAD_BYTES: Final = 1 << 20
_INLINE_VALUES: Final = _HEAD_BYTES
_LONGEST_STATEMENT: Final = 64 << 20


@dataclass
class Execution:
    """One statement on one connection. `counts` is known when `pieces` has ended."""

    query: Query
    body: Body
    statement: Statement = field(init=False)
    counts: Counts = field(default_factory=Counts)
    _sql: bytes = field(init=False)
    _body_offset: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        """Read the statement. Raises QueryFailedError when it is none."""
        in_url = self.query.sql.encode(errors="surrogateescape")
        url_part = in_url.rstrip(b"\n") + b"\n" if in_url else b""
        self._sql = url_part + (b"" if self.query.body_is_form else self.body.head(_HEAD_BYTES))
        self._body_offset = -len(url_part)
        self.statement = parse(self._sql)
        if self.statement.insert is None and self.body.size > _HEAD_BYTES and not self.query.body_is_form:
            self._sql = url_part + self.body.head(_LONGEST_STATEMENT)
            self.statement = parse(self._sql)

    @property
    def output_format(self) -> str:
        """The format of the answer."""
        return self.statement.output_format or self.query.default_format or "TabSeparated"

    def pieces(self, connection: Connection) -> Generator[bytes, None, None]:
        """Run it; gives the answer piece by piece. Raises QueryFailedError, also midway."""
        insert = self.statement.insert
        if insert is not None and not self._is_inline(insert):
            self._insert_file(connection, insert)
        elif self.statement.verb in {"select", "with"} and self.output_format.lower() in _STREAMED:
            yield from self._stream(connection)
        else:
            if insert is not None:
                check_values(self._sql[insert.data_offset :])
            result, self.counts = connection.run(self._sql, self.output_format, self.query.params)
            yield result

    def _is_inline(self, insert: Insert) -> bool:
        """Values may hold expressions and parameters, which a file of values cannot name."""
        return insert.data_format == "Values" and self.body.size < _INLINE_VALUES

    def _stream(self, connection: Connection) -> Iterator[bytes]:
        rows = 0
        for piece, piece_rows in connection.stream(self._sql, self.output_format, self.query.params):
            rows += piece_rows
            yield piece
        self.counts = Counts(result_rows=rows)

    def _insert_file(self, connection: Connection, insert: Insert) -> None:
        file = self._data_file(insert)
        try:
            sql = b"%s FROM INFILE '%s' %s FORMAT %s" % (
                insert.head,
                bytes(file).replace(b"\\", b"\\\\").replace(b"'", b"\\'"),
                _without_expressions(insert),
                insert.data_format.encode(),
            )
            self.counts = connection.run(sql, "Null", self.query.params)[1]
        except QueryFailedError as error:
            raise QueryFailedError(error.code, error.text.replace(str(file), "request body")) from None
        finally:
            file.unlink()

    def _data_file(self, insert: Insert) -> Path:
        """The rows: what stands in the body, after what of the statement stands there too."""
        return self.body.spool_from(max(0, insert.data_offset + self._body_offset), self._rows_in_url(insert))

    def _rows_in_url(self, insert: Insert) -> bytes:
        return self._sql[insert.data_offset : -self._body_offset] if insert.data_offset < -self._body_offset else b""


def _without_expressions(insert: Insert) -> bytes:
    """The settings of an insert from a file; nobody has looked whether values in it call forbidden functions."""
    if insert.data_format != "Values":
        return insert.settings
    plain = b"input_format_values_interpret_expressions = 0"
    return insert.settings.rstrip() + b", " + plain if insert.settings.strip() else b"SETTINGS " + plain
