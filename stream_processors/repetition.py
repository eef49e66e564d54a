"""Keeps the log readable in an outage: Kafka's client says the same few things fifty times a second then."""

import logging
import math
import re
import time
from collections.abc import Callable, Mapping
from typing import Final

_MOST_SAID: Final = 1000  # texts that are remembered
# Times and addresses in errors; not what is part of a name (kafka-1, 10.0.0.1).
_NUMBER: Final = re.compile(r"(?<![\w.-])(?:0x[0-9a-f]+|\d+(?:\.\d+)?)(?!\d|\.\d)")

Said = tuple[int, str, tuple[str, ...]]


class Repetition(logging.Filter):
    """Lets a message pass again only after so many seconds, whatever was measured this time.

    What it names, a topic or a node, makes it another message.
    """

    def __init__(self, seconds: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._seconds = seconds
        self._clock = clock
        self._passed_at: dict[Said, float] = {}  # oldest first

    def filter(self, record: logging.LogRecord) -> bool:
        said, now = _said(record), self._clock()
        if now - self._passed_at.get(said, -math.inf) < self._seconds:
            return False
        self._passed_at.pop(said, None)
        self._passed_at[said] = now
        if len(self._passed_at) > _MOST_SAID:
            del self._passed_at[next(iter(self._passed_at))]
        return True


def _said(record: logging.LogRecord) -> Said:
    arguments = record.args.values() if isinstance(record.args, Mapping) else record.args or ()
    return record.levelno, str(record.msg), tuple(map(_name, arguments))


def _name(argument: object) -> str:
    """A whole number is a node, a port or a partition; any other may be a measurement."""
    return str(argument) if isinstance(argument, int) else _NUMBER.sub("", str(argument))


def pass_once_a_minute(library: str) -> None:
    """For every logger that the library has by now: a logger's filter does not see what those below it say."""
    repetition = Repetition()
    for name in list(logging.root.manager.loggerDict):
        if name == library or name.startswith(f"{library}."):
            logging.getLogger(name).addFilter(repetition)
