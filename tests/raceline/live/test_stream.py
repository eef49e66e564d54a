"""The page hears of changes, of trouble, and of the server's end."""

import http.client
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest

from raceline.database import Database, DatabaseError
from tests.raceline.live.conftest import Live, serving
from tests.raceline.live.seeding import UNTIL, visit
from tests.raceline.live.test_assets import get

Message = tuple[str, Any]


class Stream:
    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.response = response

    def next(self, *kinds: str, seconds: float = 10) -> Message:
        """The next message of one of these kinds."""
        deadline = time.monotonic() + seconds
        kind = ""
        while time.monotonic() < deadline:
            line = self.response.readline().decode()
            assert line, "the stream has ended"
            name, _, text = line.rstrip("\n").partition(": ")
            kind = text if name == "event" else kind
            if name == "data" and kind in kinds:
                return kind, json.loads(text)
        raise AssertionError(f"no {kinds} within {seconds} s")


@contextmanager
def stream(live: Live, query: str) -> Iterator[Stream]:
    connection = http.client.HTTPConnection("127.0.0.1", live.port, timeout=10)
    try:
        connection.request("GET", f"/api/live/stream?{query}")
        response = connection.getresponse()
        assert response.status == 200
        assert response.getheader("content-type", "").startswith("text/event-stream")
        with response:
            yield Stream(response)
    finally:
        connection.close()


def page_views(snapshot: Any) -> int:
    kpis = [kpi for group in snapshot["groups"] for kpi in group["kpis"]]
    return int(next(kpi["value"] for kpi in kpis if kpi["id"] == "page_views"))


class Counting:
    """The database, with a count of its questions."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.asked: list[str] = []

    def rows(self, name: str, parameters: dict[str, Any] | None = None) -> Any:
        self.asked.append(name)
        return self.database.rows(name, parameters)


def test_a_change_is_sent_within_two_seconds(live: Live, database: Database) -> None:
    with stream(live, "site=demo&minutes=60") as messages:
        before = page_views(messages.next("snapshot")[1])
        visit(database, "demo", "late-comer", UNTIL - timedelta(seconds=5))
        done = time.monotonic()
        assert page_views(messages.next("snapshot")[1]) == before + 1
        assert time.monotonic() - done < 2


def test_a_heartbeat_comes_when_nothing_changes(live: Live) -> None:
    with stream(live, "site=other&minutes=15") as messages:
        messages.next("snapshot")
        assert messages.next("heartbeat", "snapshot", seconds=7) == ("heartbeat", {})


def test_an_open_page_does_not_keep_the_server_from_ending(database: Database, free_port: Callable[[], int]) -> None:
    with serving(lambda: database, free_port()) as live, stream(live, "site=demo") as messages:
        messages.next("snapshot")
        assert live.stop() < 2
        assert messages.response.read().replace(b"event: heartbeat\ndata: {}\n\n", b"") in (b"", b"\n")


def test_many_pages_share_one_poller_that_ends_with_them(database: Database, free_port: Callable[[], int]) -> None:
    counting = Counting(database)
    with serving(lambda: counting, free_port()) as live:  # type: ignore[arg-type,return-value]
        with stream(live, "site=demo") as one, stream(live, "site=demo") as two, stream(live, "site=demo") as three:
            for messages in (one, two, three):
                messages.next("snapshot")
            counting.asked.clear()
            began = time.monotonic()
            while counting.asked.count("live.fingerprint") < 4:
                assert time.monotonic() - began < 30, "nobody polls"
                time.sleep(0.05)
            assert time.monotonic() - began > 3 * 0.5 * 0.9, "three pollers ask more often than one every half second"
        deadline = time.monotonic() + 10
        while _grows(counting.asked):
            assert time.monotonic() < deadline, "somebody still polls"


def _grows(asked: list[str]) -> bool:
    before = len(asked)
    time.sleep(1.5)
    return len(asked) > before


def test_a_silent_database_is_told_and_its_return_too(
    database: Database, unreachable: Callable[[], Database], free_port: Callable[[], int]
) -> None:
    sources = [unreachable]
    with serving(lambda: sources[-1](), free_port()) as live, stream(live, "site=other") as messages:
        assert messages.next("snapshot", "trouble") == ("trouble", {"reason": "unavailable"})
        assert get(live, "/api/live?site=other")[::2] == (503, b'{"reason":"unavailable"}')
        sources.append(lambda: database)
        assert messages.next("snapshot")[1]["site"] == "other"


def test_one_snapshot_is_json_that_no_cache_keeps(live: Live) -> None:
    status, headers, body = get(live, "/api/live?site=demo&minutes=15")
    assert (status, headers["content-type"], headers["cache-control"]) == (200, "application/json", "no-store")
    assert json.loads(body)["range"]["minutes"] == 15


@pytest.mark.parametrize("query", ["minutes=7", "minutes=all'", "site=" + "x" * 201])
@pytest.mark.parametrize("path", ["/api/live", "/api/live/stream"])
def test_a_question_that_no_page_asks_is_refused(live: Live, path: str, query: str) -> None:
    assert get(live, f"{path}?{query}")[0] == 400


@pytest.mark.parametrize("site", ["' or 1=1 --", "\r\nevent: snapshot", "</script>", "\x00"])
def test_a_hostile_site_comes_back_as_text_in_one_line(live: Live, site: str) -> None:
    with stream(live, f"site={quote(site)}") as messages:
        snapshot = messages.next("snapshot")[1]
    assert (snapshot["site"], snapshot["events"]) == (site, 0)


def test_an_unreachable_database_raises_what_the_feed_expects(unreachable: Callable[[], Database]) -> None:
    with pytest.raises(DatabaseError):
        unreachable()
