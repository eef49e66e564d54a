"""The files as Docker reads them: docker-compose.yml with the library of `docker compose`, which checks it against the
Compose Specification's schema, and the Dockerfiles with BuildKit's parser."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
from compose_file import ROOT, TEXT, VARIABLES, services
from dockerfile import stages

SOURCE: Final = Path(__file__).with_name("reading")
_FETCH_SECONDS: Final = 120
_BUILD_SECONDS: Final = 600
_READ_SECONDS: Final = 30


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the programs `compose` and `dockerfile`. Without Go they are missing, which RACELINE_REQUIRE_GO=1
    makes a failure."""
    folder = tmp_path_factory.mktemp("reading")
    if shutil.which("go") is None:
        _missing("Go is not installed")
    fetched = _go("mod", "download", seconds=_FETCH_SECONDS)
    if fetched.returncode:
        _missing(f"Go cannot get what the programs need: {fetched.stderr.strip().splitlines()[-1]}")
    built = _go("build", "-o", f"{folder}/", "./...", seconds=_BUILD_SECONDS)
    assert built.returncode == 0, built.stderr
    return folder


def _missing(reason: str) -> None:
    if os.environ.get("RACELINE_REQUIRE_GO") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def _go(*words: str, seconds: float) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["go", *words], cwd=SOURCE, capture_output=True, text=True, timeout=seconds, check=False)


def read(program: Path, file: Path, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **variables}
    return subprocess.run(
        [str(program), str(file)], env=environment, capture_output=True, text=True, timeout=_READ_SECONDS, check=False
    )


@pytest.fixture
def project(programs: Path, tmp_path: Path) -> dict[str, Any]:
    """Without the checkout's own .env."""
    copy = tmp_path / "docker-compose.yml"
    copy.write_text(TEXT)
    done = read(programs / "compose", copy, dict(VARIABLES))
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_compose_reads_what_these_tests_read(project: dict[str, Any]) -> None:
    ours = services()
    assert project["services"].keys() == ours.keys()
    for name, service in ours.items():
        found = project["services"][name]
        assert (found.get("environment") or {}) == service.environment
        assert found.get("entrypoint") == service.values.get("entrypoint")
        assert found.get("command") == service.values.get("command")
        assert found.get("tmpfs") == service.values["tmpfs"]
        assert found["read_only"] is True
        test = service.values.get("healthcheck", {}).get("test")
        # Compose keeps the dollar sign doubled in what it prints.
        assert [word.replace("$$", "$") for word in found.get("healthcheck", {}).get("test", [])] == (test or [])


def test_compose_publishes_on_loopback_only(project: dict[str, Any]) -> None:
    published = [port for service in project["services"].values() for port in service.get("ports", [])]
    assert [port["host_ip"] for port in published] == ["127.0.0.1"] * 2


def test_compose_says_what_to_do_about_a_missing_secret(programs: Path, tmp_path: Path) -> None:
    (tmp_path / "docker-compose.yml").write_text(TEXT)
    done = read(programs / "compose", tmp_path / "docker-compose.yml", {})
    assert done.returncode == 1
    assert "write a .env first with sh scripts/env.sh" in done.stderr


def test_compose_takes_the_secrets_from_env(programs: Path, tmp_path: Path) -> None:
    (tmp_path / "docker-compose.yml").write_text(TEXT)
    (tmp_path / ".env").write_text("".join(f"{name}={value}\n" for name, value in VARIABLES.items()))
    assert read(programs / "compose", tmp_path / "docker-compose.yml", {}).returncode == 0


@pytest.mark.parametrize("wrong", ["    restart: unless-stopped\n    restarts: 3", "    restart: [sometimes]"])
def test_what_the_specification_does_not_know_is_refused(programs: Path, tmp_path: Path, wrong: str) -> None:
    (tmp_path / "docker-compose.yml").write_text(f"services:\n  one:\n    image: one:1.0\n{wrong}\n")
    done = read(programs / "compose", tmp_path / "docker-compose.yml", {})
    assert done.returncode == 1
    assert "validating" in done.stderr


@pytest.mark.parametrize("path", ["Dockerfile", "grafana/Dockerfile"])
def test_buildkit_reads_the_same_steps_and_warns_of_nothing(programs: Path, path: str) -> None:
    done = read(programs / "dockerfile", ROOT / path, {})
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["warnings"] == []
    ours = stages(ROOT / path)
    assert [stage["base"] for stage in found["stages"]] == [stage.base for stage in ours]
    steps = [[name for name, _ in stage["commands"]] for stage in found["stages"]]
    assert steps == [[step.name for step in stage.steps] for stage in ours]


def test_buildkit_refuses_what_it_does_not_know(programs: Path, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM one:1.0\nCOPIES a b\n")
    done = read(programs / "dockerfile", tmp_path / "Dockerfile", {})
    assert done.returncode == 1
    assert "COPIES" in done.stderr
