"""Just enough of ClickHouse's grammar to serve it over HTTP: one statement or several, its verb, its output format,
and where the data of an INSERT begins. The engine parses everything again; nothing here is trusted with safety that
the engine's own readonly mode gives."""

import re
from dataclasses import dataclass
from typing import Final

from raceline.embedded.clickhouse.errors import SYNTAX_ERROR, refusal
from raceline.embedded.clickhouse.outside import mentions_outside, refuse_outside

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
    """Words in lower case and single characters; a string is the word "'", a quoted name keeps its quote in front."""
    found: list[_Token] = []
    depth = 0
    for match in _TOKEN.finditer(sql):
        kind = match.lastgroup
        if kind == "space":
            continue
        word = _word(match[0]) if kind not in {"quoted", "tag"} else _quoted_word(match[0])
        depth -= word in {")", "]", "}"}
        found.append(_Token(word, match.start(), match.end(), depth <= 0))
        depth += word in {"(", "[", "{"}
        if kind == "word" and _begins_data(found):
            break
    return found


def _word(text: bytes) -> str:
    return text.decode("latin-1").lower()


def _quoted_word(text: bytes) -> str:
    return _word(text[:-1]) if text[:1] in b'`"' else "'"


def _begins_data(found: list[_Token]) -> bool:
    """Whether the rows of an INSERT follow: what comes after is no SQL any more."""
    if found[0].word != "insert" or not found[-1].top or len(found) < 4:
        return False
    if found[-1].word != "values" and not (found[-2].word == "format" and found[-2].top):
        return False
    return not any(token.top and token.word in {"select", "with"} for token in found[1:])


def parse(sql: bytes) -> Statement:
    """What one statement is. Raises QueryFailedError for several statements, and for what reaches outside."""
    tokens = _tokens(sql)
    if not tokens:
        raise refusal(SYNTAX_ERROR, "Empty query")
    refuse_outside(token.word for token in tokens)
    verb = next((token.word for token in tokens if token.word != "("), "")
    if verb == "insert" and _begins_data(tokens):
        return Statement(verb, insert=_insert(sql, tokens))
    _refuse_several(tokens)
    if verb == "insert":
        return Statement(verb)
    return Statement(verb, output_format=_output_format(sql, tokens))


def check_values(rows: bytes) -> None:
    """The rows of INSERT ... VALUES that the engine reads as SQL: held to the same rules as a statement."""
    if b";" in rows or mentions_outside(rows):
        tokens = _tokens(rows)
        refuse_outside(token.word for token in tokens)
        _refuse_several(tokens)


def _refuse_several(tokens: list[_Token]) -> None:
    ends = [index for index, token in enumerate(tokens) if token.word == ";"]
    if ends and any(token.word != ";" for token in tokens[ends[0] :]):
        raise refusal(SYNTAX_ERROR, "Multi-statements are not allowed")


def _insert(sql: bytes, tokens: list[_Token]) -> Insert:
    last = tokens[-1]
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
