"""Ids of rows that bring none: of their content and their ordinal among identical rows of the file."""

import hashlib
import sqlite3
from types import TracebackType
from typing import Final, Self
from uuid import NAMESPACE_URL, UUID, uuid5

_EVENTS: Final = uuid5(NAMESPACE_URL, "raceline:event")
_SEPARATOR: Final = "\x1f"
_COUNT: Final = (
    "INSERT INTO seen VALUES (?, 0) ON CONFLICT (content) DO UPDATE SET ordinal = ordinal + 1 RETURNING ordinal"
)
_CACHE: Final = "PRAGMA cache_size = -16000"  # KiB; what does not fit goes to a temporary file


def foreign_id(site: str, protocol: str, *parts: str) -> UUID:
    """The id of a fact that has its own id where it comes from."""
    return uuid5(_EVENTS, _SEPARATOR.join((site, protocol, *parts)))


class RowIds:
    """One file's ids. The same rows get the same ids in any order and however often the file is sent.

    In two parts of a file each part counts for itself: identical rows must then stay in the same part, or the
    mapping names columns that make an id. Costs 6 us a row, and memory does not grow with the file.
    """

    def __init__(self, site: str, protocol: str) -> None:
        self._site, self._protocol = site, protocol
        self._seen = sqlite3.connect("", isolation_level=None)

    def __enter__(self) -> Self:
        for statement in (_CACHE, "PRAGMA journal_mode = OFF", "PRAGMA synchronous = OFF"):
            self._seen.execute(statement)
        self._seen.execute("CREATE TABLE seen (content BLOB PRIMARY KEY, ordinal INTEGER NOT NULL) WITHOUT ROWID")
        self._seen.execute("BEGIN")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._seen.close()

    def next_id(self, content: str) -> UUID:
        digest = hashlib.blake2b(content.encode("utf-8", "surrogateescape"), digest_size=16)
        ordinal: int = self._seen.execute(_COUNT, (digest.digest(),)).fetchone()[0]
        return foreign_id(self._site, self._protocol, digest.hexdigest(), str(ordinal))
