"""A real web server's log through the whole pipeline, against a count by other means."""

from collections import Counter, defaultdict
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest
from access_log_by_hand import BOT_WORDS, DOWNLOADS, NO_BROWSERS, by_hand, channel_by_hand
from running_stack import RunningStack

pytestmark = pytest.mark.e2e

SITE = "semicomplete.com"


class Hit(NamedTuple):
    visitor: tuple[str, str]
    at: datetime
    is_page: bool
    channel: str
    has_signal: bool


class Count(NamedTuple):
    page_views: int
    visitors: int
    bot_events: int
    sessions: int
    views_by_channel: dict[str, int]


def is_bot(agent: str) -> bool:
    # who calls itself Mozilla names a platform in parentheses
    nameless = agent.startswith("Mozilla/") and "(" not in agent
    return nameless or agent in ("-", *NO_BROWSERS) or any(word in agent.lower() for word in BOT_WORDS.split())


def count_by_hand(entries: list[str]) -> Count:
    hits: list[Hit] = []
    bots = 0
    for entry in entries:
        found = by_hand(entry, also=DOWNLOADS) if entry.endswith('"') else None
        if found is None:
            continue
        ip, _, _, agent = found
        if is_bot(agent):
            bots += 1
            continue
        at = datetime.strptime(entry.split("[")[1].split("]")[0], "%d/%b/%Y:%H:%M:%S %z")
        channel = channel_by_hand(entry)
        hits.append(Hit((ip, agent), at, by_hand(entry) is not None, channel, channel != "Direct"))
    by_visitor: defaultdict[tuple[str, str], list[Hit]] = defaultdict(list)
    for hit in sorted(hits, key=lambda hit: hit.at):
        by_visitor[hit.visitor].append(hit)
    sessions = [session for mine in by_visitor.values() for session in _cut(mine)]
    views: Counter[str] = Counter()
    for session in sessions:
        channels = {hit.channel for hit in session if hit.has_signal and hit.at == _first_signal(session)}
        # several requests in the same second that came from different places: any of them may be the first
        views[min(channels) if channels else "Direct"] += sum(hit.is_page for hit in session)
    return Count(sum(hit.is_page for hit in hits), len(by_visitor), bots, len(sessions), dict(views))


def _first_signal(session: list[Hit]) -> datetime:
    return min(hit.at for hit in session if hit.has_signal)


def _cut(hits: list[Hit]) -> list[list[Hit]]:
    sessions = [[hits[0]]]
    for before, hit in pairwise(hits):
        if (hit.at - before.at).total_seconds() > 1800:
            sessions.append([])
        sessions[-1].append(hit)
    return sessions


def test_kpis_equal_a_count_by_other_means(stack: RunningStack, shared_data: Path) -> None:
    log = shared_data / "access_log" / "apache_logs.txt"
    expected = count_by_hand(log.read_text(errors="replace").splitlines())
    summary = stack.send(log, site=SITE, format="access-log")
    assert (summary.accepted, summary.refused.total(), summary.skipped.total()) == (3971, 1, 6028)
    stack.settle()
    report = stack.kpis(SITE)
    assert report["reach"]["page_views"] == expected.page_views == 1632
    assert report["reach"]["unique_visitors"] == expected.visitors
    assert report["reach"]["sessions"] == expected.sessions
    assert stack.row(SITE)["bot_events"] == expected.bot_events
    for channel, views in expected.views_by_channel.items():
        assert (channel, stack.kpis(SITE, channel=channel)["reach"]["page_views"]) == (channel, views)
