"""The page in a real browser."""

import re
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Literal
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, expect

from raceline.database import Database
from tests.raceline.live.conftest import Live, serving
from tests.raceline.live.seeding import UNTIL, visit

NUMBERS = "#funnel .stage-value"


@pytest.fixture
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page that fails the test for whatever stands in its console."""
    width: int
    scheme: Literal["light", "dark"]
    width, scheme = getattr(request, "param", (1400, "light"))
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, locale="en-GB")
    page, said = context.new_page(), []
    page.set_default_timeout(10000)
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    yield page
    context.close()
    assert [text for text in said if "ERR_" not in text] == []


@pytest.mark.parametrize("page", [(1400, "light"), (400, "dark")], ids=["wide", "phone"], indirect=True)
def test_the_page_shows_the_numbers_and_follows_a_change(page: Page, live: Live, database: Database) -> None:
    page.goto(f"http://127.0.0.1:{live.port}/?site=demo&minutes=60")
    page.wait_for_selector(NUMBERS)
    before = int(page.inner_text(NUMBERS).replace(",", ""))
    assert before > 100
    assert page.inner_text("#connection") == "Live"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    visit(database, "demo", f"seen {page.evaluate('innerWidth')}", UNTIL - timedelta(seconds=9))
    expect(page.locator(NUMBERS).first).to_have_text(f"{before + 1:,}", timeout=30_000)


def test_a_range_is_chosen_by_keyboard_and_kept_in_the_address(page: Page, live: Live) -> None:
    page.goto(f"http://127.0.0.1:{live.port}/?site=other&minutes=15")
    page.wait_for_selector(NUMBERS)
    page.focus("#ranges input:checked")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#range-note")).to_have_text(re.compile("^last hour"), timeout=30_000)
    assert page.url.endswith("?site=other&minutes=60")


def test_without_a_choice_the_site_with_the_newest_events_is_shown_and_kept(page: Page, live: Live) -> None:
    page.goto(f"http://127.0.0.1:{live.port}/")
    page.wait_for_selector(NUMBERS)
    assert page.input_value("#site") in ("demo", "other")
    assert f"site={page.input_value('#site')}" in page.url


def test_a_hostile_site_is_text_and_the_page_says_what_to_do(page: Page, live: Live) -> None:
    site = "<img src=x onerror=alert(1)>"
    page.goto(f"http://127.0.0.1:{live.port}/?site={quote(site)}")
    page.wait_for_selector("#empty")
    assert page.inner_text("#empty-title") == f"No events of {site} yet"
    assert page.input_value("#site") == site
    assert page.query_selector("main img") is None
    assert "raceline send" in page.inner_text("#first-steps")
    assert page.is_hidden("#content")


def test_a_silent_database_and_a_lost_server_are_told(
    page: Page, database: Database, unreachable: Callable[[], Database], free_port: Callable[[], int]
) -> None:
    sources = [lambda: database]
    with serving(lambda: sources[-1](), free_port()) as live:
        page.goto(f"http://127.0.0.1:{live.port}/?site=demo")
        page.wait_for_selector(NUMBERS)
        sources.append(unreachable)
        page.wait_for_selector("#trouble")
        assert "ClickHouse does not answer" in page.inner_text("#trouble")
        assert "numbers below are from" in page.inner_text("#trouble")
        sources.pop()
        page.wait_for_selector("#trouble", state="hidden")
    expect(page.locator("#connection")).to_contain_text("Reconnecting", timeout=30_000)


def test_where_streams_do_not_get_through_the_page_asks_again_and_again(page: Page, live: Live) -> None:
    asked = threading.Event()
    page.route("**/api/live/stream*", lambda route: route.abort())
    page.on("response", lambda response: asked.set() if "/api/live?" in response.url else None)
    page.goto(f"http://127.0.0.1:{live.port}/?site=other")
    page.wait_for_selector(NUMBERS, timeout=20000)
    assert asked.is_set()
    assert "every 5 s" in page.inner_text("#connection")
