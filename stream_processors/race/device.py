"""The device class of a user agent.

Told by the tokens that browser makers document for it (`Mobi` for phones, `Android` without it for tablets), which
takes 1-2 us; the pattern lists of user agent parsers take 300-500 us for a new one and do not know the form factor.
"""

import re
from functools import lru_cache
from typing import Final, Literal

Device = Literal["desktop", "mobile", "tablet", "other"]

# Telling what a device is by name; first match wins. "Tablet PC" is what old Internet Explorers say on desktops.
_PATTERNS: Final[tuple[tuple[Device, re.Pattern[str]], ...]] = (
    (
        "other",
        re.compile(
            r"smart-?_? ?tv|apple ?tv|google ?tv|android tv|hbbtv|netcast|web0s|bravia|roku|crkey|\baft[a-z]+\b"
            r"|\bxbox|playstation|nintendo|oculus|\bquest \d",
            re.IGNORECASE,
        ),
    ),
    ("tablet", re.compile(r"iPad|Tablet(?! PC)|PlayBook|Kindle|\bTouchPad\b|\bKF[A-Z]{2,5} ")),
    (
        "mobile",
        re.compile(
            r"Mobi|iPhone|iPod|Opera Mini|BlackBerry|BB10|Windows Phone|Symbian|SymbOS|Nokia|MIDP|webOS/"
            r"|\bMAUI\b|UP\.Browser|Dalvik|Instagram"
        ),
    ),
    ("tablet", re.compile(r"Android")),
    (
        "desktop",
        re.compile(
            r"Windows|Macintosh|Mac OS X|Mac_PowerPC|X11|Linux|CrOS|BSD|SunOS|\bWin(?:64|98|95)\b|OS/2|Haiku|Fuchsia"
        ),
    ),
)


@lru_cache(maxsize=65536)
def device_class(user_agent: str | None) -> Device:
    return _named_device(user_agent or "") or "other"


def names_platform(user_agent: str) -> bool:
    """Whether it says what it runs on, as every browser does."""
    return _named_device(user_agent) is not None


def _named_device(user_agent: str) -> Device | None:
    return next((device for device, pattern in _PATTERNS if pattern.search(user_agent)), None)
