"""Our image's contents, made by the Dockerfile's own steps."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from compose_file import ROOT
from dockerfile import Step, moved, stages

_STEP_SECONDS: Final = 300
_UNREACHABLE: Final = re.compile("No matching distribution found|NewConnectionError|ConnectTimeout|ProxyError")


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that is /opt/raceline in the image, with this machine's Python, made by the steps of the build stage.

    Skips where packages cannot be fetched, except where everything must be tested.
    """
    root = tmp_path_factory.mktemp("image")
    paths = {name: str(root / name.rpartition("/")[2]) for name in ("/opt/raceline", "/src", "/dist")}
    source = Path(paths["/src"])
    source.mkdir()
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    environment.pop("PYTHONPATH", None)
    for step in stages(ROOT / "Dockerfile")[0].steps:
        if step.name == "ENV":
            variables = dict(word.split("=", 1) for word in step.words)
            del variables["PIP_NO_CACHE_DIR"]  # for a smaller layer; here it only takes time
            environment |= {name: moved(value, paths) for name, value in variables.items()}
        elif step.name == "COPY":
            _copy(step, source)
        elif step.name == "RUN" and not step.text.startswith("apt-get"):  # compilers, where there are no wheels
            _run(moved(step.text, paths), source, environment)
    return Path(paths["/opt/raceline"])


def _copy(step: Step, target: Path) -> None:
    *names, _ = step.words
    for name in names:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, target / name)


def _run(command: str, folder: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=_STEP_SECONDS,
        check=False,
    )
    if done.returncode and _UNREACHABLE.search(done.stderr) and not os.environ.get("CI"):
        pytest.skip("packages cannot be fetched here")
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
