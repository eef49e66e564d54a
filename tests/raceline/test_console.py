"""Text from outside is shown as it is: it is no markup and does not steer the terminal."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from producers.files.items import UnreadableFile
from raceline import cli, console
from raceline.console import clear_errors, plain, printable
from raceline.database import DatabaseError
from raceline.doctor import Finding

HOSTILE = ["[/x]", "[red]", "[link=https://a.example]", ":smile:", "\\[/]", "a\\"]
STEERING = "\x1b]0;title\x07\x1b[2J\r\x9b31m\x7f\x00\u202e"


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch) -> Callable[[], str]:
    """What the commands have printed on both consoles, which believe to be terminals."""
    written = io.StringIO()
    terminal = Console(file=written, force_terminal=True, color_system=None, width=200)
    for module in (cli, console):
        monkeypatch.setattr(module, "out", terminal)
        monkeypatch.setattr(module, "err", terminal)
    return written.getvalue


@pytest.mark.parametrize("text", HOSTILE)
def test_markup_from_outside_is_shown_as_it_is(text: str) -> None:
    written = io.StringIO()
    Console(file=written).print(plain(text, "red"))
    assert written.getvalue() == f"{text}\n"


def test_control_characters_are_left_out() -> None:
    assert printable(f"a{STEERING}b") == "a]0;title[2J31mb"
    assert printable("a\tb\nc é 日本 👍") == "a\tb\nc é 日本 👍"


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("error", [UnreadableFile, DatabaseError, OSError])
def test_hostile_error_is_a_sentence(text: str, error: type[Exception], printed: Callable[[], str]) -> None:
    with pytest.raises(typer.Exit), clear_errors():
        raise error(text + STEERING)
    assert text in printed()
    assert "\x1b" not in printed()


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_finding_of_the_doctor_is_shown(
    text: str, printed: Callable[[], str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("raceline.doctor.diagnose", lambda settings: [Finding("Kafka", False, text + STEERING)])
    result = CliRunner().invoke(cli.app, ["doctor", "--data-dir", str(tmp_path)])
    assert result.exit_code == 1
    assert f"FAIL Kafka        {text}" in printed()
    assert "\x1b" not in printed()


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"kafka": 1, "unknown": 2}', "null"])
@pytest.mark.parametrize("command", [["kpis"], ["doctor"], ["dead-letters", "list"], ["dead-letters", "retry", "a"]])
def test_broken_stack_file_is_a_sentence(command: list[str], content: str, tmp_path: Path) -> None:
    (tmp_path / "stack.json").write_text(content)
    result = CliRunner().invoke(cli.app, [*command, "--data-dir", str(tmp_path)])
    assert result.exit_code == 2
    assert "stack.json cannot be read: delete it or start the stack again" in " ".join(result.output.split())
