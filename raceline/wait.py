"""`raceline wait`: is everything that was accepted so far visible in the KPIs?"""

import time
from collections.abc import Callable

from producers.publisher import Publisher, PublisherOptions, PublishFailed
from producers.spool import segments
from raceline.barrier import pass_barriers
from raceline.database import Database
from raceline.settings import CommandSettings
from raceline.spooled import all_known, event_ids, spool_folder
from raceline.stack import Stack

_POLL_SECONDS = 0.2


def wait(settings: CommandSettings, timeout: float, clock: Callable[[], float] = time.monotonic) -> bool:
    """True when it is; False at the time limit, in seconds. What is accepted during the call is not waited for."""
    deadline = clock() + timeout
    database = Database.connect(settings)
    publisher = Publisher(PublisherOptions(settings.kafka))
    publisher.start()
    try:
        if not _spool_is_stored(settings, database, deadline, clock):
            return False
        return _barriers_pass(settings, publisher, database, deadline, clock)
    except PublishFailed:
        return False
    finally:
        publisher.close(timeout=1.0)
        database.close()


def _barriers_pass(
    settings: CommandSettings, publisher: Publisher, database: Database, deadline: float, clock: Callable[[], float]
) -> bool:
    """They prove nothing about a broker that was replaced meanwhile, or that does not have the whole spool yet."""
    while clock() < deadline:
        before = Stack.read(settings.data_dir)
        if before is not None and not before.ready:
            time.sleep(_POLL_SECONDS)
            continue
        if not pass_barriers(publisher, database, deadline, clock):
            return False
        if Stack.read(settings.data_dir) == before:
            return True
    return False


def _spool_is_stored(
    settings: CommandSettings, database: Database, deadline: float, clock: Callable[[], float]
) -> bool:
    folder = spool_folder(settings.data_dir)
    ids = set(event_ids(segments(folder))) if folder.exists() else set()
    while not all_known(database, ids):
        if clock() >= deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True
