"""`.ci/run` with programs that stand in for those it runs; nothing is installed and nothing is tested in it."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[1]
# What it would install where it is missing, and python3, which fits whatever it is asked.
PRESENT: Final = ("git", "make", "curl", "wget", "node", "java", "mvn", "chromium", "python3")
OF_EVERY_DEBIAN: Final = ("basename", "cat", "dirname", "grep", "head", "mktemp", "rm", "sed", "sort", "tail", "tee")
OLD_GO: Final = """
case "$*" in
"env GOVERSION") echo go1.19.8 ;;
"env GOOS") echo linux ;;
"env GOARCH") echo amd64 ;;
"mod download "*) cat "$ANSWER"; exit "$CODE" ;;
esac
"""

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")


@dataclass
class Machine:
    """Its programs write down how they are called. There is nothing beside the script that it could check or test."""

    folder: Path

    def __post_init__(self) -> None:
        (self.folder / ".ci").mkdir()
        shutil.copy(ROOT / ".ci" / "run", self.folder / ".ci")
        (self.folder / "bin").mkdir()
        for name in (*PRESENT, "chmod", "apt-get"):
            self.put(name, "")
        for name in OF_EVERY_DEBIAN:
            (self.folder / "bin" / name).symlink_to(str(shutil.which(name)))
        self.put("go", OLD_GO)
        self.put("id", "echo 0")

    def put(self, name: str, script: str) -> None:
        program = self.folder / "bin" / name
        program.write_text(f'#!/bin/sh\necho "$(basename "$0") $*" >>"{self.folder}/called"\n{script}')
        program.chmod(0o755)

    def run(self, answer: object, code: int) -> subprocess.CompletedProcess[str]:
        (self.folder / "answer.json").write_text(json.dumps(answer, indent="\t"))
        variables = {"ANSWER": str(self.folder / "answer.json"), "CODE": str(code), "PATH": str(self.folder / "bin")}
        command = [str(shutil.which("bash")), str(self.folder / ".ci" / "run")]
        return subprocess.run(command, env=variables, capture_output=True, text=True, timeout=30, check=False)

    def calls(self, name: str) -> list[str]:
        called = (self.folder / "called").read_text().splitlines()
        return [line.removeprefix(f"{name} ") for line in called if line.startswith(f"{name} ")]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.mark.parametrize(("answer", "code"), [({"Error": "no such host"}, 1), ({}, 0)])
def test_a_go_that_cannot_be_downloaded_ends_it_with_a_sentence(machine: Machine, answer: object, code: int) -> None:
    ran = machine.run(answer, code)
    assert ran.returncode == 1
    assert ran.stderr.startswith("go1.19.8 could not download golang.org/toolchain@v0.0.1-go1.")
    assert json.dumps(answer, indent="\t") in ran.stderr
    assert machine.calls("chmod") == []
    assert machine.calls("make") == []


def test_only_the_programs_of_a_downloaded_go_are_made_executable(machine: Machine) -> None:
    ran = machine.run({"Path": "golang.org/toolchain", "Dir": "/there/toolchain@v1"}, 0)
    assert machine.calls("chmod") == ["-R u+x /there/toolchain@v1/bin /there/toolchain@v1/pkg/tool"]
    assert machine.calls("make") == ["check", "test"]
    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize("name", ["git", "make", "mvn"])
def test_what_is_missing_is_installed_first(machine: Machine, name: str) -> None:
    (machine.folder / "bin" / name).unlink()
    machine.run({}, 1)
    update, install = machine.calls("apt-get")
    assert update == "update -qq"
    assert install.endswith(" " + {"mvn": "maven"}.get(name, name))
