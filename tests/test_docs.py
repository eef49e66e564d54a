"""The docs against the code: generated pages are fresh, what users type or meet is in them, links lead somewhere."""

import re
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Final, get_args

import pytest
from checkout import tracked
from pydantic_settings import BaseSettings
from typer.main import get_command

from producers.files.formats import FORMATS, reader_for
from producers.files.items import ReadOptions
from producers.files.mapping import SHIPPED, Mapping
from producers.website.answers import HttpError
from producers.website.collector import MAX_EVENTS
from raceline.cli import app
from schemas.events import Event
from schemas.kpi import KPIS
from schemas.rejection import RejectReason
from schemas.topics import TOPICS
from scripts.reference_pages import PAGES, PROCESSES, commands
from stream_processors.race.rules import RULES

ROOT: Final = Path(__file__).resolve().parents[1]
DOCS: Final = ROOT / "docs"
README: Final = ROOT / "README.md"
# Other people's text, and the licence's own addresses.
NOT_OURS: Final = ("raceline/live/static/echarts.min.js", "raceline/live/static/ECHARTS-", "LICENSE")
_SHELL: Final = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
_LINK: Final = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_DECISION: Final = re.compile(r"(?:docs/decisions/|decisions?[ /])0*(\d{1,4})\b")
_ELSEWHERE: Final = re.compile(
    r"(?<![\w.])/(root|work|Users|home/\w+)/|python[h]osted|pypi\.(org|python)|npm[j]s|arti[f]actory|nexus\.|registry\.\w+\.\w",
    re.IGNORECASE,
)


@cache
def _tracked() -> tuple[Path, ...]:
    paths = [ROOT / name for name in tracked() if not name.startswith(NOT_OURS)]
    return tuple(path for path in paths if path.is_file() and b"\0" not in path.read_bytes()[:8192])


PAGES_WITH_LINKS: Final = tuple(sorted({*ROOT.glob("*.md"), *DOCS.rglob("*.md")}))


@pytest.mark.parametrize("name", PAGES)
def test_a_generated_page_is_up_to_date(name: str) -> None:
    assert (DOCS / name).read_text() == PAGES[name](), "run `make docs`"


def test_every_reason_kpi_topic_and_rule_is_in_the_docs() -> None:
    pages = {name: (DOCS / name).read_text() for name in PAGES}
    assert not [reason for reason in RejectReason if f"| `{reason}` |" not in pages["refusals.md"]]
    assert not [kpi.id for kpi in KPIS if f"| `{kpi.id}` |" not in pages["kpis.md"]]
    assert not [topic.name for topic in TOPICS if f"\n## {topic.name}\n" not in pages["topics.md"]]
    assert not [rule.id for rule in RULES if f"| `{rule.id}` |" not in pages["stages.md"]]


def test_every_setting_is_in_the_docs() -> None:
    def settings_of(kind: type[BaseSettings]) -> set[type[BaseSettings]]:
        return {kind, *(found for child in kind.__subclasses__() for found in settings_of(child))}

    ours = {
        kind for kind in settings_of(BaseSettings) if kind.__module__.startswith(("producers", "stream", "raceline"))
    }
    assert ours == set(PROCESSES.values())
    page = (DOCS / "settings.md").read_text()
    variables = {f"{kind.model_config['env_prefix']}{name}".upper() for kind in ours for name in kind.model_fields}
    assert not {variable for variable in variables if f"| `{variable}` |" not in page}


def test_a_setting_means_the_same_to_every_process() -> None:
    defaults: dict[str, set[str]] = {}
    for kind in PROCESSES.values():
        for name, field in kind.model_fields.items():
            assert field.description, f"{kind.__name__}.{name} says nothing"
            defaults.setdefault(f"{kind.model_config['env_prefix']}{name}".upper(), set()).add(repr(field.default))
    assert not {variable: found for variable, found in defaults.items() if len(found) > 1}


def test_every_command_and_option_is_in_the_docs() -> None:
    sections = {text.partition("\n")[0]: text for text in (DOCS / "cli.md").read_text().split("\n## ")}
    for path, command in commands(get_command(app), "raceline"):
        assert command.help, f"{path} says nothing"
        options = [parameter.opts[0] for parameter in command.params if not parameter.hidden]
        assert not [option for option in options if option.startswith("--") and f"`{option}" not in sections[path]]


