"""What all commands share: the two consoles, the data folder's option, and errors as sentences."""

import re
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.text import Text

from producers.files.items import UnreadableFile
from producers.outgoing import PublishFailed
from producers.settings import SettingsError
from raceline.database import DatabaseError
from raceline.migrate import MigrationError

out = Console()
err = Console(stderr=True)
# What steers a terminal: C0 but tab and newline, DEL, C1, and marks that turn the direction of writing.
_STEERING: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")

DataDir = Annotated[
    Path | None, typer.Option(help="Data folder of the stack. Default: $RACELINE_DATA_DIR or .raceline")
]


def printable(text: str) -> str:
    """Without control characters: who sends an event must not write on the reader's terminal."""
    return _STEERING.sub("", text)


def plain(text: object, style: str = "") -> Text:
    """Text from outside, for Rich: as it is, never markup."""
    return Text(printable(str(text)), style)


class clear_errors:
    """What a user can do something about is one sentence and exit code 2, not a traceback."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError) and error.filename:
            err.print(plain(f"{error.filename}: {error.strerror}", "red"), soft_wrap=True)
            raise typer.Exit(2) from None
        if isinstance(error, UnreadableFile | OSError | PublishFailed | SettingsError | MigrationError):
            err.print(plain(error, "red"), soft_wrap=True)
            raise typer.Exit(2) from None
        if isinstance(error, DatabaseError):
            said = plain(sentence(error), "red")
            err.print(said, "Is the stack running? `raceline up` starts one.", soft_wrap=True)
            raise typer.Exit(2) from None


def sentence(error: Exception) -> str:
    """What a library's error says to a user: the first line, without its address of the request."""
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    if "Connection refused" in text or "Max retries exceeded" in text:
        return "ClickHouse does not answer."
    return f"ClickHouse: {text[:300]}"
