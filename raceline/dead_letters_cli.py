"""The commands `raceline dead-letters list|show|retry`."""

from typing import Annotated

import typer

from raceline import dead_letters
from raceline.console import DataDir, clear_errors, err, out, plain, printable
from raceline.database import Database
from raceline.settings import command_settings
from schemas.rejection import RejectReason

app = typer.Typer(no_args_is_help=True, help="Refused events: their reasons, and sending them again after a fix.")

Reason = Annotated[RejectReason | None, typer.Option(help="Only this reason.")]
Id = Annotated[str, typer.Argument(help="The id, or how it begins.")]


@app.command(name="list")
def list_(
    reason: Reason = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000)] = 100,
    data_dir: DataDir = None,
) -> None:
    """Lists refused events, newest first."""
    with clear_errors():
        database = Database.connect(command_settings(data_dir))
        found = dead_letters.letters(database, reason=reason or "", limit=limit)
        database.close()
    out.print(dead_letters.table(found) if found else "No refused events.")


@app.command()
def show(
    id: Id,
    payload: Annotated[bool, typer.Option("--payload", help="Only the payload, to mend it and send it.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Shows one refused event, with its payload."""
    with clear_errors():
        database = Database.connect(command_settings(data_dir))
        found = dead_letters.letters(database, id_prefix=id, limit=2)
        database.close()
    if len(found) != 1:
        err.print(plain(f"{'Several refused events begin' if found else 'No refused event begins'} with {id}."))
        raise typer.Exit(2)
    if payload:
        typer.echo(printable(found[0].payload) if out.is_terminal else found[0].payload)
    else:
        dead_letters.show(found[0], out)


@app.command()
def retry(
    id: Annotated[str, typer.Argument(help="The id, or how it begins; all with --reason.")] = "",
    reason: Reason = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000)] = 10_000,
    data_dir: DataDir = None,
) -> None:
    """Sends refused events again; they are judged again, with the time at which they were received."""
    if not id and not reason:
        err.print("Name an id, or a --reason to retry all of.")
        raise typer.Exit(2)
    with clear_errors():
        settings = command_settings(data_dir)
        database = Database.connect(settings)
        found = dead_letters.letters(database, reason=reason or "", id_prefix=id, limit=limit)
        database.close()
        obstacles = [(letter, dead_letters.obstacle(letter)) for letter in found]
        count = dead_letters.retry(settings, [letter for letter, why in obstacles if why is None])
    for letter, why in obstacles:
        if why is not None:
            short = str(letter.dead_letter_id)[:8]
            err.print(plain(f"{short} cannot be retried: {why}"), soft_wrap=True)
    out.print(f"{count} sent again. What is refused again stays in the list.")
    raise typer.Exit(1 if found and not count else 0)
