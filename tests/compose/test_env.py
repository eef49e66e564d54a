""".env: what docker-compose.yml reads from it, and `sh scripts/env.sh`, which writes it."""

import os
import re
import signal
import stat
import subprocess
import time
from pathlib import Path

import pytest
from checkout import git
from compose_file import ROOT, TEXT, VARIABLES, services


def test_missing_secret_is_said_with_what_to_do() -> None:
    with pytest.raises(KeyError, match=r"scripts/env\.sh"):
        services({})


def test_the_example_names_every_variable_and_no_secret() -> None:
    example = dict(
        line.split("=", 1) for line in (ROOT / ".env.example").read_text().splitlines() if not line.startswith("#")
    )
    assert example.keys() == set(re.findall(r"\$\{(\w+)", TEXT))
    assert {name for name, value in example.items() if not value} == set(VARIABLES)
    for name, default in re.findall(r"\$\{(\w+):-([^}]+)\}", TEXT):
        assert example[name] == default


def ignored(path: str) -> bool:
    return git("check-ignore", "-q", path).returncode == 0


def test_written_secrets_are_not_committed() -> None:
    assert ignored(".env")
    assert ignored(".env.new")
    assert not ignored(".env.example")


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    for name in (".env.example", "scripts/env.sh"):
        copy = tmp_path / name
        copy.parent.mkdir(exist_ok=True)
        copy.write_text((ROOT / name).read_text())
    return tmp_path


def write_env(copied: Path) -> str:
    command = ["sh", str(copied / "scripts" / "env.sh")]
    return subprocess.run(command, cwd="/", capture_output=True, text=True, check=True, timeout=20).stdout


def test_env_is_written_with_random_secrets_that_nobody_else_reads(copied: Path) -> None:
    said = write_env(copied)
    written = copied / ".env"
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    values = dict(line.split("=", 1) for line in written.read_text().splitlines() if not line.startswith("#"))
    secrets = [values[name] for name in VARIABLES]
    assert all(re.fullmatch("[0-9a-f]{48}", value) for value in secrets)
    assert len(set(secrets)) == len(secrets)
    assert not any(value in said for value in secrets)
    assert services(values)["collector"].environment["RACELINE_SECRET"] == values["RACELINE_SECRET"]


def test_env_that_is_there_stays(copied: Path) -> None:
    (copied / ".env").write_text("RACELINE_SECRET=mine\n")
    assert "stays as it is" in write_env(copied)
    assert (copied / ".env").read_text() == "RACELINE_SECRET=mine\n"


def test_an_interrupted_writing_leaves_no_secrets(copied: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    programs = tmp_path_factory.mktemp("programs")
    slow = programs / "od"
    slow.write_text("#!/bin/sh\nexec sleep 20\n")
    slow.chmod(0o755)
    path = f"{programs}:{os.environ['PATH']}"
    command = ["sh", str(copied / "scripts" / "env.sh")]
    writing = subprocess.Popen(command, env={"PATH": path}, start_new_session=True)
    try:
        deadline = time.monotonic() + 10
        while not (copied / ".env.new").exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        os.killpg(writing.pid, signal.SIGTERM)
    assert writing.wait(10) not in (0, -signal.SIGTERM)
    assert {file.name for file in copied.iterdir()} == {".env.example", "scripts"}
