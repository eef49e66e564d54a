"""`make docs`: the pages of docs/ that are lists of what the code defines. A test compares them with the files."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, SecretStr
from pydantic_settings import BaseSettings
from typer.main import get_command

from producers.settings import ProducerSettings
from raceline.cli import app
from raceline.embedded.clickhouse.settings import ClickHouseSettings
from raceline.migrate import migrations
from raceline.settings import CommandSettings
from schemas.events import Context
from schemas.kpi import GROUPS, KPIS
from schemas.rejection import EXPLANATIONS, RejectReason
from schemas.topics import PARTITIONS, TOPICS, Topic
from schemas.touches import Barrier
from stream_processors.race.rules import RULES, RULES_VERSION
from stream_processors.settings import WorkerSettings

DOCS: Final = Path(__file__).resolve().parent.parent / "docs"
PROCESSES: Final[Mapping[str, type[BaseSettings]]] = {
    "collector": ProducerSettings,
    "worker": WorkerSettings,
    "commands": CommandSettings,
    "embedded ClickHouse": ClickHouseSettings,
}


def main() -> None:
    for name, page in PAGES.items():
        (DOCS / name).write_text(page())


def settings_page() -> str:
    head = """# Settings

Every process reads its settings from environment variables when it starts; a value that does not fit ends it with a
sentence. `raceline up` sets the addresses of the processes that it starts itself, and hands on everything else.

"""
    rows: dict[str, tuple[str, list[str], str]] = {}
    for process, settings in PROCESSES.items():
        for name, field in settings.model_fields.items():
            variable = f"{settings.model_config['env_prefix']}{name}".upper()
            rows.setdefault(variable, (_shown(field.default), [], field.description or ""))[1].append(process)
    cells = ((f"`{name}`", default, ", ".join(used), text) for name, (default, used, text) in sorted(rows.items()))
    return head + _table(("variable", "default", "read by", "meaning"), cells)


def kpis_page() -> str:
    parts = [
        """# KPIs

Each is a column of the view `kpis` (see [tables](tables.md)) and a value of `raceline kpis`. A count or a sum over
nothing is 0; a rate or an average of nothing does not exist: `null` in JSON, a dash in the table. Events of bots count
in none of them.
"""
    ]
    for group in GROUPS:
        rows = ((f"`{kpi.id}`", kpi.title, kpi.unit, kpi.meaning) for kpi in KPIS if kpi.group == group)
        parts.append(f"\n## {group.capitalize()}\n\n" + _table(("id", "title", "unit", "meaning"), rows))
    return "".join(parts)


def topics_page() -> str:
    head = f"""# Topics

Every topic has {PARTITIONS} partitions. Values are JSON in UTF-8, one message a record; a key decides the partition as
Kafka's default partitioner does. Anybody may read them and write `race.events`. Each message as a JSON Schema is in
[schemas/json](../schemas/json), with examples in [schemas/examples](../schemas/examples).

"""
    table = _table(("topic", "key", "written by", "read by", "holds"), map(_topic, TOPICS))
    barrier = "\n## Barriers\n\nOn `race.persons` and `race.buckets`, among the other messages; see "
    barrier += "[architecture](architecture.md#barriers).\n\n"
    messages = "".join(_message(topic) for topic in TOPICS)
    context = "\n## Context\n\nThe field `context` of an event.\n\n" + _fields(Context)
    return head + table + messages + context + barrier + _fields(Barrier)


def _topic(topic: Topic) -> tuple[str, ...]:
    link = f"[`{topic.name}`](#{topic.name.replace('.', '')})"
    return link, topic.key, ", ".join(topic.producers), ", ".join(topic.consumers) or "anybody", topic.description


def refusals_page() -> str:
    head = """# Refusals

