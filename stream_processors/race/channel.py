"""The channel of an event: source and medium from what it carries, then GA4's default channel groups."""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import parse_qs

from schemas.events import Context
from schemas.stage import Media
from stream_processors.race.sources import known_host, known_source

DIRECT: Final = "(direct)"
NONE: Final = "(none)"
NOT_SET: Final = "(not set)"


class Channel(NamedTuple):
    """`has_signal` is False where the event itself does not say where its visitor came from (no or an internal
    referrer, no campaign): a session's later events, and facts that know no page at all."""

    name: str
    media: Media
    source: str
    medium: str
    campaign: str
    has_signal: bool


class Traffic(NamedTuple):
    """What the rules look at, in lower case."""

    source: str
    medium: str
    campaign: str
    category: str


# Click ids that only advertisements carry, and what they stand for. fbclid is not one: organic posts have it too.
_PAID_CLICKS: Final = {
    "gclid": ("google", "cpc"),
    "gad_source": ("google", "cpc"),
    "gbraid": ("google", "cpc"),
    "wbraid": ("google", "cpc"),
    "dclid": ("google", "cpm"),
    "msclkid": ("bing", "cpc"),
    "yclid": ("yandex", "cpc"),
    "ttclid": ("tiktok", "cpc"),
    "twclid": ("x", "cpc"),
    "li_fat_id": ("linkedin", "cpc"),
    "rdt_cid": ("reddit", "cpc"),
    "sccid": ("snapchat", "cpc"),
}
_UNPAID_CLICKS: Final = {"fbclid": ("facebook", "referral"), "igshid": ("instagram", "referral")}
_DERIVED_MEDIUM: Final = {"search": "organic", "ai": "ai-assistant", "email": "email"}

_PAID: Final = re.compile(r".*cp.*|ppc|retargeting|paid.*", re.DOTALL)
_SHOP: Final = re.compile(r"(?:[^a-df-z]|^)shop|shopping")
_HOST: Final = re.compile(r"(?:[a-z][a-z0-9+.-]*:)?//(?:[^/?#@]*@)?([^/?#:\s]+)", re.IGNORECASE)
_IN_QUERY: Final = re.compile(
    r"[?&](?:utm_|[a-z_]*cl(?:k)?id=|gad_source=|[gw]braid=|li_fat_id=|rdt_cid=)", re.IGNORECASE
)
_DISPLAY: Final = frozenset({"display", "banner", "expandable", "interstitial", "cpm"})
_SOCIAL: Final = frozenset({"social", "social-network", "social-media", "sm", "social network", "social media"})
_EMAIL: Final = frozenset({"email", "e-mail", "e_mail", "e mail"})


def _is_paid(t: Traffic) -> bool:
    return _PAID.fullmatch(t.medium) is not None


def _is_shop(t: Traffic) -> bool:
    return t.category == "shopping" or _SHOP.search(t.campaign) is not None


def _is_direct(t: Traffic) -> bool:
    return t.source == DIRECT and t.medium in (NONE, NOT_SET)


def _is_push(t: Traffic) -> bool:
    return t.medium.endswith("push") or "mobile" in t.medium or "notification" in t.medium or t.source == "firebase"


class Group(NamedTuple):
    name: str
    media: Media
    matches: Callable[[Traffic], bool]


