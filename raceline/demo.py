"""`raceline up --demo`: simulated visitors over HTTP and a simulated CRM, until it is ended."""

import json
import logging
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from random import Random
from typing import Final

from producers.outgoing import OutgoingRecord
from producers.publisher import Publisher, PublisherOptions
from producers.spool import Spool, SpoolOptions
from raceline.settings import CommandSettings, command_settings
from raceline.spooled import spool_folder
from raceline.visitors import Fact, Shoppers
from schemas.events import Event, Source, event_json
from schemas.topics import EVENTS

log = logging.getLogger(__name__)

SITE: Final = "demo"
VISITS_A_SECOND: Final = 2.0
_HISTORY: Final = timedelta(hours=1)
_AT_ONCE: Final = 500


def main() -> None:
    logging.basicConfig(level=logging.INFO)
    settings = command_settings(None)
    # Another seed in every run: its people have ids of their own.
    shoppers = Shoppers(Random(time.time_ns()))  # noqa: S311 - a simulation
    _send_until_taken(settings, list(_past(shoppers, datetime.now(UTC))))
    publisher = Publisher(PublisherOptions(settings.kafka))
    publisher.start()
    spool = Spool(SpoolOptions(spool_folder(settings.data_dir), "demo"))
    for batch in _live(shoppers):
        _send_until_taken(settings, batch)
        fact = shoppers.crm(datetime.now(UTC)) if shoppers.random.random() < 0.2 else None
        if fact:
            _publish_crm(publisher, spool, fact)


def _past(shoppers: Shoppers, now: datetime) -> Iterator[Fact]:
    """An hour of visits, so that the page has something to show from the start."""
    moment = now - _HISTORY
    while moment < now:
        yield from (fact for fact in shoppers.visit(moment) if fact["occurred_at"] < now.isoformat())
        moment += timedelta(seconds=shoppers.random.expovariate(0.5))


def _live(shoppers: Shoppers) -> Iterator[list[Fact]]:
    """About every half second what happened since: visits begin at random, and their facts come when they happen."""
    coming: list[tuple[str, int, Fact]] = []
    number, next_visit = 0, datetime.now(UTC)
    while True:
        now = datetime.now(UTC)
        while next_visit <= now:
            for fact in shoppers.visit(next_visit):
                number += 1
                heappush(coming, (fact["occurred_at"], number, fact))
            next_visit += timedelta(seconds=shoppers.random.expovariate(VISITS_A_SECOND))
        due = []
        while coming and coming[0][0] <= now.isoformat():
            due.append(heappop(coming)[2])
        yield due
        time.sleep(0.5)


def _send_until_taken(settings: CommandSettings, facts: Sequence[Fact]) -> None:
    for start in range(0, len(facts), _AT_ONCE):
        while not _sent(settings, facts[start : start + _AT_ONCE]):
            time.sleep(0.5)


def _sent(settings: CommandSettings, facts: Sequence[Fact]) -> bool:
    request = urllib.request.Request(  # noqa: S310 - from our settings
        f"{settings.collector_url}/v1/events",
        data=json.dumps(list(facts)).encode(),
        headers={"Content-Type": "application/json", "X-Raceline-Key": SITE},
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except urllib.error.HTTPError as refused:
        log.warning("The collector answered %d: %s", refused.code, refused.read(300).decode())
        return refused.code < 500
    except OSError:
        return False


def _publish_crm(publisher: Publisher, spool: Spool, fact: Fact) -> None:
    event = Event.model_validate({**fact, "site_id": SITE, "source": Source.CRM, "received_at": datetime.now(UTC)})
    spool.append([event_json(event)])
    publisher.enqueue([OutgoingRecord(EVENTS.name, (event.kafka_key() or "").encode(), event_json(event))])


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()
