"""What a statement may not say, because it reaches out of the database and the engine's access rights do not stop it:
files named by the statement, the scalar function `file`, objects of this Python process, and SQL inside of settings."""

from collections.abc import Iterable
from itertools import pairwise
from typing import Final

from raceline.embedded.clickhouse.errors import ACCESS_DENIED, NOT_IMPLEMENTED, refusal

_CALLS: Final = frozenset({"file", "python", "input"})
_PAIRS: Final = frozenset({("into", "outfile"), ("from", "infile")})
_SETTINGS: Final = frozenset({"additional_table_filters", "additional_result_filter"})
_HINTS: Final = (b"file", b"python", b"input", b"\\")


def mentions_outside(sql: bytes) -> bool:
    """Quickly: whether a closer look is needed."""
    lower = sql.lower()
    return any(hint in lower for hint in _HINTS)


def refuse_outside(words: Iterable[str]) -> None:
    """Raise QueryFailedError for such a statement. Quoted names come with their opening quote."""
    for word, following in pairwise([*words, ""]):
        if (word, following) in _PAIRS:
            raise refusal(NOT_IMPLEMENTED, f"{word.upper()} {following.upper()} is not allowed over HTTP")
        name = word.lstrip('`"')
        # An escape could spell any name.
        if following == "(" and (name in _CALLS or (name != word and "\\" in name)):
            raise refusal(ACCESS_DENIED, f"The function {name} is not served")
        if name in _SETTINGS:
            refuse_setting(name)


def refuse_setting(name: str) -> None:
    """Raise QueryFailedError for a setting whose value is SQL."""
    if name in _SETTINGS:
        raise refusal(ACCESS_DENIED, f"The setting {name} is not served")
