"""`make lock`, second part: docs/licences.md, the licence of every package that constraints.txt pins."""

from collections.abc import Sequence
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT: Final = Path(__file__).resolve().parent.parent
PAGE: Final = ROOT / "docs" / "licences.md"

_PERMISSIVE: Final = {
    "Apache-2.0",
    "Apache-2.0 AND MIT",
    "Apache-2.0 OR BSD-2-Clause",
    "BSD",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSD-3-Clause AND 0BSD AND MIT AND Zlib AND CC0-1.0",
    "ISC",
    "MIT",
    "MIT AND PSF-2.0",
    "MIT or Apache-2.0",
    "PSF-2.0",
    "Repoze (BSD style)",
}
_FILE_BY_FILE: Final = {"MPL-2.0", "MPL-2.0 AND (Apache-2.0 OR MIT)"}
_AS_A_LIBRARY: Final = {"LGPL-2.1-or-later"}
ACCEPTED: Final = _PERMISSIVE | _FILE_BY_FILE | _AS_A_LIBRARY

# Packages whose metadata says nothing, or less than their licence file.
_BY_HAND: Final = {
    "crawler-user-agents": "MIT",
    "crc32c": "LGPL-2.1-or-later",
    "python-dotenv": "BSD-3-Clause",
    "uvloop": "MIT or Apache-2.0",
}
_CLASSIFIERS: Final = {
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "Repoze Public License": "Repoze (BSD style)",
}
_HEAD: Final = """\
# Licences

Raceline is under the [Apache License 2.0](../LICENSE). This table is what the packages that it installs say of
themselves. It is written by `make lock`, and a test refuses a licence that is not on the list of accepted ones in
`scripts/licences.py`.

All are permissive, with two kinds of exception: under the MPL only changes to the package's own files have to be
published, and the LGPL of `crc32c` asks that it can be replaced, which it can: it is a package of its own, and
kafka-python works without it, slower. The live page brings Apache ECharts along, under the Apache License 2.0.

| package | licence |
|---|---|
"""


def main() -> None:
    PAGE.write_text(licences_page())


def licences_page() -> str:
    pinned = {
        canonicalize_name(Requirement(line).name)
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if line and not line.startswith("#")
    }
    installed = {canonicalize_name(package.name): package for package in distributions()}
    rows = (f"| {name} | {_terms(name, installed[name])} |\n" for name in sorted(pinned & installed.keys()))
    return _HEAD + "".join(rows)


def _terms(name: str, package: Distribution) -> str:
    def said(field: str) -> list[str]:
        return package.metadata.get_all(field) or []

    expression, text = said("License-Expression"), said("License")
    stated = terms_of(expression[0] if expression else None, said("Classifier"), text[0] if text else "")
    return _BY_HAND.get(name, stated)


def terms_of(expression: str | None, classifiers: Sequence[str], text: str) -> str:
    """The first that there is: an SPDX expression, a classifier, a short text."""
    if expression:
        return expression
    for classifier in classifiers:
        if classifier.startswith("License :: "):
            name = classifier.rpartition(" :: ")[2]
            return _CLASSIFIERS.get(name, name)
    return text if 0 < len(text) <= 40 else "unknown"


if __name__ == "__main__":
    main()
