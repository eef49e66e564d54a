"""Privacy at the edge: what identifies a person directly is gone before spool, Kafka and dead letter."""

import hashlib
import hmac
import re
from ipaddress import IPv6Address, ip_address
from typing import Final
from urllib.parse import urlsplit, urlunsplit

ALLOWED_PARAMETERS: Final = frozenset(
    {"utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content", "utm_id"}
    | {"gclid", "gad_source", "gbraid", "wbraid", "dclid", "msclkid", "fbclid", "igshid", "ttclid", "twclid", "yclid"}
    | {"li_fat_id", "rdt_cid", "sccid", "ref", "page", "lang"}
)
_EMAIL: Final = re.compile(r"[^\s@/]+@[^\s@/]+\.[^\s@/.]+")
# Whoever sends text chooses it: a match may start only where a word does, or a long word costs quadratic time.
_EMAIL_IN_TEXT: Final = re.compile(r"(?<![\w.+'-])[\w.+'-]+(?:@|%40)[\w-]+(?:\.[\w-]+)+", re.IGNORECASE)
_URL_IN_TEXT: Final = re.compile(r"https?://[^\s\"'<>\\]+", re.IGNORECASE)
_IPV4_IN_TEXT: Final = re.compile(r"(?<![\w.])(\d{1,3}\.\d{1,3}\.\d{1,3})\.\d{1,3}(?![\w.])")
_IPV6_IN_TEXT: Final = re.compile(r"(?<![\w:])(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}(?![\w:])", re.IGNORECASE)


def clean_url(url: str) -> str:
    """Without user, password, fragment and every parameter that is not on the list; the rest stays as it is written.

    What is not an address at all stays too, up to its first `?` or `#`.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return re.split(r"[?#]", url, maxsplit=1)[0]
    kept = [pair for pair in parts.query.split("&") if _may_stay(pair)]
    path = "/".join("email" if _EMAIL.fullmatch(_with_at(step)) else step for step in parts.path.split("/"))
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], path, "&".join(kept), ""))


def hash_email_id(value: str, secret: bytes) -> str:
    """An e-mail address as its keyed hash, whatever its case and surrounding space; any other id as it is."""
    address = _with_at(value).strip().lower().removeprefix("mailto:")
    if not _EMAIL.fullmatch(address):
        return value
    return f"eh_{keyed_hash(address, secret)}"


def _may_stay(parameter: str) -> bool:
    name, _, value = parameter.partition("=")
    return name.lower() in ALLOWED_PARAMETERS and not _EMAIL.fullmatch(_with_at(value))


def _with_at(text: str) -> str:
    return text.replace("%40", "@")


def keyed_hash(text: str, secret: bytes) -> str:
    return hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()


def truncate_ip(ip: str) -> str | None:
    """The last octet (v4) or the last 80 bits (v6) zero; None for what is not an address."""
    try:
        address = ip_address(ip.strip().partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    zeroed = 80 if isinstance(address, IPv6Address) else 8
    return str(type(address)(int(address) >> zeroed << zeroed))


def scrubbed(text: str, secret: bytes) -> str:
    """A record that could not be read, for its dead letter: addresses of people and machines found anywhere in it
    become what they would have become in an event."""
    text = _URL_IN_TEXT.sub(lambda found: clean_url(found[0]), text)
    text = _EMAIL_IN_TEXT.sub(lambda found: hash_email_id(found[0], secret), text)
    text = _IPV4_IN_TEXT.sub(r"\1.0", text)
    return _IPV6_IN_TEXT.sub(lambda found: truncate_ip(found[0]) or found[0], text)
