"""The content of a table's cells as values of events. A cell that does not fit raises `ValueError` with a sentence."""

import re
from collections.abc import Mapping as Columns
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from pydantic import JsonValue

from producers.files.mapping import Cell, Moment, template_parts

_NUMBER: Final = re.compile(r"[-+]?\d+(?:\.\d+)?")
_INTEGER: Final = re.compile(r"[-+]?\d+")
_BOOLEANS: Final = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def cell_value(cell: Cell, row: Columns[str, str], decimal: str) -> JsonValue:
    """None for an empty cell."""
    if cell.template is not None:
        parts = template_parts(cell.template)
        return "".join(row[part] if index % 2 else part for index, part in enumerate(parts))
    if cell.column is None:
        return cell.constant
    text = row[cell.column].strip()
    return _typed(cell.type, text, decimal) if text else None


def _typed(kind: str, text: str, decimal: str) -> JsonValue:
    if kind == "number":
        return number(text, decimal)
    if kind == "integer":
        if _INTEGER.fullmatch(text) is None:
            raise ValueError(f"{text!r} is not an integer")
        return int(text)
    if kind == "boolean":
        if text.lower() not in _BOOLEANS:
            raise ValueError(f"{text!r} is neither true nor false")
        return _BOOLEANS[text.lower()]
    return text


def number(text: str, decimal: str) -> float:
    """The JSON number that reads as the same decimal; refused where none does (more than about 15 digits).

    The other mark is not taken for a decimal one: 1.234 may be a thousand.
    """
    other = "," if decimal == "." else "."
    plain = text.replace(decimal, ".")
    if other in text or _NUMBER.fullmatch(plain) is None:
        raise ValueError(f"{text!r} is not a number with the decimal mark {decimal!r}")
    value = float(plain)
    if Decimal(repr(value)) != Decimal(plain):
        raise ValueError(f"{text!r} has more digits than a JSON number keeps")
    return value


def moment(spec: Moment, row: Columns[str, str]) -> datetime:
    return _moment(spec.format, spec.zone, row[spec.column].strip())


@lru_cache(maxsize=4096)
def _moment(form: str, zone: str, text: str) -> datetime:
    try:
        if form in ("unix", "unix_ms"):
            seconds = Decimal(text) / (1000 if form == "unix_ms" else 1)
            return datetime.fromtimestamp(float(seconds), UTC)
        # the zone is the mapping's, put on below
        parsed = datetime.fromisoformat(text) if form == "iso" else datetime.strptime(text, form)  # noqa: DTZ007
    except (ValueError, ArithmeticError, OSError) as error:
        raise ValueError(f"{text!r} is not a time in the format {form!r}") from error
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=ZoneInfo(zone))).astimezone(UTC)
