"""What git knows about these files."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

_ROOT: Final = Path(__file__).resolve().parents[2]


def git(*words: str) -> subprocess.CompletedProcess[str]:
    """Skips where there is no git checkout, such as in an unpacked archive, and where git is not installed, except
    where everything must be tested."""
    if not (_ROOT / ".git").exists():
        pytest.skip("needs a git checkout")
    if shutil.which("git") is None and "CI" not in os.environ:
        pytest.skip("git is not installed")
    return subprocess.run(["git", *words], cwd=_ROOT, capture_output=True, text=True, check=False)


def tracked(*paths: str) -> list[str]:
    """Files under the paths, or all, that are committed or staged. Skips as `git` does."""
    listed = git("ls-files", "-z", "--", *paths)
    assert listed.returncode == 0, listed.stderr
    return [name for name in listed.stdout.split("\0") if name]
