"""What is declared, pinned and built: dependencies, licences, and a wheel that works without the checkout."""

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import distribution, packages_distributions
from pathlib import Path
from typing import Any, Final

import pytest
from checkout import tracked
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scripts.licences import ACCEPTED, licences_page, terms_of
from scripts.lock import VERSIONS, constraints

ROOT: Final = Path(__file__).resolve().parents[1]
PROJECT: Final[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
REQUIREMENTS: Final[list[str]] = [
    *PROJECT["dependencies"],
    *(text for extra in PROJECT["optional-dependencies"].values() for text in extra),
]
PACKAGES: Final = ("schemas", "producers", "stream_processors", "raceline")

# Needed although nothing imports them by name.
USED_BY_OTHERS: Final = {
    "cramjam": "aiokafka reads and writes lz4 with it",
    "crc32c": "kafka-python computes checksums with it, in C",
    "httptools": "uvicorn's parser, by name",
    "lz4": "kafka-python writes lz4 with it",
    "uvloop": "uvicorn's event loop, by name",
}


def names(requirements: list[str]) -> set[str]:
    return {canonicalize_name(Requirement(requirement).name) for requirement in requirements}


def imported_distributions(folders: tuple[str, ...]) -> set[str]:
    by_module = packages_distributions()
    modules: set[str] = set()
    for path in (path for folder in folders for path in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                modules |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                modules.add(node.module.partition(".")[0])
    foreign = modules - set(sys.stdlib_module_names) - {*PACKAGES, "_typeshed", "tests", "scripts"}
    return {canonicalize_name(name) for module in foreign for name in by_module.get(module, ())}


def test_what_is_imported_is_declared_and_the_other_way_round() -> None:
    declared = names(PROJECT["dependencies"]) | names(PROJECT["optional-dependencies"]["embedded"])
    found = imported_distributions(PACKAGES) - {"raceline", "chdb-core"}  # chdb's module stands in chdb-core
    assert found - declared == set(), "imported, but not declared"
    assert declared - found - {"chdb"} == USED_BY_OTHERS.keys() - found, "declared, but not imported"


def test_what_tests_import_is_declared() -> None:
    ours = {"raceline", "chdb-core"}
    assert imported_distributions(("tests", "scripts")) - ours - names(REQUIREMENTS) == set()


def pinned(python: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            requirement = Requirement(line)
            environment = {**default_environment(), "python_version": python}
            if requirement.marker is None or requirement.marker.evaluate(environment):  # type: ignore[arg-type]
                found[canonicalize_name(requirement.name)] = str(requirement.specifier).removeprefix("==")
    return found


@pytest.mark.parametrize("python", VERSIONS)
def test_every_declared_dependency_is_pinned_within_its_bounds(python: str) -> None:
    pins = pinned(python)
    for text in REQUIREMENTS:
        requirement = Requirement(text)
        assert requirement.specifier.contains(pins[canonicalize_name(requirement.name)]), text


def test_a_package_with_several_versions_gets_markers() -> None:
    pins = {"3.11": {"a": "1", "b": "1"}, "3.12": {"a": "1", "b": "2"}, "3.13": {"b": "2", "c": "3"}}
    assert constraints(pins).splitlines() == [
        "a==1",
        'b==1 ; python_version == "3.11"',
        'b==2 ; python_version == "3.12" or python_version == "3.13"',
        "c==3",
    ]


def test_constraints_name_no_index_and_no_url() -> None:
    text = (ROOT / "constraints.txt").read_text()
    assert not re.search(r"://|--|@", text)


def test_supported_pythons_are_the_pinned_ones() -> None:
    assert PROJECT["requires-python"] == ">=3.11,<3.14"
    assert VERSIONS == ("3.11", "3.12", "3.13")


def test_every_licence_in_the_table_is_accepted() -> None:
    rows = re.findall(r"^\| ([a-z][\w-]+) \| (.+) \|$", (ROOT / "docs" / "licences.md").read_text(), re.MULTILINE)
    table = dict(rows[1:])  # the first is the head
    assert {name: terms for name, terms in table.items() if terms not in ACCEPTED} == {}
    assert table.keys() == set().union(*(pinned(python) for python in VERSIONS))


def test_the_table_of_licences_says_what_the_packages_say() -> None:
    page = (ROOT / "docs" / "licences.md").read_text()
    installed = {line for line in licences_page().splitlines() if line.startswith("|")}
    assert installed <= set(page.splitlines()), "run `make lock`"


def test_a_licence_is_read_from_expression_classifier_or_text() -> None:
    assert terms_of("Apache-2.0", [], "") == "Apache-2.0"
    assert terms_of(None, ["License :: OSI Approved :: MIT License"], "") == "MIT"
    assert terms_of(None, [], "BSD") == "BSD"
    assert terms_of(None, [], "") == "unknown"
    assert "unknown" not in ACCEPTED


def test_no_dependency_claims_our_package_names() -> None:
    """They are generic; an installed distribution of the same name would take their place."""
    claimed = packages_distributions()
    assert {name for package in PACKAGES for name in claimed.get(package, ())} <= {"raceline"}


def test_the_installed_command_is_the_one_of_the_project() -> None:
    scripts = {point.name: point.value for point in distribution("raceline").entry_points}
    assert scripts == PROJECT["scripts"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    [built] = folder.glob("*.whl")
    return built


def test_the_wheel_holds_every_file_that_the_code_reads(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        assert set(tracked(*PACKAGES, "sql")) - set(archive.namelist()) == set()


def test_the_command_runs_from_the_wheel_and_finds_its_sql(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    code = f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
from raceline.cli import app
from raceline.database import query
from raceline.migrate import migrations
from raceline.send import mapping_path
from stream_processors.store import query as worker_query
import raceline
assert raceline.__file__.startswith({str(tmp_path)!r})
assert migrations() and query("database.kpis") and worker_query("roll_up.recompute") and mapping_path("cdnow")
app(["--help"])
"""
    ran = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "dead-letters" in ran.stdout


def test_a_python_that_is_too_old_is_refused_with_a_sentence(tmp_path: Path) -> None:
    old = tmp_path / "python"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.10.4" && exit 0\nexit 1\n')
    old.chmod(0o755)
    command = ["sh", str(ROOT / "scripts" / "venv.sh"), str(tmp_path / "venv")]
    ran = subprocess.run(command, env={"PATH": "/usr/bin:/bin", "PYTHON": str(old)}, capture_output=True, text=True)
    assert ran.returncode == 1
    assert ran.stderr.startswith("Raceline needs Python 3.11, 3.12 or 3.13; found: Python 3.10.4.")
    assert not (tmp_path / "venv").exists()