# First match wins. Order matters: "cpm" also matches _is_paid, so Display stands between Paid Video and Paid Other.
GROUPS: Final = (
    Group("Direct", Media.OWNED, _is_direct),
    Group("Cross-network", Media.PAID, lambda t: "cross-network" in t.campaign),
    Group("Paid Shopping", Media.PAID, lambda t: _is_shop(t) and _is_paid(t)),
    Group("Paid Search", Media.PAID, lambda t: t.category == "search" and _is_paid(t)),
    Group("Paid Social", Media.PAID, lambda t: t.category == "social" and _is_paid(t)),
    Group("Paid Video", Media.PAID, lambda t: t.category == "video" and _is_paid(t)),
    Group("Display", Media.PAID, lambda t: t.medium in _DISPLAY),
    Group("Paid Other", Media.PAID, _is_paid),
    Group("AI Assistant", Media.EARNED, lambda t: t.medium == "ai-assistant" or t.category == "ai"),
    Group("Organic Shopping", Media.EARNED, _is_shop),
    Group("Organic Social", Media.EARNED, lambda t: t.category == "social" or t.medium in _SOCIAL),
    Group("Organic Video", Media.EARNED, lambda t: t.category == "video" or "video" in t.medium),
    Group("Organic Search", Media.EARNED, lambda t: t.category == "search" or t.medium == "organic"),
    Group("Email", Media.OWNED, lambda t: t.source in _EMAIL or t.medium in _EMAIL),
    Group("Affiliates", Media.PAID, lambda t: t.medium == "affiliate"),
    Group("Referral", Media.EARNED, lambda t: t.medium in ("referral", "app", "link")),
    Group("Audio", Media.PAID, lambda t: t.medium == "audio"),
    Group("SMS", Media.OWNED, lambda t: "sms" in (t.source, t.medium)),
    Group("Mobile Push Notifications", Media.OWNED, _is_push),
    Group("Unassigned", Media.OWNED, lambda t: True),
)


class _Signals(NamedTuple):
    """What of an event decides its channel; few distinct values, hence the cache."""

    has_url: bool
    referrer: str
    source: str
    medium: str
    campaign: str
    click: str


def classify_channel(context: Context) -> Channel:
    """Pure; about 2 us, as the answers are cached by the few values that decide them."""
    url = context.url
    url_host = host_of(url) if url else ""
    referrer = host_of(context.referrer) if context.referrer else ""
    if referrer and referrer.removeprefix("www.") == url_host.removeprefix("www."):
        referrer = ""
    source, medium, campaign = context.utm_source, context.utm_medium, context.utm_campaign
    click = _click(context.click_ids) if context.click_ids else ""
    if url and not (source or medium or click) and _IN_QUERY.search(url):
        source, medium, campaign, click = _from_query(url, campaign)
    return _decide(_Signals(bool(url), referrer, source or "", medium or "", campaign or "", click))


def host_of(url: str) -> str:
    """The host in lower case, without user and port; empty where the text is not an absolute address."""
    match = _HOST.match(url)
    return match[1].lower().rstrip(".") if match else ""


def _click(names: dict[str, str]) -> str:
    lower = {name.lower() for name, value in names.items() if value}
    return next((name for known in (_PAID_CLICKS, _UNPAID_CLICKS) for name in known if name in lower), "")


def _from_query(url: str, campaign: str | None) -> tuple[str, str, str, str]:
    """For producers that send the address as it is and leave the reading to us."""
    query = url.partition("#")[0].partition("?")[2]
    fields = {name.lower(): values[0] for name, values in parse_qs(query).items()}
    utm = [fields.get(f"utm_{name}", "") for name in ("source", "medium", "campaign")]
    return utm[0], utm[1], campaign or utm[2], _click(fields)


@lru_cache(maxsize=32768)
def _decide(signals: _Signals) -> Channel:
    source, medium = _source_and_medium(signals)
    known = known_source(source.lower())
    traffic = Traffic(source.lower(), medium.lower(), signals.campaign.lower(), known.category if known else "")
    group = next(group for group in GROUPS if group.matches(traffic))
    has_signal = any(signals[1:]) and group.name != "Direct"
    return Channel(group.name, group.media, source, medium, signals.campaign, has_signal)


def _source_and_medium(signals: _Signals) -> tuple[str, str]:
    """A paid click id wins over an unpaid utm_medium; a campaign wins over the referrer."""
    source, medium = signals.source.strip(), signals.medium.strip()
    if signals.click in _PAID_CLICKS and not (_PAID.fullmatch(medium.lower()) or medium.lower() in _DISPLAY):
        return _PAID_CLICKS[signals.click]
    if source or medium:
        return source or NOT_SET, medium or NOT_SET
    if signals.referrer:
        return _from_referrer(signals.referrer)
    if signals.click:
        return _UNPAID_CLICKS[signals.click]
    return (DIRECT, NONE) if signals.has_url and not signals.campaign else (NOT_SET, NOT_SET)


def _from_referrer(host: str) -> tuple[str, str]:
    known = known_host(host)
    if known is None:
        return host.removeprefix("www."), "referral"
    return known.name, _DERIVED_MEDIUM.get(known.category, "referral")
