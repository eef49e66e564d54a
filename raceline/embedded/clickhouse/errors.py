"""Failures of one request in ClickHouse's own terms: a code, a sentence, and the HTTP status ClickHouse gives to it."""

import re
from dataclasses import dataclass
from typing import Final

SYNTAX_ERROR: Final = 62
UNKNOWN_FORMAT: Final = 73
NOT_IMPLEMENTED: Final = 48
BAD_ARGUMENTS: Final = 36
READONLY: Final = 164
SESSION_NOT_FOUND: Final = 372
SESSION_IS_LOCKED: Final = 373
CANNOT_DECOMPRESS: Final = 271
TOO_LARGE: Final = 307
ACCESS_DENIED: Final = 497
AUTHENTICATION_FAILED: Final = 516

_NAMES: Final = {
    SYNTAX_ERROR: "SYNTAX_ERROR",
    NOT_IMPLEMENTED: "NOT_IMPLEMENTED",
    BAD_ARGUMENTS: "BAD_ARGUMENTS",
    READONLY: "READONLY",
    SESSION_NOT_FOUND: "SESSION_NOT_FOUND",
    SESSION_IS_LOCKED: "SESSION_IS_LOCKED",
    CANNOT_DECOMPRESS: "CANNOT_DECOMPRESS",
    TOO_LARGE: "TOO_MANY_BYTES",
    ACCESS_DENIED: "ACCESS_DENIED",
    AUTHENTICATION_FAILED: "AUTHENTICATION_FAILED",
}

# 400: what was typed cannot work; 404: what was named does not exist.
_BAD_REQUEST: Final = frozenset({6, 26, 27, 36, 38, 41, 42, 43, 53, 62, 69, 70, 72, 117, 130, 131, 349, 409, 475, 693})
_NOT_FOUND: Final = frozenset({16, 46, 47, 60, 66, 73, 81, 110, 115, 372})
_STATUS: Final = {
    **dict.fromkeys(_BAD_REQUEST, 400),
    **dict.fromkeys(_NOT_FOUND, 404),
    159: 408,  # TIMEOUT_EXCEEDED
    158: 413,  # TOO_MANY_ROWS
    307: 413,  # TOO_MANY_BYTES
    192: 403,  # UNKNOWN_USER
    193: 403,  # WRONG_PASSWORD
    READONLY: 403,
    497: 403,  # ACCESS_DENIED
    AUTHENTICATION_FAILED: 403,
    NOT_IMPLEMENTED: 501,
    202: 503,  # TOO_MANY_SIMULTANEOUS_QUERIES
}
_CODE = re.compile(r"Code: (\d+)\. ")


@dataclass
class QueryFailedError(Exception):
    """One request failed; `text` is what the client reads."""

    code: int
    text: str

    @property
    def status(self) -> int:
        """The HTTP status that ClickHouse answers for this code."""
        return _STATUS.get(self.code, 500)


def refusal(code: int, sentence: str) -> QueryFailedError:
    """A failure that this server itself decides, worded like the engine's."""
    return QueryFailedError(code, f"Code: {code}. DB::Exception: {sentence} ({_NAMES[code]})")


def from_engine(message: str) -> QueryFailedError:
    """The engine's own failure; what it put before the code is left out."""
    found = _CODE.search(message)
    if found is None:
        return QueryFailedError(1002, f"Code: 1002. DB::Exception: {message} (UNKNOWN_EXCEPTION)")
    return QueryFailedError(int(found[1]), message[found.start() :].strip())
