"""A real shop page in a real browser, on another origin than the collector: what is clicked is in the KPIs."""

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal

import pytest
from browser import launched_as_itself
from playwright.sync_api import Browser, BrowserContext, expect
from running_stack import RunningStack, running, until

from raceline.kpis import Value
from schemas.kpi import KPIS, Kpi
from tests.end_to_end.shop_server import opened_shop

pytestmark = pytest.mark.e2e

SITE: Final = "demo"  # the only one with a write key
ONE_VISIT: Final = {"unique_visitors": 1, "sessions": 1, "new_visitors": 1}
PERSONS: Final = "#funnel .stage-value"


@pytest.fixture(scope="module")
def stack(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """One with a live page, which other tests send nothing to. After the browser: without one there is no test."""
    with running(tmp_path_factory.mktemp("stack"), workers=1) as found:
        yield found


@pytest.fixture(scope="module")
def shop(stack: RunningStack) -> Iterator[str]:
    with opened_shop(stack.settings.collector_url) as address:
        yield address


@pytest.fixture
def visitor(browser: Browser) -> Iterator[BrowserContext]:
    """A person with an empty browser. What stands in its console fails the test, but for failures while offline."""
    said: list[str] = []
    context = browser.new_context(locale="en-GB")
    context.set_default_timeout(15000)
    context.on("console", lambda message: said.append(message.text))
    context.on("weberror", lambda error: said.append(str(error.error)))
    yield context
    context.close()
    assert [text for text in said if "ERR_INTERNET_DISCONNECTED" not in text] == []


class Counting:
    """What a test adds to the KPIs of the site, which the tests share."""

    def __init__(self, stack: RunningStack) -> None:
        self.stack = stack
        self.stored = stack.stored(SITE)
        self.before = self._row()

    def _row(self) -> dict[str, Any]:
        return dict(self.stack.row(SITE)) if self.stored else {}

    def added(self, events: int) -> dict[str, Value]:
        """Waits until so many events came, and gives each count that changed by them."""
        until(lambda: self.stack.stored(SITE) >= self.stored + events)
        self.stack.settle()
        assert self.stack.stored(SITE) == self.stored + events
        now = self.stack.row(SITE)
        names = [*(kpi.id for kpi in KPIS if kpi.additive), "bot_events"]
        changes = {name: float(now[name]) - float(self.before.get(name, 0)) for name in names}
        return {name: change for name, change in changes.items() if change}


@pytest.fixture(scope="module")
def visited(stack: RunningStack, shop: str, browser: Browser) -> None:
    """The site has an event, so that the live page shows numbers."""
    counting = Counting(stack)
    page = browser.new_page()
    page.goto(f"{shop}/index.html")
    counting.added(1)
    page.close()


@pytest.fixture
def counting(stack: RunningStack) -> Counting:
    return Counting(stack)


def newest(stack: RunningStack, count: int) -> list[dict[str, Any]]:
    """The newest events of the site, the oldest of them first."""
    sql = """select name, user_id, context, channel, is_bot, received_at - occurred_at as seconds_on_the_way
        from (select * from classified_events where site_id = 'demo' order by occurred_at desc limit {count:UInt32})
        order by occurred_at format JSONEachRow"""
    url = f"{stack.settings.clickhouse_url}/?database=raceline&param_count={count}"
    with urllib.request.urlopen(url, data=sql.encode(), timeout=20) as answer:
        events = [json.loads(line) for line in answer]
    return [event | {"context": json.loads(event["context"])} for event in events]


def test_a_shopper_who_came_by_a_newsletter_is_counted_from_page_to_purchase(
    stack: RunningStack, shop: str, visitor: BrowserContext, counting: Counting
) -> None:
    page = visitor.new_page()
    page.goto(f"{shop}/index.html?utm_source=news&utm_medium=email&utm_campaign=spring&who=eve")
    page.click("#to-product")
    page.click("#add")
    page.click("#to-checkout")
    page.click("#buy")
    page.wait_for_selector("#thanks")
    assert counting.added(6) == ONE_VISIT | {
        "page_views": 3,
        "product_views": 1,
        "add_to_carts": 1,
        "engaged_sessions": 1,
        "orders": 1,
        "first_orders": 1,
        "customers": 1,
        "active_customers": 1,
        "revenue": 59.9,
    }
    assert stack.kpis(SITE, channel="Email")["convert"]["orders"] == 1
    events = newest(stack, 6)
    assert events[0]["context"]["utm_campaign"] == "spring"
    assert "eve" not in json.dumps(events)
    views = [event["context"] for event in events if event["name"] == "page_view"]
    came_from = [view["referrer"].partition("?")[0] for view in views[1:]]
    assert came_from == [f"{shop}/index.html", f"{shop}/product.html"]


def test_a_visit_from_a_search_engine_belongs_to_it(
    stack: RunningStack, shop: str, visitor: BrowserContext, counting: Counting
) -> None:
    visitor.new_page().goto(f"{shop}/index.html", referer="https://www.google.com/")
    assert counting.added(1) == ONE_VISIT | {"page_views": 1}
    assert stack.kpis(SITE, channel="Organic Search")["reach"]["sessions"] == 1


def test_each_view_of_a_single_page_application_is_a_page_view(
    stack: RunningStack, shop: str, visitor: BrowserContext, counting: Counting
) -> None:
    page = visitor.new_page()
    page.goto(f"{shop}/app.html")
    page.click("#list")
    page.click("#detail")
    page.click("#anchor")  # the same page
    page.go_back()
    page.go_back()
    assert counting.added(4) == ONE_VISIT | {"page_views": 4, "engaged_sessions": 1}
    views = [event["context"] for event in newest(stack, 4)]
    assert [view["url"].removeprefix(shop) for view in views] == ["/app.html", "/app/list", "/app/detail", "/app/list"]
    assert [view["title"] for view in views[:3]] == ["App", "App /app/list", "App /app/detail"]
    assert [view["referrer"].removeprefix(shop) for view in views[1:3]] == ["/app.html", "/app/list"]


def test_a_lead_is_counted_though_its_form_leaves_the_page(
    stack: RunningStack, shop: str, visitor: BrowserContext, counting: Counting
) -> None:
    page = visitor.new_page()
    page.goto(f"{shop}/contact.html")
    page.fill("[name=email]", "Eve@Example.com")
    page.click("#submit")
    page.wait_for_url("**/index.html?email=*")
    added = counting.added(4)
    assert (added["leads"], added["page_views"], added["unique_visitors"]) == (1, 2, 1)
    events = newest(stack, 4)
    assert "xample" not in json.dumps(events)
    (user,) = {event["user_id"] for event in events if event["user_id"]}
    assert len(user) >= 32


def test_what_was_clicked_right_before_the_tab_closed_is_counted(
    shop: str, visitor: BrowserContext, counting: Counting
) -> None:
    page = visitor.new_page()
    page.goto(f"{shop}/product.html")
    page.click("#add")
    page.close(run_before_unload=True)
    assert counting.added(3) == ONE_VISIT | {"page_views": 1, "product_views": 1, "add_to_carts": 1}


@pytest.mark.parametrize("wish", ["globalPrivacyControl = true", 'doNotTrack = "1"'])
def test_who_asks_not_to_be_tracked_is_not(shop: str, visitor: BrowserContext, wish: str) -> None:
    name, _, value = wish.partition(" = ")
    visitor.add_init_script(f"Object.defineProperty(navigator, '{name}', {{get: () => {value}}})")
    asked: list[str] = []
    visitor.on("request", lambda request: asked.append(request.url))
    page = visitor.new_page()
    page.goto(f"{shop}/product.html")
    page.click("#add")
    page.wait_for_timeout(1500)  # the tracker sends after 1 s
    page.click("#to-checkout")
    assert any(url.endswith("/tracker.js") for url in asked)
    assert not [url for url in asked if "/v1/events" in url]
    assert page.evaluate("[localStorage.length, document.cookie]") == [0, ""]


def test_a_page_with_a_strict_security_policy_is_tracked(
    shop: str, visitor: BrowserContext, counting: Counting
) -> None:
    page = visitor.new_page()
    answer = page.goto(f"{shop}/strict.html")
    assert answer is not None
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; script-src http://127.0.0.1:")
    assert counting.added(1) == ONE_VISIT | {"page_views": 1}


def test_what_happens_offline_is_sent_later_with_its_own_time(
    stack: RunningStack, shop: str, visitor: BrowserContext, counting: Counting
) -> None:
    page = visitor.new_page()
    page.goto(f"{shop}/app.html")
    until(lambda: stack.stored(SITE) == counting.stored + 1)
    visitor.set_offline(True)
    with page.expect_event("requestfailed"):
        page.click("#list")
        page.click("#search")
    visitor.set_offline(False)
    assert counting.added(3) == ONE_VISIT | {"page_views": 2, "engaged_sessions": 1}
    assert [event["seconds_on_the_way"] > 4 for event in newest(stack, 3)] == [False, True, True]


def test_a_headless_browser_is_counted_as_a_bot(browser: Browser, shop: str, counting: Counting) -> None:
    bot = launched_as_itself(browser)
    bot.new_page().goto(f"{shop}/index.html")
    try:
        assert counting.added(1) == {"bot_events": 1}
    finally:
        bot.close()


@pytest.mark.usefixtures("visited")
def test_the_live_page_follows_the_shop_and_shows_what_the_command_says(
    stack: RunningStack, shop: str, visitor: BrowserContext, counting: Counting
) -> None:
    page = visitor.new_page()
    page.goto(f"{stack.settings.collector_url}/?site={SITE}&minutes=all")
    page.wait_for_selector(f"{PERSONS} >> nth=0")
    before = int(page.inner_text(f"{PERSONS} >> nth=0"))
    other = visitor.new_page()
    other.goto(f"{shop}/index.html")
    counting.added(1)
    expect(page.locator(PERSONS).first).to_have_text(str(before + 1), timeout=30_000)
    report = stack.kpis(SITE)
    row = stack.row(SITE)
    assert page.locator(PERSONS).all_inner_texts() == [
        str(row[persons]) for persons in ("visiting", "acting", "customers", "engaging")
    ]
    titles, values = (page.locator(f".kpi {what}").all_inner_texts() for what in (".kpi-name", ".kpi-value"))
    shown = dict(zip(titles, values, strict=True))
    assert shown == {kpi.title: written(kpi, report[kpi.group][kpi.id]) for kpi in KPIS if kpi.group != "transitions"}
    rates = page.locator("#funnel .rate strong").all_inner_texts()
    assert rates == [written(kpi, report["transitions"][kpi.id]) for kpi in KPIS if kpi.group == "transitions"]


def written(kpi: Kpi, value: Value) -> str:
    """As the live page writes it in English, for the small numbers of these tests."""
    if value is None:
        return "–"
    if kpi.unit == "share":
        return f"{value:.{2 if 0 < value < 0.1 else 1}%}"
    return f"{value:,.2f}" if kpi.unit == "money" else f"{value:,.0f}"


@pytest.mark.usefixtures("visited")
@pytest.mark.parametrize("width", [1400, 400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_live_page_fits_its_window(
    stack: RunningStack, browser: Browser, tmp_path: Path, width: int, scheme: Literal["light", "dark"]
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, locale="en-GB")
    page = context.new_page()
    page.goto(f"{stack.settings.collector_url}/?site={SITE}&minutes=60")
    page.wait_for_selector(f"{PERSONS} >> nth=0")
    page.wait_for_selector("#events-chart svg, #events-chart canvas")
    picture = tmp_path / f"live-{width}-{scheme}.png"
    page.screenshot(path=picture, full_page=True)
    assert int.from_bytes(picture.read_bytes()[16:20], "big") == width == page.evaluate("innerWidth")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    if width == 400:  # a bar of nobody is no bar
        bars = [bar.is_visible() for bar in page.locator("#funnel .bar i").all()]
        assert bars == [persons != "0" for persons in page.locator(PERSONS).all_inner_texts()]
    context.close()
