import pytest
from crawleruseragents import CRAWLER_USER_AGENTS_DATA

from schemas.events import Source
from stream_processors.race.bots import bot_reasons

CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"
)
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 Safari/604.1"
CUBOT = "Mozilla/5.0 (Linux; Android 11; CUBOT NOTE 20) AppleWebKit/537.36 Chrome/104.0 Mobile Safari/537.36"
LYNX = "Lynx/2.8.7rel.2 libwww-FM/2.14 SSL-MM/1.4.1 OpenSSL/1.0.1f"


@pytest.mark.parametrize(
    ("user_agent", "reason"),
    [
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "crawler_list"),
        ("Mozilla/5.0 (Windows NT 6.1) AppleWebKit/534+ (KHTML, like Gecko) BingPreview/1.0b", "crawler_list"),
        ("Mozilla/5.0 (compatible; NeverSeenBefore-Crawler/1.0)", "bot_word"),
        ("SomeNewRobot/2.0 (Linux x86_64)", "bot_word"),
        ("UniversalFeedParser/4.2", "feed_reader"),
        ("Mozilla/5.0 (Linux) tool; help@company.example", "contact_address"),
        ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 HeadlessChrome/126.0 Safari/537.36", "headless_browser"),
        ("python-requests/2.32.3 CPython/3.11", "http_library"),
        ("Go-http-client/1.1", "http_library"),
        ("", "empty_user_agent"),
        ("-", "empty_user_agent"),
        ("Mozilla/5.0", "short_user_agent"),
        ("Mozilla/5.0 Gecko/20100115 Firefox/3.6", "no_platform"),
    ],
)
def test_program_is_recognised_and_the_signal_named(user_agent: str, reason: str) -> None:
    assert reason in bot_reasons(user_agent, Source.WEBSITE)


@pytest.mark.parametrize("user_agent", [CHROME, IPHONE, CUBOT, LYNX])
def test_browser_of_a_person_is_no_bot(user_agent: str) -> None:
    assert bot_reasons(user_agent, Source.WEBSITE) == ()


def test_several_signals_give_several_reasons() -> None:
    found = bot_reasons("Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)", Source.WEBSITE)
    assert set(found) == {"bot_word", "contact_address", "no_platform", "crawler_list"}


def test_unknown_user_agent_is_not_an_empty_one() -> None:
    assert bot_reasons(None, Source.WEBSITE) == ()


@pytest.mark.parametrize("source", [Source.CRM, Source.SERVER, Source.ADS])
def test_library_of_a_server_is_no_bot(source: Source) -> None:
    assert bot_reasons("python-requests/2.32.3", source) == ()


def test_app_may_use_a_library_but_not_be_a_crawler() -> None:
    assert bot_reasons("okhttp/4.12.0", Source.APP) == ()
    assert bot_reasons("Googlebot/2.1", Source.APP) == ("bot_word",)


def test_every_recorded_crawler_is_recognised() -> None:
    recorded = [user_agent for entry in CRAWLER_USER_AGENTS_DATA for user_agent in entry["instances"][:1]]
    missed = [user_agent for user_agent in recorded if not bot_reasons(user_agent, Source.WEBSITE)]
    assert len(recorded) > 500
    assert missed == []
