"""Failures of one request in ClickHouse's own terms: a code, a sentence, and the HTTP status ClickHouse gives to it."""

import re
from dataclasses import dataclass
from typing import Final

SYNTAX_ERROR: Final = 62
NOT_IMPLEMENTED: Final = 48
BAD_ARGUMENTS: Final = 36
SESSION_IS_LOCKED: Final = 373
CANNOT_DECOMPRESS: Final = 271
TOO_LARGE: Final = 307
ACCESS_DENIED: Final = 497
AUTHENTICATION_FAILED: Final = 516
_POCO: Final = 1000

_NAMES: Final = {
    SYNTAX_ERROR: "SYNTAX_ERROR",
    NOT_IMPLEMENTED: "NOT_IMPLEMENTED",
    BAD_ARGUMENTS: "BAD_ARGUMENTS",
    SESSION_IS_LOCKED: "SESSION_IS_LOCKED",
    CANNOT_DECOMPRESS: "CANNOT_DECOMPRESS",
    TOO_LARGE: "TOO_MANY_BYTES",
    ACCESS_DENIED: "ACCESS_DENIED",
    AUTHENTICATION_FAILED: "AUTHENTICATION_FAILED",
}

# The same statuses as the server gives, except for what this server refuses itself (body too large, not decodable).
_BAD_REQUEST: Final = frozenset(
    {6, 8, 15, 25, 26, 27, 36, 37, 38, 41, 44, 53, 62, 72, 117, 123, 167, 168, 223, 321, 376, 427, 441, 675, 676}
)
_NOT_FOUND: Final = frozenset({46, 47, 50, 56, 60, 63, 73, 78, 81, 115, 152, 336, 511})
_FORBIDDEN: Final = frozenset({192, 193, ACCESS_DENIED, 512, AUTHENTICATION_FAILED})
_STATUS: Final = {
    **dict.fromkeys(_BAD_REQUEST, 400),
    **dict.fromkeys(_NOT_FOUND, 404),
    **dict.fromkeys(_FORBIDDEN, 403),
    76: 503,  # CANNOT_OPEN_FILE
    159: 408,  # TIMEOUT_EXCEEDED
    194: 401,  # REQUIRED_PASSWORD
    209: 503,  # SOCKET_TIMEOUT
    229: 413,  # QUERY_IS_TOO_LARGE
    CANNOT_DECOMPRESS: 400,
    TOO_LARGE: 413,
    439: 503,  # CANNOT_SCHEDULE_TASK
    NOT_IMPLEMENTED: 501,
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


def form_refusal(sentence: str) -> QueryFailedError:
    """A server's failure to read a request's fields, which comes from its HTTP library."""
    text = f"HTML Form Exception: {sentence}"
    return QueryFailedError(_POCO, f"Poco::Exception. Code: {_POCO}, e.code() = 0, {text}")


def from_engine(message: str) -> QueryFailedError:
    """The engine's own failure; what it put before the code is left out."""
    found = _CODE.search(message)
    if found is None:
        return QueryFailedError(1002, f"Code: 1002. DB::Exception: {message} (UNKNOWN_EXCEPTION)")
    return QueryFailedError(int(found[1]), message[found.start() :].strip())
