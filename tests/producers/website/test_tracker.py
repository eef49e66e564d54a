"""The tracker's logic, run by node in a page that is a few objects."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

HERE = Path(__file__).resolve().parent
TRACKER = HERE.parents[2] / "producers" / "website" / "tracker.js"
NODE = shutil.which("node")

REQUIRED = os.environ.get("RACELINE_REQUIRE_NODE") == "1"

pytestmark = pytest.mark.skipif(NODE is None and not REQUIRED, reason="needs node to run the tracker")


def run(scenario: str) -> Any:
    assert NODE is not None, "node is not installed"
    command = [NODE, str(HERE / "tracker_page.js"), str(TRACKER), scenario]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_page_view_is_sent_within_about_a_second_to_where_the_script_came_from() -> None:
    (request,) = run("page.load(); await page.wait(1100);")
    assert request["url"] == "https://collect.example/v1/events?key=demo"
    (event,) = request["events"]
    assert event["name"] == "page_view"
    assert UUID(event["event_id"]).version == 7
    assert UUID(event["event_id"]).int >> 80 == 1_800_000_000_000
    context = event["context"]
    assert (context["url"], context["referrer"]) == ("https://shop.example/start", "https://search.example/?q=shoes")
    assert (context["title"], context["locale"], context["screen"]) == ("Start", "de-DE", "1920x1080")
    assert (event["occurred_at"], event["sent_at"]) == (1_800_000_000_000, 1_800_000_001_000)


def test_campaign_and_click_ids_are_read_from_the_address() -> None:
    events = run('page.go("?utm_source=news&utm_campaign=a%20b+c&gclid=G1&x=1"); page.load(); await page.wait(1100);')
    context = events[0]["events"][0]["context"]
    assert (context["utm_source"], context["utm_campaign"]) == ("news", "a b c")
    assert context["click_ids"] == {"gclid": "G1"}


def test_both_forms_of_event_and_the_calls_before_the_load_are_sent_in_one_batch() -> None:
    (request,) = run("""
        window.raceline = function () { (window.raceline.q = window.raceline.q || []).push(arguments); };
        window.raceline("event", "sign_up", {plan: "pro"});
        page.load();
        window.raceline("event", {name: "purchase", value: 9, order_id: "o1"});
        await page.wait(1100);
    """)
    assert [(event["name"], event["properties"]) for event in request["events"]] == [
        ("page_view", {}),
        ("sign_up", {"plan": "pro"}),
        ("purchase", {"value": 9, "order_id": "o1"}),
    ]


def test_history_changes_are_page_views_with_the_page_before_as_referrer() -> None:
    events = run("""
        page.load(); await page.wait(10);
        window.history.pushState({}, "", "/cart"); await page.wait(10);
        window.history.replaceState({}, "", "/cart#top"); await page.wait(10);
        page.go("/start"); page.fire("popstate"); await page.wait(1100);
        return page.events();
    """)
    assert [event["context"]["url"] for event in events] == [
        "https://shop.example/start",
        "https://shop.example/cart",
        "https://shop.example/start",
    ]
    assert events[1]["context"]["referrer"] == "https://shop.example/start"


def test_visitor_stays_and_session_ends_after_half_an_hour_without_an_event() -> None:
    events = run("""
        page.load(); await page.wait(29 * 60000);
        window.raceline("event", "click"); await page.wait(29 * 60000);
        window.raceline("event", "click"); await page.wait(31 * 60000);
        window.raceline("event", "click"); await page.wait(1100);
        return page.events();
    """)
    assert len({event["visitor_id"] for event in events}) == 1
    sessions = [event["session_id"] for event in events]
    assert sessions[0] == sessions[1] == sessions[2] != sessions[3]


def test_identify_marks_later_events_until_it_is_taken_back() -> None:
    events = run("""
        page.load(); window.raceline("identify", 42); window.raceline("event", "click");
        window.raceline("identify", null); window.raceline("event", "click"); await page.wait(1100);
        return page.events();
    """)
    assert [event.get("user_id") for event in events] == [None, "42", "42", None]


def test_what_is_left_is_handed_over_when_the_page_is_hidden() -> None:
    (request,) = run('page.load(); page.document.visibilityState = "hidden"; page.fire("visibilitychange");')
    assert request["how"] == "beacon"
    assert request["events"][0]["name"] == "page_view"


def test_more_than_the_browser_takes_is_handed_over_in_parts() -> None:
    requests = run("""
        page.load();
        for (let i = 0; i < 40; i++) window.raceline("event", "click", {text: "x".repeat(5000)});
        page.fire("pagehide");
    """)
    assert len(requests) > 2
    assert sum(len(request["events"]) for request in requests) == 41


@pytest.mark.parametrize(
    "failure", ["Promise.reject(new TypeError('offline'))", "Promise.resolve({status: 503})"], ids=["offline", "busy"]
)
def test_failed_batch_is_sent_again_with_the_same_ids(failure: str) -> None:
    first, second = run(f"page.answers = [() => {failure}]; page.load(); await page.wait(7000);")
    assert [event["event_id"] for event in first["events"]] == [event["event_id"] for event in second["events"]]


def test_refused_batch_is_not_sent_again() -> None:
    assert len(run("page.answers = [() => Promise.resolve({status: 400})]; page.load(); await page.wait(20000);")) == 1


@pytest.mark.parametrize(
    "wish",
    ["window.navigator.globalPrivacyControl = true", 'window.navigator.doNotTrack = "1"', 'window.doNotTrack = "1"'],
)
def test_nothing_is_kept_or_sent_when_the_browser_asks_not_to_be_tracked(wish: str) -> None:
    requests, stored = run(
        f"{wish}; page.load(); window.raceline('event', 'click'); await page.wait(2000);"
        "return [page.sent, page.storage.size];"
    )
    assert (requests, stored) == ([], 0)


def test_it_works_without_storage() -> None:
    events = run("""
        window.localStorage = { getItem() { throw new Error("blocked"); }, setItem() { throw new Error("blocked"); } };
        page.load(); window.raceline("event", "click"); await page.wait(1100);
        return page.events();
    """)
    assert len({event["visitor_id"] for event in events}) == len({event["session_id"] for event in events}) == 1


def test_it_never_throws_into_the_page_and_goes_on() -> None:
    events = run("""
        page.load();
        const circle = {}; circle.me = circle;
        window.raceline(); window.raceline("constructor"); window.raceline("event"); window.raceline("event", null);
        window.raceline("event", "click", circle);
        const fetch = window.fetch;
        window.fetch = () => { throw new Error("no"); };
        window.navigator.sendBeacon = () => { throw new Error("no"); };
        page.fire("pagehide"); await page.wait(500);
        window.fetch = fetch;
        window.raceline("event", "scroll"); await page.wait(1100);
        return page.events();
    """)
    assert [event["name"] for event in events] == ["page_view", "scroll"]


def test_a_second_load_of_the_same_script_does_nothing() -> None:
    assert len(run("page.load(); page.load(); await page.wait(1100); return page.events();")) == 1
