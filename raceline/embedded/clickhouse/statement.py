"""Just enough of ClickHouse's grammar to serve it over HTTP: one statement or several, its verb, its output format,
and where the data of an INSERT begins. The engine parses everything again; nothing here is trusted with safety that
the engine's own readonly mode gives."""

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from raceline.embedded.clickhouse.errors import NOT_IMPLEMENTED, SYNTAX_ERROR, refusal

_TOKEN: Final = re.compile(
    rb"(?P<space>\s+|--[^\n]*|\#[ !][^\n]*|/\*.*?\*/)"
    rb"|(?P<quoted>'(?:[^'\\]|\\.|'')*'|\"(?:[^\"\\]|\\.|\"\")*\"|`(?:[^`\\]|\\.|``)*`|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)"
    rb"|(?P<word>[A-Za-z_]\w*)"
    rb"|(?P<other>[0-9][\w.]*|.)",
    re.DOTALL,
)
_DATA_START: Final = re.compile(rb"[ \t\f]*(?:\r?\n)?")
_CONTROL_VERBS: Final = frozenset(
    {
        "insert",
        "create",
        "drop",
        "alter",
        "rename",
        "truncate",
        "set",
        "use",
        "grant",
        "revoke",
        "attach",
        "detach",
        "system",
        "optimize",
        "delete",
        "update",
        "exchange",
        "undrop",
        "backup",
        "restore",
        "move",
        "begin",
        "commit",
        "rollback",
    }
)


@dataclass(frozen=True)
class Insert:
    """An INSERT whose rows follow the statement: `head` + FROM INFILE + `settings` + FORMAT `data_format`."""

    head: bytes
    settings: bytes
    data_format: str
    data_offset: int


@dataclass(frozen=True)
class Statement:
    """One statement. `output_format` is what it names itself, `insert` is set where rows follow it."""

    verb: str
    output_format: str | None = None
    insert: Insert | None = None

    @property
    def gives_rows(self) -> bool:
        """Whether a result set is answered, even an empty one."""
        return self.verb not in _CONTROL_VERBS


@dataclass(frozen=True)
class _Token:
    word: str
    start: int
    end: int
    top: bool  # outside all brackets


def _tokens(sql: bytes) -> list[_Token]:
    """Words (lower case), and single characters; quoted things count as the word "'"; blanks are left out."""
    found: list[_Token] = []
    depth = 0
    for match in _TOKEN.finditer(sql):
        kind = match.lastgroup
        if kind == "space":
            continue
        word = "'" if kind in {"quoted", "tag"} else match[0].decode("latin-1").lower()
        depth -= word in {")", "]", "}"}
        found.append(_Token(word, match.start(), match.end(), depth <= 0))
        depth += word in {"(", "[", "{"}
        if kind == "word" and _begins_data(found):
            break
    return found


def _begins_data(found: list[_Token]) -> bool:
    """Whether the rows of an INSERT follow: what comes after is no SQL any more."""
    if found[0].word != "insert" or not found[-1].top:
        return False
    if found[-1].word == "values":
        return len(found) > 3
    return len(found) > 4 and found[-2].word == "format" and found[-2].top


def parse(sql: bytes) -> Statement:
    """What one statement is. Raises QueryFailedError for several statements, and for files of the server's machine."""
    tokens = _tokens(sql)
    if not tokens:
        raise refusal(SYNTAX_ERROR, "Empty query")
    _refuse_files(tokens)
    verb = next((token.word for token in tokens if token.word != "("), "")
    if verb == "insert":
        return Statement(verb, insert=_insert(sql, tokens))
    _refuse_several(tokens)
    return Statement(verb, output_format=_output_format(sql, tokens))


def _refuse_files(tokens: list[_Token]) -> None:
    for before, token in pairwise(tokens):
        if (before.word, token.word) in {("into", "outfile"), ("from", "infile")}:
            raise refusal(NOT_IMPLEMENTED, f"{before.word.upper()} {token.word.upper()} is not allowed over HTTP")


def _refuse_several(tokens: list[_Token]) -> None:
    ends = [index for index, token in enumerate(tokens) if token.word == ";"]
    if ends and any(token.word != ";" for token in tokens[ends[0] :]):
        raise refusal(SYNTAX_ERROR, "Multi-statements are not allowed")


def _insert(sql: bytes, tokens: list[_Token]) -> Insert | None:
    last = tokens[-1]
    if not _begins_data(tokens):
        _refuse_several(tokens)
        return None
    if any(token.word == "select" for token in tokens if token.top):
        raise refusal(NOT_IMPLEMENTED, "INSERT ... SELECT FROM input() is not served; insert the rows themselves")
    values = last.word == "values"
    cut = last if values else tokens[-2]
    settings = next((token.start for token in tokens if token.top and token.word == "settings"), cut.start)
    following = _DATA_START.match(sql, last.end)
    offset = following.end() if following else last.end
    data_format = "Values" if values else sql[last.start : last.end].decode()
    return Insert(sql[:settings], sql[settings : cut.start], data_format, offset)


def _output_format(sql: bytes, tokens: list[_Token]) -> str | None:
    for index in range(len(tokens) - 2, 0, -1):
        if tokens[index].word == "format" and tokens[index].top:
            name, rest = tokens[index + 1], tokens[index + 2 : index + 3]
            if name.word[0].isalpha() and (not rest or rest[0].word in {";", "settings"}):
                return sql[name.start : name.end].decode()
    return None
