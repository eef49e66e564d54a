"""Tables: CSV with any delimiter, or columns separated by blanks, read through a mapping."""

import csv
from collections.abc import Iterator
from dataclasses import replace
from typing import BinaryIO, NamedTuple, Self
from uuid import UUID

from pydantic import JsonValue, ValidationError

from producers.files.cells import cell_value, moment
from producers.files.items import Item, ReadOptions, Skipped, UnreadableFile, refused
from producers.files.mapping import Mapping, NameCell, load_mapping
from producers.files.opening import numbered_lines
from producers.files.row_ids import RowIds, foreign_id
from producers.privacy import clean_url, hash_email_id, truncate_ip
from schemas.events import Event
from schemas.rejection import Rejection, RejectReason


class Row(NamedTuple):
    line: int
    cells: list[str]
    damage: str = ""


def read_table(stream: BinaryIO, options: ReadOptions) -> Iterator[Item]:
    """Raises `UnreadableFile` where the mapping is missing, wrong or does not fit the header."""
    if options.mapping is None:
        raise UnreadableFile("a table needs --mapping: which column is what")
    mapping = load_mapping(options.mapping)
    site = options.site or mapping.site
    if site is None:
        raise UnreadableFile("no site: give --site, or `site` in the mapping")
    rows = _rows(stream, mapping)
    columns = mapping.columns or _header(rows, mapping)
    with RowIds(site, mapping.name) as ids:
        table = _Table(replace(options, site=site), mapping, site, columns, ids)
        yield from (table.item(row) for row in rows)


def _rows(stream: BinaryIO, mapping: Mapping) -> Iterator[Row]:
    cut: list[int] = []  # lines of the row at hand that were too long
    lines = _text(stream, mapping.encoding, cut)
    reader = _Blanks(lines) if mapping.whitespace else csv.reader(lines, delimiter=mapping.delimiter, strict=True)
    while True:
        first = reader.line_num + 1
        cells, damage = None, ""
        try:
            cells = next(reader, None)
        except csv.Error as error:
            damage = f"lines {first} to {reader.line_num}: {error}"
        if cells is None and not damage:
            return
        yield Row(first, cells or [], "longer than 256 KiB" if cut else damage)
        cut.clear()


def _text(stream: BinaryIO, encoding: str, cut: list[int]) -> Iterator[str]:
    for line in numbered_lines(stream):
        if line.too_long:
            cut.append(line.number)
        yield line.content.decode(encoding, "replace") + "\n"


class _Blanks:
    """`csv.reader` for columns that any run of blanks separates."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines, self.line_num = lines, 0

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> list[str]:
        cells = next(self._lines).split()
        self.line_num += 1
        return cells


def _header(rows: Iterator[Row], mapping: Mapping) -> tuple[str, ...]:
    header = next(rows, None)
    columns = tuple(cell.strip() for cell in header.cells) if header else ()
    try:
        mapping.check_columns(columns)
    except ValueError as error:
        raise UnreadableFile(f"{mapping.name}: {error}") from error
    return columns


class _Table(NamedTuple):
    options: ReadOptions
    mapping: Mapping
    site: str
    columns: tuple[str, ...]
    ids: RowIds

    def item(self, row: Row) -> Item:
        if not row.cells and not row.damage:
            return Skipped(row.line, "blank line")
        if row.damage or len(row.cells) != len(self.columns):
            return self._refused(row, row.damage or f"{len(row.cells)} columns instead of {len(self.columns)}")
        cells = dict(zip(self.columns, row.cells, strict=True))
        name = self._name(cells)
        if name is None:
            return Skipped(row.line, "no name for this row")
        try:
            return self._event(row, cells, name)
        except ValidationError as error:
            problem = error.errors()[0]
            return self._refused(row, f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}")
        except ValueError as error:
            return self._refused(row, str(error))

    def _name(self, cells: dict[str, str]) -> str | None:
        event = self.mapping.event
        return event.names.get(cells[event.column].strip()) if isinstance(event, NameCell) else event

    def _event(self, row: Row, cells: dict[str, str], name: str) -> Event:
        fields: dict[str, JsonValue] = {}
        context: dict[str, JsonValue] = {"imported": True}
        properties: dict[str, JsonValue] = {}
        places = {"context": context, "properties": properties}
        event_id = self._id(row, cells)
        cells = {**cells, "row_id": str(event_id)}
        for key, cell in self.mapping.cells():
            place, _, field = key.partition(".")
            value = self._value(key, cell_value(cell, cells, self.mapping.decimal))
            if value is not None:
                places.get(place, fields)[field or place] = value
        return Event.model_validate(
            {
                **fields,
                "event_id": event_id,
                "name": name,
                "source": self.mapping.source,
                "site_id": self.site,
                "occurred_at": moment(self.mapping.occurred_at, cells),
                "received_at": self.options.now,
                "context": context,
                "properties": properties,
            }
        )

    def _id(self, row: Row, cells: dict[str, str]) -> UUID:
        if self.mapping.id:
            return foreign_id(self.site, self.mapping.name, *(cells[column].strip() for column in self.mapping.id))
        return self.ids.next_id("\x1f".join(row.cells))

    def _value(self, key: str, value: JsonValue) -> JsonValue:
        if not isinstance(value, str):
            return value
        if key in ("visitor_id", "user_id", "session_id"):
            return hash_email_id(value, self.options.secret)
        if key in ("context.url", "context.referrer"):
            return clean_url(value)
        return truncate_ip(value) if key == "context.ip" else value

    def _refused(self, row: Row, detail: str) -> Item:
        rejection = Rejection(reason=RejectReason.INVALID_EVENT, detail=detail)
        payload = (" " if self.mapping.whitespace else self.mapping.delimiter).join(row.cells).encode()
        return refused(row.line, rejection, payload, self.options)
