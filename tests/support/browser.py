"""A real browser for the tests: the system's Chromium, driven by Playwright."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# What a person's browser says of itself; a headless Chromium names itself, and Raceline counts it as a bot.
_PERSON: Final = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
_FLAGS: Final = [
    "--no-sandbox",  # root has none
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def _chromium() -> str:
    """Skips where there is none; RACELINE_REQUIRE_BROWSER=1 makes that a failure."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None and os.environ.get("RACELINE_REQUIRE_BROWSER") == "1":
        pytest.fail("Chromium is not installed")
    return found or pytest.skip("needs a Chromium")


@contextmanager
def launched() -> Iterator["Browser"]:
    """The browser of a person. While it runs, the thread has a running event loop: tests cannot call asyncio.run."""
    from playwright.sync_api import sync_playwright  # only those who need it pay for its import

    chromium = _chromium()
    with sync_playwright() as driver:
        # Not by new_context(user_agent=...): beacons of a page that is left would still name the headless browser.
        browser = driver.chromium.launch(executable_path=chromium, args=[*_FLAGS, f"--user-agent={_PERSON}"])
        yield browser
        browser.close()


def launched_as_itself(beside: "Browser") -> "Browser":
    """A headless browser that says so, by the same driver; the caller closes it."""
    return beside.browser_type.launch(executable_path=_chromium(), args=_FLAGS)
