"""What all commands share: the two consoles, the data folder's option, and errors as sentences."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from producers.files.items import UnreadableFile
from producers.outgoing import PublishFailed
from producers.settings import SettingsError
from raceline.database import DatabaseError

out = Console()
err = Console(stderr=True)

DataDir = Annotated[
    Path | None, typer.Option(help="Data folder of the stack. Default: $RACELINE_DATA_DIR or .raceline")
]


class clear_errors:
    """What a user can do something about is one sentence and exit code 2, not a traceback."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError) and error.filename:
            err.print(f"[red]{error.filename}: {error.strerror}[/]", soft_wrap=True)
            raise typer.Exit(2) from None
        if isinstance(error, UnreadableFile | OSError | PublishFailed | SettingsError):
            err.print(f"[red]{error}[/]", soft_wrap=True)
            raise typer.Exit(2) from None
        if isinstance(error, DatabaseError):
            err.print(f"[red]{sentence(error)}[/] Is the stack running? `raceline up` starts one.", soft_wrap=True)
            raise typer.Exit(2) from None


def sentence(error: Exception) -> str:
    """What a library's error says to a user: the first line, without its address of the request."""
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    if "Connection refused" in text or "Max retries exceeded" in text:
        return "ClickHouse does not answer."
    return f"ClickHouse: {text[:300]}"
