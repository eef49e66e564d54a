"""`make lock`: constraints.txt, the exact versions of everything that the extras need, for each supported Python.

Each version of Python is asked itself, since dependencies differ between them. Name the interpreters as arguments;
else those on the PATH are taken.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
VERSIONS: Final = ("3.11", "3.12", "3.13")
_HEAD: Final = "# Written by `make lock`: the exact version of everything that [embedded,dev] needs.\n"
_VERSION_OF: Final = "import sys; print('{}.{}'.format(*sys.version_info))"

Pins = Mapping[str, str]  # version by name


def main(interpreters: Sequence[str]) -> None:
    named = interpreters or [path for version in VERSIONS if (path := shutil.which(f"python{version}"))]
    by_python = {_version(interpreter): interpreter for interpreter in named}
    missing = [version for version in VERSIONS if version not in by_python]
    if missing:
        raise SystemExit(f"No Python {', '.join(missing)}: name the interpreters, make lock PYTHONS='...'")
    found = {python: resolved(by_python[python]) for python in VERSIONS}
    (ROOT / "constraints.txt").write_text(_HEAD + constraints(found))


def _version(interpreter: str) -> str:
    return subprocess.run([interpreter, "-c", _VERSION_OF], check=True, capture_output=True, text=True).stdout.strip()


def resolved(interpreter: str) -> Pins:
    """What pip would install into a fresh environment of this Python."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([interpreter, "-m", "venv", folder], check=True)
        asking = [f"{folder}/bin/python", "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        report = f"{folder}/report.json"
        subprocess.run([*asking, "--dry-run", "--report", report, f"{ROOT}[embedded,dev]"], check=True)
        chosen = [package["metadata"] for package in json.loads(Path(report).read_text())["install"]]
    return {_normal(package["name"]): package["version"] for package in chosen if package["name"] != "raceline"}


def constraints(found: Mapping[str, Pins]) -> str:
    """One line a package; more, with markers, where Pythons need different versions."""
    by_name: defaultdict[str, defaultdict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for python, pins in found.items():
        for name, version in pins.items():
            by_name[name][version].append(python)
    return "".join(_lines(name, versions) for name, versions in sorted(by_name.items()))


def _lines(name: str, versions: Mapping[str, Sequence[str]]) -> str:
    if len(versions) == 1:
        return f"{name}=={next(iter(versions))}\n"
    return "".join(f"{name}=={version} ; {_only(pythons)}\n" for version, pythons in versions.items())


def _only(pythons: Sequence[str]) -> str:
    return " or ".join(f'python_version == "{python}"' for python in pythons)


def _normal(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


if __name__ == "__main__":
    main(sys.argv[1:])
