"""Keeps the log readable in an outage: Kafka's client says the same few things fifty times a second then."""

import logging
import math
import time
from collections.abc import Callable


class Repetition(logging.Filter):
    """Lets a message pass again only after so many seconds, whatever numbers and addresses it has this time."""

    def __init__(self, seconds: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._seconds = seconds
        self._clock = clock
        self._passed_at: dict[tuple[int, str], float] = {}  # the texts of the library: some dozens

    def filter(self, record: logging.LogRecord) -> bool:
        said, now = (record.levelno, str(record.msg)), self._clock()
        if now - self._passed_at.get(said, -math.inf) < self._seconds:
            return False
        self._passed_at[said] = now
        return True


def pass_once_a_minute(library: str) -> None:
    """For every logger that the library has by now: a logger's filter does not see what those below it say."""
    repetition = Repetition()
    for name in list(logging.root.manager.loggerDict):
        if name == library or name.startswith(f"{library}."):
            logging.getLogger(name).addFilter(repetition)
