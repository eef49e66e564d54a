"""ClickHouse's Go client as a process: clickhouse_go/main.go, built once, takes requests and gives answers as JSON."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

_SOURCE = Path(__file__).parent / "clickhouse_go"
_REQUIRED = os.environ.get("RACELINE_REQUIRE_GO") == "1"
_DOWNLOAD_SECONDS = 300
_BUILD_SECONDS = 600  # it compiles all that the client needs, on two slow cores


def build(folder: Path) -> Path:
    """The program. Skips where Go, or what it must download, is missing; RACELINE_REQUIRE_GO=1 makes that a failure."""
    go = shutil.which("go")
    if go is None:
        _missing("Go is not installed")
    fetched = _go("mod", "download", seconds=_DOWNLOAD_SECONDS)
    if fetched.returncode != 0:
        _missing(f"Go cannot get the client: {fetched.stderr.strip().splitlines()[-1]}")
    program = folder / "clickhouse_go"
    built = _go("build", "-o", str(program), ".", seconds=_BUILD_SECONDS)
    assert built.returncode == 0, built.stderr
    return program


def _missing(what: str) -> None:
    if _REQUIRED:
        pytest.fail(what)
    pytest.skip(what)


def _go(*words: str, seconds: float) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["go", *words], cwd=_SOURCE, capture_output=True, text=True, timeout=seconds, check=False)


@dataclass(frozen=True)
class GoClient:
    """One pool of connections, opened as Grafana's plugin opens it."""

    process: subprocess.Popen[str]

    def ask(self, sql: str = "", **more: Any) -> dict[str, Any]:
        """What came: rows, the columns' names and types, or the error as the client tells it."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"SQL": sql, **more}) + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer

    def rows(self, sql: str, **more: Any) -> list[list[Any]]:
        answer = self.ask(sql, **more)
        assert "error" not in answer, answer["error"]
        return answer["rows"] or []


@contextmanager
def opened(program: Path, port: int, **options: Any) -> Iterator[GoClient]:
    """The program, talking to this port; it ends with its stdin."""
    wanted = {"Address": f"127.0.0.1:{port}", "Database": "default", "User": "default", "Compression": "gzip"}
    command = [str(program), json.dumps(wanted | options)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield GoClient(process)
