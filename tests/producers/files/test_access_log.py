import io
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from access_log_by_hand import BOT_WORDS, NO_BROWSERS, by_hand, channel_by_hand

from producers.files.access_log import read_access_log
from producers.files.items import FileRefusal, Item, ReadOptions, Skipped, UnreadableFile
from schemas.events import Event, Source
from stream_processors.race.bots import bot_reasons
from stream_processors.race.channel import classify_channel

NOW = datetime(2025, 1, 1, tzinfo=UTC)
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:25.0) Gecko/20100101 Firefox/25.0"


def line(request: str = "GET /a HTTP/1.1", status: int = 200, referrer: str = "-", ip: str = "192.0.2.77") -> str:
    return f'{ip} - - [17/May/2015:10:05:03 +0200] "{request}" {status} 12 "{referrer}" "{BROWSER}"\n'


def read(text: str | bytes, site: str | None = "shop.example", secret: bytes = b"s") -> list[Item]:
    stream = io.BytesIO(text.encode() if isinstance(text, str) else text)
    return list(read_access_log(stream, ReadOptions(NOW, secret, site)))


def one(text: str, secret: bytes = b"s") -> Event:
    (event,) = read(text, secret=secret)
    assert isinstance(event, Event)
    return event


def test_page_view_has_the_requests_facts() -> None:
    event = one(line("GET /p?utm_source=x&token=secret HTTP/1.1", referrer="https://t.co/a?b=c"))
    assert (event.name, event.source, event.site_id) == ("page_view", Source.WEBSITE, "shop.example")
    assert event.occurred_at == datetime(2015, 5, 17, 8, 5, 3, tzinfo=UTC)
    assert event.received_at == NOW
    context = event.context
    assert (context.url, context.referrer) == ("https://shop.example/p?utm_source=x", "https://t.co/a")
    assert (context.ip, context.user_agent, context.imported) == ("192.0.2.0", BROWSER, True)


def test_visitor_is_made_of_the_whole_ip_and_the_secret() -> None:
    same, neighbour, elsewhere = one(line()), one(line(ip="192.0.2.78")), one(line(), secret=b"other")
    assert one(line()).visitor_id == same.visitor_id
    assert len({same.visitor_id, neighbour.visitor_id, elsewhere.visitor_id}) == 3
    assert same.context.ip == neighbour.context.ip


@pytest.mark.parametrize(
    ("request_line", "status", "outcome"),
    [
        ("GET /a HTTP/1.1", 304, "page_view"),
        ("GET /notes.py HTTP/1.1", 200, "page_view"),
        ("GET /v1.2/ HTTP/1.1", 200, "page_view"),
        ("GET /download.pdf/ HTTP/1.1", 200, "page_view"),
        ("GET http://shop.example/a HTTP/1.1", 200, "page_view"),
        ("GET /a.PDF?x=1 HTTP/1.1", 200, "file_download"),
        ("GET /x/app-1.0.tar.gz HTTP/1.1", 200, "file_download"),
        ("GET /style.css?v=2 HTTP/1.1", 200, "asset"),
        ("GET /favicon.ico HTTP/1.1", 200, "asset"),
        ("GET /film.mp4 HTTP/1.1", 200, "media"),
        ("GET /robots.txt HTTP/1.1", 200, "machine file"),
        ("GET /a HTTP/1.1", 404, "status 404"),
        ("GET /a HTTP/1.1", 206, "status 206"),
        ("HEAD /a HTTP/1.1", 200, "not a GET"),
        ("POST /a HTTP/1.1", 200, "not a GET"),
        ("-", 400, "not a GET"),
    ],
)
def test_only_shown_pages_and_downloads_are_events(request_line: str, status: int, outcome: str) -> None:
    (item,) = read(line(request_line, status))
    assert outcome == (item.name if isinstance(item, Event) else getattr(item, "reason", None))


