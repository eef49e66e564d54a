"""Who may talk to the port: no web page of a stranger, and with a password set, only those who know it.

A page in the user's browser can post to 127.0.0.1 (then it sends its Origin) and can rebind its own name to it (then
the Host header is its name). Both are refused; programs send neither a foreign Host nor an Origin.
"""

import base64
import binascii
import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from raceline.embedded.clickhouse.errors import AUTHENTICATION_FAILED, QueryFailedError, refusal

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def _host_name(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()


@dataclass(frozen=True)
class Guard:
    """`hosts` and `origins` are what is allowed beside loopback names and no Origin at all."""

    user: str
    password: str
    hosts: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()

    def stranger(self, headers: Mapping[str, str]) -> str | None:
        """Why this request may come from a stranger's web page; None if it does not."""
        if _host_name(headers.get("host", "")) not in _LOOPBACK | self.hosts:
            return "this Host is not served here"
        if "origin" in headers and headers["origin"] not in self.origins:
            return "requests from this Origin are not served"
        if headers.get("sec-fetch-site", "none") not in {"none", "same-origin"} and "origin" not in headers:
            return "requests from other sites are not served"
        return None

    def refuse_unknown(self, headers: Mapping[str, str], params: Mapping[str, str]) -> None:
        """Raise QueryFailedError unless the request signs in rightly, in any of ClickHouse's three ways."""
        if not self.password:
            return
        user, password = _credentials(headers, params)
        known = hmac.compare_digest(user.encode(), self.user.encode())
        if not (hmac.compare_digest(password.encode(), self.password.encode()) and known):
            raise _failed(user)


def _failed(user: str) -> QueryFailedError:
    return refusal(
        AUTHENTICATION_FAILED,
        f"{user[:64]}: Authentication failed: password is incorrect, or there is no user with such name.",
    )


def _as_sent(header: str) -> str:
    """Servers read headers as Latin-1, clients write UTF-8."""
    return header.encode("latin-1").decode(errors="replace")


def _credentials(headers: Mapping[str, str], params: Mapping[str, str]) -> tuple[str, str]:
    scheme, _, encoded = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            user, _, password = base64.b64decode(encoded).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return "default", ""
        return user, password
    if "x-clickhouse-user" in headers or "x-clickhouse-key" in headers:
        return _as_sent(headers.get("x-clickhouse-user", "default")), _as_sent(headers.get("x-clickhouse-key", ""))
    return params.get("user", "default"), params.get("password", "")
