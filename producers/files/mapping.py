"""How the columns of a table become events: the mapping file, validated, with errors that name the key."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, ValidationError
from pydantic import model_validator as checks

from producers.files.items import UnreadableFile
from schemas.events import Context, EventName, SiteId, Source

SHIPPED: Final = Path(__file__).parent / "mappings"


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"no time zone is called {name!r}") from error
    return name


def _known_encoding(name: str) -> str:
    try:
        usable = "\n".encode(name) == b"\n"
    except LookupError:
        usable = False
    if not usable:
        raise ValueError(f"{name!r} is not an encoding in which a line ends with one byte")
    return name


def _column_by_name(value: object) -> object:
    return {"column": value} if isinstance(value, str) else value


def _context_fields(fields: dict[str, Any]) -> dict[str, Any]:
    if unknown := sorted(set(fields) - (set(Context.model_fields) - {"imported", "click_ids", "consent"})):
        raise ValueError(f"the context has no field {unknown[0]!r}")
    return fields


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Cell(_Part):
    """Where a value comes from: a column, a constant, or a template such as `shop-{order_no}`.

    `{row_id}` in a template is the row's event id. An empty column leaves the field out.
    """

    column: str | None = None
    constant: JsonValue = None
    template: str | None = None
    type: Literal["text", "integer", "number", "boolean"] = "text"

    @checks(mode="after")
    def _one_origin(self) -> Self:
        if len(self.model_fields_set & {"column", "constant", "template"}) != 1:
            raise ValueError("give exactly one of column, constant, template")
        columns_of(self)
        return self


AnyCell = Annotated[Cell, BeforeValidator(_column_by_name)]


class Moment(_Part):
    column: str
    format: str = Field("iso", description="iso, unix, unix_ms, or a strptime format")
    zone: Annotated[str, AfterValidator(_known_zone)] = Field("UTC", description="where the text names none")


class NameCell(_Part):
    """The event name by a column's content; rows with another content are skipped."""

    column: str
    names: dict[str, EventName]


class Mapping(_Part):
    name: str = Field(min_length=1, description="part of every row's id: rows of different tables never share one")
    delimiter: str = Field(",", min_length=1, max_length=1)
    whitespace: bool = Field(False, description="columns are separated by any run of blanks, without quotes")
    encoding: Annotated[str, AfterValidator(_known_encoding)] = "utf-8"
    decimal: Literal[".", ","] = "."
    columns: tuple[str, ...] | None = Field(None, description="names for a file without a header line")
    event: EventName | NameCell
    source: Source
    site: SiteId | None = None
    id: tuple[str, ...] = Field((), description="columns that identify a row; else content and ordinal do")
    occurred_at: Moment
    visitor_id: AnyCell | None = None
    user_id: AnyCell | None = None
    session_id: AnyCell | None = None
    context: Annotated[dict[str, AnyCell], AfterValidator(_context_fields)] = Field(default_factory=dict)
    properties: dict[str, AnyCell] = Field(default_factory=dict)

    @checks(mode="after")
    def _usable(self) -> Self:
        if self.visitor_id is None and self.user_id is None:
            raise ValueError("give user_id or visitor_id")
        if self.columns is not None:
            self.check_columns(self.columns)
        return self

    def cells(self) -> Iterator[tuple[str, Cell]]:
        for key in ("visitor_id", "user_id", "session_id"):
            if cell := getattr(self, key):
                yield key, cell
        yield from ((f"context.{key}", cell) for key, cell in self.context.items())
        yield from ((f"properties.{key}", cell) for key, cell in self.properties.items())

    def check_columns(self, columns: tuple[str, ...]) -> None:
        """Raises `ValueError` naming the first key whose column the file does not have."""
        used = [("occurred_at", self.occurred_at.column), *(("id", column) for column in self.id)]
        used += [("event", self.event.column)] if isinstance(self.event, NameCell) else []
        used += [(key, column) for key, cell in self.cells() for column in columns_of(cell)]
        for key, column in used:
            if columns.count(column) > 1:
                raise ValueError(f"{key}: there are {columns.count(column)} columns {column!r}")
            if column not in columns:
                raise ValueError(f"{key}: no column {column!r}; the columns are {', '.join(columns)}")


def columns_of(cell: Cell) -> list[str]:
    if cell.template is not None:
        return [part for part in template_parts(cell.template)[1::2] if part != "row_id"]
    return [] if cell.column is None else [cell.column]


def template_parts(template: str) -> list[str]:
    """Text and column names in turn."""
    parts = [piece for part in template.split("{") for piece in part.split("}", 1)]
    if template.count("{") != template.count("}") or len(parts) % 2 == 0:
        raise ValueError(f"the braces of {template!r} do not match")
    return parts


def load_mapping(path: Path) -> Mapping:
    """A file of the user's, or the name of a shipped one (`cdnow`). Raises `UnreadableFile`."""
    found = path if path.is_file() or path.suffix else SHIPPED / f"{path.name}.yaml"
    try:
        return Mapping.model_validate(yaml.safe_load(found.read_text(encoding="utf-8")))
    except ValidationError as error:
        problems = (
            f"{'.'.join(map(str, problem['loc'])) or 'mapping'}: {problem['msg']}" for problem in error.errors()
        )
        raise UnreadableFile(f"{found.name}: " + "; ".join(problems)) from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UnreadableFile(f"{path}: {error}") from error