def test_damaged_line_is_refused_without_its_ip_and_the_file_goes_on() -> None:
    first, second = read('192.0.2.77 - - [17/May/2015:10:05:03 +0200] "GET /a\n' + line())
    assert isinstance(first, FileRefusal)
    assert (first.line, isinstance(second, Event)) == (1, True)
    assert b"192.0.2.0" in first.payload


@pytest.mark.parametrize("time", ["99/May/2015:10:05:03 +0200", "yesterday"])
def test_impossible_time_is_refused(time: str) -> None:
    assert isinstance(read(line().replace("17/May/2015:10:05:03 +0200", time))[0], FileRefusal)


def test_quotes_within_fields_and_foreign_bytes_are_read() -> None:
    text = line("GET /a HTTP/1.1").replace("(X11", r"(\"X11\"").encode() + b"\xff\n"
    (event,) = [item for item in read(text) if isinstance(item, Event)]
    assert event.context.user_agent is not None
    assert '("X11"' in event.context.user_agent


def test_empty_user_agent_is_told_from_an_unknown_one() -> None:
    assert one(line().replace(BROWSER, "-")).context.user_agent == ""


def test_own_host_is_found_where_the_site_id_is_not_one() -> None:
    log = line("GET /s.css HTTP/1.1", referrer="http://www.shop.example/a") + line(referrer="http://shop.example/")
    event = read(log, site="demo")[1]
    assert isinstance(event, Event)
    assert event.context.url == "https://shop.example/a"
    assert not classify_channel(event.context).has_signal


def test_log_without_a_site_cannot_be_read() -> None:
    with pytest.raises(UnreadableFile, match="--site"):
        read(line(), site=None)


@pytest.fixture(scope="module")
def recorded(request: pytest.FixtureRequest) -> tuple[list[str], list[Item]]:
    folder = Path(__file__).resolve().parents[4] / "shared" / "data" / "access_log"
    if not folder.is_dir():
        pytest.skip("needs ../shared/data, which a clone does not have")
    text = (folder / "apache_logs.txt").read_text(encoding="utf-8", errors="replace")
    return text.splitlines(), read(text, site="semicomplete.com")


def test_recorded_log_gives_the_page_views_that_splitting_by_hand_gives(
    recorded: tuple[list[str], list[Item]],
) -> None:
    entries, items = recorded
    expected = [found for entry in entries if entry.endswith('"') and (found := by_hand(entry))]
    views = [item for item in items if isinstance(item, Event) and item.name == "page_view"]
    assert len(views) == len(expected) == 3895
    assert len({view.visitor_id for view in views}) == len({(ip, agent) for ip, _, _, agent in expected}) == 1265
    assert len(entries) == len(items) == 10_000
    assert [item.line for item in items if isinstance(item, FileRefusal)] == [8899]
    skipped = Counter(item.reason for item in items if isinstance(item, Skipped))
    assert (skipped["not a GET"], skipped["status 301"] > 0) == (48, True)


def test_recorded_log_has_the_bots_that_a_list_of_words_finds(recorded: tuple[list[str], list[Item]]) -> None:
    views = [item for item in recorded[1] if isinstance(item, Event) and item.name == "page_view"]
    agents = Counter(view.context.user_agent or "" for view in views)
    found = {agent for agent in agents if bot_reasons(agent, Source.WEBSITE)}
    by_words = {agent for agent in agents if any(word in agent.lower() for word in BOT_WORDS.split())}
    assert found == by_words | (set(NO_BROWSERS) & set(agents))
    assert sum(agents[agent] for agent in found) == 2263


def test_recorded_log_has_the_channels_that_hosts_by_hand_give(recorded: tuple[list[str], list[Item]]) -> None:
    entries, items = recorded
    views = [item for item in items if isinstance(item, Event) and item.name == "page_view"]
    expected = Counter(channel_by_hand(entry) for entry in entries if entry.endswith('"') and by_hand(entry))
    assert Counter(classify_channel(view.context).name for view in views) == expected
    assert expected == {
        "Direct": 3083,
        "Organic Search": 473,
        "Unassigned": 153,  # utm_medium=feed: GA4 knows no such medium
        "Referral": 132,
        "Organic Social": 54,
    }
