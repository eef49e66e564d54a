import csv
from collections import Counter
from importlib import resources

from stream_processors.race.sources import known_host, known_source


def rows() -> list[dict[str, str]]:
    text = resources.files("stream_processors.race").joinpath("data/sources.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def test_no_name_and_no_host_is_listed_twice() -> None:
    names = Counter(name for row in rows() for name in [row["source"], *row["aliases"].split()])
    hosts = Counter(host for row in rows() for host in row["hosts"].split())
    assert [
        entry for entry, count in (names + hosts).items() if count > 2 or names[entry] > 1 or hosts[entry] > 1
    ] == []


def test_every_row_has_a_known_category_and_lower_case_hosts() -> None:
    assert {row["category"] for row in rows()} == {"search", "social", "video", "shopping", "ai", "email"}
    assert all(row["hosts"] and row["hosts"] == row["hosts"].lower() for row in rows())


def test_every_listed_host_is_found_as_its_own_source() -> None:
    for row in rows():
        for host in row["hosts"].split():
            found = known_host(host.removeprefix("=").replace("*", "de"))
            assert found is not None
            assert found.name == row["source"], host


def test_host_of_a_country_is_the_same_source() -> None:
    assert {getattr(known_host(f"google.{end}"), "name", None) for end in ("de", "co.uk", "com.br", "com")} == {
        "google"
    }


def test_name_and_host_are_both_a_source() -> None:
    assert known_source("fb") == known_source("m.facebook.com")
    assert known_source("nobody") is None
    assert known_source("nobody.example") is None
