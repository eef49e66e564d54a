"""A file that is touched while the worker works, for whoever checks its health from outside: a container, say.

It works when it polls, acknowledges or tries to store: an outage of Kafka or ClickHouse is told by those. Nothing is
touched before the first place in the group, during a rebalance, or while something blocks the process.
"""

import logging
import threading
import time
from pathlib import Path
from typing import Any, Final

from stream_processors.watchdog import Progress

log = logging.getLogger(__name__)

BEAT_SECONDS: Final = 5.0
_LONGEST_PAUSE: Final = 20.0  # a poll comes about once a second, an attempt to store may take some


def install_heartbeat(app: Any, path: Path, interval: float = BEAT_SECONDS) -> None:
    """Touch `path` every `interval` seconds while `app`, which has our transport, works; from its consumer's start on.

    Call it after `install_watchdog`, which also waits for that start.
    """
    started_before = app.transport.on_start

    def start() -> None:
        started_before()
        threading.Thread(target=_beat, args=(app, path, interval), name="heartbeat", daemon=True).start()

    app.transport.on_start = start


def works(progress: Progress, since: float, now: float) -> bool:
    """Whether it did something after `since`, its start, and lately. On the clock of `progress`, in seconds."""
    last = max(progress.fetched_at, progress.acknowledged_at, progress.attempted_at)
    return last > since and now - last <= _LONGEST_PAUSE


def _beat(app: Any, path: Path, interval: float) -> None:
    progress: Progress = app.transport.progress
    since = progress.clock()
    while not app.should_stop:
        if works(progress, since, progress.clock()):
            try:
                path.touch()
            except OSError as problem:
                log.error("The heartbeat %s cannot be written: %s", path, problem.strerror)
        time.sleep(interval)
