import pytest

from stream_processors.race.device import device_class

IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 Safari/604.1"
NAMED = {
    "Windows": ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/126.0 Safari/537.36", "desktop"),
    "Mac": (
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/17.4 Safari/605.1",
        "desktop",
    ),
    "Linux": ("Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0", "desktop"),
    "Windows with a pen": ("Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1; Tablet PC 2.0)", "desktop"),
    "iPhone": (IPHONE, "mobile"),
    "Android phone": (
        "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 Chrome/126.0 Mobile Safari/537.36",
        "mobile",
    ),
    "Firefox on a phone": ("Mozilla/5.0 (Android 14; Mobile; rv:127.0) Gecko/127.0 Firefox/127.0", "mobile"),
    "Opera Mini": ("Opera/9.80 (J2ME/MIDP; Opera Mini/9 (Compatible; MSIE:9.0; iPhone)) Presto/2.8", "mobile"),
    "iPad": ("Mozilla/5.0 (iPad; CPU OS 16_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 Safari/604.1", "tablet"),
    "Android tablet": (
        "Mozilla/5.0 (Linux; Android 13; SM-X200) AppleWebKit/537.36 Chrome/126.0 Safari/537.36",
        "tablet",
    ),
    "Kindle Fire": (
        "Mozilla/5.0 (Linux; U; en-us; KFAPWI Build/JDQ39) AppleWebKit/535.19 Silk/3.13 Safari/535",
        "tablet",
    ),
    "television": ("Mozilla/5.0 (SMART-TV; Linux; Tizen 5.0) AppleWebKit/537.36 Version/5.0 TV Safari/537.36", "other"),
    "Android television": ("Mozilla/5.0 (Linux; Android 9; BRAVIA 4K GB) AppleWebKit/537.36 Chrome/90 Safari", "other"),
    "console": ("Mozilla/5.0 (PlayStation 4 3.11) AppleWebKit/537.73 (KHTML, like Gecko)", "other"),
    "program": ("curl/8.5.0", "other"),
    "nothing": (None, "other"),
}


@pytest.mark.parametrize(("user_agent", "device"), NAMED.values(), ids=NAMED.keys())
def test_device_is_told_by_the_user_agent(user_agent: str | None, device: str) -> None:
    assert device_class(user_agent) == device