An event that is refused goes to the topic `race.dead_letters` and the table `dead_letters` with one of these reasons
and a detail that names the field. `raceline dead-letters list` lists them, `show` prints one, `retry` sends them again.
What the collector answers to a request as a whole is in [sending](sending.md#answers).

"""
    return head + _table(("reason", "meaning"), ((f"`{reason}`", EXPLANATIONS[reason]) for reason in RejectReason))


def stages_page() -> str:
    head = f"""# Stages

The rules, version {RULES_VERSION}, in their order: the first that matches decides, the last matches everything. Rules
that ask for history are decided from everything that is stored about the person, and again when an older fact arrives.
Which event names they take stands in `stream_processors/race/rules.py`.

"""
    rows = (
        (f"`{rule.id}`", rule.stage.value if rule.stage else "none", _yes(rule.history_when is not None), rule.reason)
        for rule in RULES
    )
    return head + _table(("rule", "stage", "asks for history", "when"), rows)


def tables_page() -> str:
    head = """# Tables

The tables and views of ClickHouse, each from one file of `sql/migrations`, in which the columns are. A table that is a
`ReplacingMergeTree` must be read with `final`.

"""
    rows = ((f"`{name}`", kind, comment) for name, kind, comment in map(_table_of, _statements()))
    return head + _table(("name", "kind", "holds"), rows)


def cli_page() -> str:
    head = """# Commands

`raceline COMMAND --help` says the same. Commands find the stack in this order: `--data-dir`, explicit `RACELINE_*`
addresses, `RACELINE_DATA_DIR`, the folder `.raceline`; see [settings](settings.md). Exit codes: 0 done, 1 no or not in
time, 2 something is wrong with what was asked or a part does not answer.
"""
    return head + "".join(_command(path, command) for path, command in commands(get_command(app), "raceline"))


def commands(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    """All commands that do something, with the words that call them."""
    below = getattr(command, "commands", None)
    if below is None:
        yield path, command
    else:
        for name, child in below.items():
            yield from commands(child, f"{path} {name}")


def _command(path: str, command: Any) -> str:
    shown: list[Any] = [parameter for parameter in command.params if not parameter.hidden and parameter.name != "help"]
    arguments = " ".join(_argument(parameter) for parameter in shown if not parameter.opts[0].startswith("-"))
    rows = ((f"`{_usage(parameter)}`", _default(parameter), parameter.help or "") for parameter in shown)
    usage = f"{path} {arguments}".strip()
    text = f"\n## {path}\n\n{command.help}\n\n```\n{usage} [OPTIONS]\n```\n\n"
    return text + _table(("option", "default", "meaning"), rows)


def _argument(parameter: Any) -> str:
    name = parameter.name.upper() + ("..." if parameter.nargs == -1 else "")
    return name if parameter.required else f"[{name}]"


def _usage(parameter: Any) -> str:
    if not parameter.opts[0].startswith("-"):
        return _argument(parameter)
    choices = _choices(parameter.type_descriptor.annotation)
    value = "" if parameter.is_flag else f" {choices or parameter.opts[0].strip('-').upper()}"
    return f"{parameter.opts[0]}{value}"


def _choices(annotation: Any) -> str:
    return "|".join(str(choice.value) for choice in annotation) if isinstance(annotation, type(Enum)) else ""


def _default(parameter: Any) -> str:
    value = parameter.default
    return "" if value in (None, False, "") else f"`{getattr(value, 'value', value)}`"


def _statements() -> Iterator[str]:
    return (migration.statement for migration in migrations())


def _table_of(statement: str) -> tuple[str, str, str]:
    """Name, kind and the comment at the top."""
    lines = [line.removeprefix("--").strip() for line in statement.splitlines() if line.startswith("--")]
    comment = " ".join(line for line in lines if line)
    create = next(line for line in statement.splitlines() if line.startswith("create "))
    words = create.removeprefix("create ").replace("materialized view", "materialized-view").split()
    engine = next((line.partition("= ")[2] for line in statement.splitlines() if line.startswith("engine")), "")
    kind = words[0].replace("-", " ")
    return words[1], f"{kind}, `{engine}`" if engine else kind, comment


def _message(topic: Topic) -> str:
    about = " ".join((topic.model.__doc__ or f"{topic.description.capitalize()}.").split())
    return f"\n## {topic.name}\n\n{about}\n\n" + _fields(topic.model)


def _fields(model: type[BaseModel]) -> str:
    schema = model.model_json_schema()
    rows = (
        (f"`{name}`", _kinds(schema, schema["properties"][name]), _yes(field.is_required()), field.description or "")
        for name, field in model.model_fields.items()
    )
    return _table(("field", "type", "required", "meaning"), rows)


def _yes(holds: bool) -> str:
    return "yes" if holds else ""


def _kinds(schema: Mapping[str, Any], field: Mapping[str, Any]) -> str:
    options = [option for option in field.get("anyOf", [field]) if option.get("type") != "null"]
    return " or ".join(_kind(schema, option) for option in options)


def _kind(schema: Mapping[str, Any], field: Mapping[str, Any]) -> str:
    if "$ref" in field:
        name = str(field["$ref"]).rpartition("/")[2]
        values = schema["$defs"][name].get("enum")
        return "|".join(values) if values else f"[{name}](#{name.lower()})"
    return str(field.get("const") or field.get("format") or field.get("type", "any"))


def _shown(default: Any) -> str:
    if default in (None, "") or isinstance(default, SecretStr):
        return ""
    return f"`{int(default) if isinstance(default, bool) else default}`"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "cli.md": cli_page,
    "kpis.md": kpis_page,
    "refusals.md": refusals_page,
    "settings.md": settings_page,
    "stages.md": stages_page,
    "tables.md": tables_page,
    "topics.md": topics_page,
}


if __name__ == "__main__":
    main()