def test_every_format_mapping_key_and_answer_is_in_the_docs() -> None:
    page = (DOCS / "sending.md").read_text()
    names = [*FORMATS, *Mapping.model_fields, *get_args(HttpError), *(path.stem for path in SHIPPED.glob("*.yaml"))]
    assert not [name for name in names if f"`{name}`" not in page]
    assert f"up to {MAX_EVENTS} " in page


@pytest.mark.parametrize("page", PAGES_WITH_LINKS, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_and_headings(page: Path) -> None:
    broken = []
    for link in _LINK.findall(page.read_text()):
        if "://" in link:
            continue
        file, _, heading = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        if not target.exists() or (heading and heading not in _headings(target)):
            broken.append(link)
    assert not broken


def _headings(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_page_is_reached_from_the_readme() -> None:
    seen, waiting = set[Path](), [README]
    while waiting:
        page = waiting.pop()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        for link in _LINK.findall(page.read_text()):
            target = (page.parent / link.partition("#")[0]).resolve()
            waiting += sorted(target.glob("*.md")) if target.is_dir() else [target] if target.is_file() else []
    assert set(DOCS.rglob("*.md")) <= seen


def _shell_lines(*pages: Path) -> list[str]:
    blocks = (block for page in pages for block in _SHELL.findall(page.read_text()))
    inline = (found for page in pages for found in re.findall(r"`((?:make|raceline) [^`]+)`", page.read_text()))
    return [line.partition(" #")[0].strip() for text in (*blocks, *inline) for line in text.splitlines()]


def test_commands_in_the_pages_exist() -> None:
    lines = _shell_lines(*PAGES_WITH_LINKS)
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    made = {word for line in lines if line.startswith("make ") for word in re.findall(r" ([a-z]+)(?= |$)", line)}
    assert made
    assert made <= targets
    known = dict(commands(get_command(app), "raceline"))
    used = [line.removeprefix(".venv/bin/") for line in lines if re.match(r"(\.venv/bin/)?raceline ", line)]
    assert used
    for line in used:
        path = next((path for path in known if f"{line} ".startswith(f"{path} ")), None)
        assert path or line in ("raceline COMMAND --help",), f"no command: {line}"
        if path:
            options = {opt for parameter in known[path].params for opt in parameter.opts}
            assert set(re.findall(r"(?<= )--[a-z-]+", line)) <= options, line


def test_files_that_the_pages_name_exist() -> None:
    for line in _shell_lines(README, DOCS / "sending.md"):
        for name in re.findall(r"docs/\S+", line):
            assert (ROOT / name).is_file(), line


def test_the_examples_of_the_docs_can_be_sent() -> None:
    options = ReadOptions(now=datetime(2026, 4, 1, tzinfo=UTC), secret=b"0123456789abcdef")
    orders = ReadOptions(options.now, options.secret, mapping=DOCS / "examples" / "orders.yaml")
    for name, read, given in (
        ("events.ndjson", reader_for("events"), options),
        ("orders.csv", reader_for("csv"), orders),
    ):
        with (DOCS / "examples" / name).open("rb") as stream:
            items = list(read(stream, given))
        assert len(items) == 4
        assert all(isinstance(item, Event) for item in items), items


def test_decisions_are_numbered_without_gaps_and_references_to_them_lead_somewhere() -> None:
    decisions = {int(path.name[:4]): path for path in (DOCS / "decisions").glob("*.md")}
    assert sorted(decisions) == list(range(1, len(decisions) + 1))
    for number, path in decisions.items():
        assert path.read_text().startswith(f"# {number}. ")
        assert all(part in path.read_text() for part in ("**Decision.**", "**Why.**"))
    for path in _tracked():
        assert {int(number) for number in _DECISION.findall(path.read_text())} <= decisions.keys(), path


def test_the_changelog_has_the_version_that_is_built() -> None:
    version = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert version
    assert f"\n## {version[1]}\n" in (ROOT / "CHANGELOG.md").read_text()


def test_no_file_names_this_machine_or_a_package_registry() -> None:
    found = {
        str(path.relative_to(ROOT)): match[0] for path in _tracked() if (match := _ELSEWHERE.search(path.read_text()))
    }
    assert not found


def test_what_must_not_be_named_would_be_noticed() -> None:
    assert all(
        _ELSEWHERE.search(text) for text in ("see /" + "root/x", "https://py" + "pi.org/simple", "/" + "work/main")
    )
    assert not _ELSEWHERE.search("docs/work/ and ../shared/data and http://127.0.0.1:8080/")
