"""The formats that `raceline send` reads, by name."""

from types import MappingProxyType
from typing import Final

from producers.files.access_log import read_access_log
from producers.files.events import read_events
from producers.files.items import Reader, UnreadableFile
from producers.files.table import read_table

FORMATS: Final = MappingProxyType(
    {
        "events": read_events,
        "access-log": read_access_log,
        "csv": read_table,
    }
)


def reader_for(name: str) -> Reader:
    """Raises `UnreadableFile` for a name that is not in the table."""
    if name not in FORMATS:
        raise UnreadableFile(f"unknown format {name!r}; the formats are {', '.join(FORMATS)}")
    return FORMATS[name]
