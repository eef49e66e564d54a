"""Who a referrer host or a utm_source is: the reader of `data/sources.csv`."""

import csv
from collections.abc import Iterator
from functools import cache, lru_cache
from importlib import resources
from typing import Final, Literal, NamedTuple, cast

Category = Literal["search", "social", "video", "shopping", "ai", "email"]

# Second-level names under which countries sell domains: google.co.uk ends in ".co.uk", not in ".uk".
_SECOND_LEVEL: Final = frozenset({"co", "com", "org", "net", "ne", "or", "ac", "gov", "edu"})


class KnownSource(NamedTuple):
    name: str
    category: Category


class _Directory(NamedTuple):
    """`domains` match a host and everything below it, `hosts` only themselves; both may end in `.*` (any country)."""

    names: dict[str, KnownSource]
    domains: dict[str, KnownSource]
    hosts: dict[str, KnownSource]


@cache
def _directory() -> _Directory:
    found = _Directory({}, {}, {})
    text = resources.files(__package__).joinpath("data/sources.csv").read_text(encoding="utf-8")
    for row in csv.DictReader(text.splitlines()):
        known = KnownSource(row["source"], cast(Category, row["category"]))
        found.names[known.name] = known
        found.names.update(dict.fromkeys(row["aliases"].split(), known))
        for host in row["hosts"].split():
            (found.hosts if host.startswith("=") else found.domains)[host.removeprefix("=")] = known
    return found


@lru_cache(maxsize=16384)
def known_host(host: str) -> KnownSource | None:
    """The source that a host (lower case) belongs to; the longest entry wins: gemini.google.com is not google."""
    directory = _directory()
    plain = host.removeprefix("www.")
    for form in (plain, _any_country(plain)):
        if known := directory.hosts.get(form):
            return known
    for domain in _with_parents(plain):
        if known := directory.domains.get(domain) or directory.domains.get(_any_country(domain)):
            return known
    return None


@lru_cache(maxsize=16384)
def known_source(source: str) -> KnownSource | None:
    """The same for a utm_source (lower case), which is a name (`google`) or a host (`chatgpt.com`)."""
    return _directory().names.get(source) or (known_host(source) if "." in source else None)


def _with_parents(host: str) -> Iterator[str]:
    while "." in host:
        yield host
        host = host.partition(".")[2]


def _any_country(host: str) -> str:
    """`google.co.uk` -> `google.*`"""
    labels = host.split(".")
    ending = 2 if len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in _SECOND_LEVEL else 1
    return ".".join([*labels[:-ending], "*"])
