"""Web server logs in the combined format: page views and downloads of visitors that no script counted."""

import re
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache
from itertools import chain, islice
from typing import BinaryIO, Final, NamedTuple
from urllib.parse import urlsplit

from pydantic import ValidationError

from producers.files.items import Item, ReadOptions, Skipped, UnreadableFile, refused
from producers.files.opening import Line, numbered_lines
from producers.files.paths import DOWNLOAD, PAGE, path_kind
from producers.files.row_ids import RowIds
from producers.privacy import clean_url, keyed_hash, truncate_ip
from schemas.events import Context, Event, Source
from schemas.rejection import Rejection, RejectReason

_QUOTED: Final = r'"((?:[^"\\]|\\.)*)"'
_COMBINED: Final = re.compile(
    rf"(?P<ip>\S+) \S+ (?:.*? )?\[(?P<time>[^\]]+)\] {_QUOTED} (?P<status>\d{{3}}) (?:\d+|-) {_QUOTED} {_QUOTED}"
)
_SHOWN: Final = frozenset({200, 304})
_SAMPLE: Final = 2000  # lines from which the site's own host is told
_LONGEST: Final = 2048


class Request(NamedTuple):
    ip: str
    time: datetime
    method: str
    target: str
    status: int
    referrer: str
    user_agent: str


def read_access_log(stream: BinaryIO, options: ReadOptions) -> Iterator[Item]:
    """A page view is a GET with status 200 or 304 of something that is neither an asset nor a download.

    Raises `UnreadableFile` without a site, since the log does not name one.
    """
    if options.site is None:
        raise UnreadableFile("an access log does not say which site it is of: give --site")
    lines = numbered_lines(stream)
    sample = list(islice(lines, _SAMPLE))
    reading = _Reading(options, options.site, _own_host(options.site, sample))
    with RowIds(options.site, "access-log") as ids:
        for line in chain(sample, lines):
            yield reading.item(line, ids)


class _Reading(NamedTuple):
    options: ReadOptions
    site: str
    host: str

    def item(self, line: Line, ids: RowIds) -> Item:
        text = line.content.decode("utf-8", "replace")
        request = parsed(text)
        if request is None:
            return self._refused(line, "not a request in the combined log format")
        kind = _kind(request)
        if kind not in (PAGE, DOWNLOAD):
            return Skipped(line.number, kind)
        try:
            return self._event(request, kind, ids, text)
        except ValidationError as error:
            return self._refused(line, f"{error.errors()[0]['loc']}: {error.errors()[0]['msg']}")

    def _event(self, request: Request, kind: str, ids: RowIds, text: str) -> Event:
        url = clean_url(f"https://{self.host}{_path(request.target)}")
        return Event(
            event_id=ids.next_id(text),
            name="page_view" if kind == PAGE else "file_download",
            source=Source.WEBSITE,
            site_id=self.site,
            visitor_id=self._visitor(request),
            occurred_at=request.time,
            received_at=self.options.now,
            context=Context(
                url=url[:_LONGEST],
                referrer=clean_url(request.referrer)[:_LONGEST] or None,
                user_agent=request.user_agent[:_LONGEST],
                ip=truncate_ip(request.ip),
                imported=True,
            ),
            properties={} if kind == PAGE else {"file_name": urlsplit(url).path.rpartition("/")[2]},
        )

    def _visitor(self, request: Request) -> str:
        """From the whole ip, which is not kept; 128 bits of the hash."""
        return keyed_hash(f"{self.site}\n{request.ip}\n{request.user_agent}", self.options.secret)[:32]

    def _refused(self, line: Line, detail: str) -> Item:
        rejection = Rejection(reason=RejectReason.INVALID_EVENT, detail=detail)
        return refused(line.number, rejection, line.content, self.options)


def parsed(line: str) -> Request | None:
    match = _COMBINED.match(line)
    if match is None:
        return None
    ip, time, request, status, referrer, user_agent = match.groups()
    method, _, rest = request.partition(" ")
    moment = _moment(time)
    if moment is None:
        return None
    referrer, user_agent = ("" if field == "-" else field.replace('\\"', '"') for field in (referrer, user_agent))
    return Request(ip, moment, method, rest.rsplit(" HTTP/", 1)[0], int(status), referrer, user_agent)


@lru_cache(maxsize=1024)
def _moment(time: str) -> datetime | None:
    try:
        return datetime.strptime(time, "%d/%b/%Y:%H:%M:%S %z")
    except ValueError:
        return None


def _kind(request: Request) -> str:
    """A kind of path, or why the request is no view of any."""
    if request.method != "GET":
        return "not a GET"
    if request.status not in _SHOWN:
        return f"status {request.status}"
    return path_kind(_path(request.target).partition("?")[0])


def _path(target: str) -> str:
    """`/path?query`, also of the absolute form that proxies are asked in."""
    if target.startswith("/"):
        return target
    return "/" + target.partition("://")[2].partition("/")[2]


def _own_host(site: str, sample: list[Line]) -> str:
    """The site's id where it is a host; else the host whose pages ask for most assets, as only its own ones do."""
    if "." in site:
        return site
    hosts: Counter[str] = Counter()
    for line in sample:
        request = parsed(line.content.decode("utf-8", "replace"))
        if request and request.referrer and path_kind(_path(request.target).partition("?")[0]) == "asset":
            hosts[_host(request.referrer)] += 1
    return max(hosts, key=lambda host: (hosts[host], host), default="") or site


def _host(referrer: str) -> str:
    try:
        return (urlsplit(referrer).hostname or "").removeprefix("www.")
    except ValueError:
        return ""
