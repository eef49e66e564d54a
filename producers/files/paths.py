"""What a requested path is: a page, a download, or something a page or a program fetched."""

import csv
from functools import cache, lru_cache
from importlib import resources
from typing import Final

PAGE: Final = "page"
DOWNLOAD: Final = "download"


@cache
def _kinds() -> dict[str, str]:
    text = resources.files(__package__).joinpath("data/path_kinds.csv").read_text(encoding="utf-8")
    return {name: row["kind"] for row in csv.DictReader(text.splitlines()) for name in row["names"].split()}


@lru_cache(maxsize=16384)
def path_kind(path: str) -> str:
    """`page`, `download`, or the kind that is not an event; unknown endings are pages (`/v1.2`, `/notes.py`)."""
    name = path.rpartition("/")[2].lower()
    stem, dot, ending = name.rpartition(".")
    if not stem and not dot:
        return PAGE
    return _kinds().get(name) or _kinds().get(dot + ending) or PAGE
