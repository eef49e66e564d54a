"""The time that a snapshot is about: the last N minutes, or everything, and the steps of its series."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from raceline.kpis import EARLIEST, LATEST

# The choices of the page, each with the width of its steps: at most 96 of them, so that a step stays readable.
STEP_SECONDS: Final = {15: 60, 60: 60, 360: 300, 1440: 900}
DEFAULT_MINUTES: Final = 60
_ALL_STEPS: Final = (60, 300, 900, 3600, 21600, 86400, 604800, 2592000)
_MOST_STEPS: Final = 100
_MINUTE: Final = timedelta(minutes=1)

Minutes = int | None  # None is everything


def read_minutes(text: str | None) -> Minutes:
    """One of the page's choices. Raises ValueError for anything else."""
    if text is None:
        return DEFAULT_MINUTES
    if text == "all":
        return None
    if text.isascii() and text.isdigit() and int(text) in STEP_SECONDS:
        return int(text)
    choices = ", ".join(str(choice) for choice in STEP_SECONDS)
    raise ValueError(f"minutes must be one of {choices} or all")


@dataclass(frozen=True)
class Period:
    """`since` is inclusive, `until` exclusive. `step` is seconds."""

    since: datetime
    until: datetime
    step: int

    @property
    def steps(self) -> int:
        return -(-int((self.until - self.since).total_seconds()) // self.step)

    def before(self) -> "Period | None":
        """The period of the same length that ends where this one begins; None where time does not go back so far."""
        length = self.until - self.since
        if self.since - length < EARLIEST:
            return None
        return Period(self.since - length, self.since, self.step)


def last_minutes(now: datetime, minutes: int) -> Period:
    """Ends with the minute that now runs."""
    until = _start_of_minute(now) + _MINUTE
    return Period(until - timedelta(minutes=minutes), until, STEP_SECONDS[minutes])


def everything(first: datetime, last: datetime) -> Period:
    """From the first bucket to the last one, in steps that are at most a hundred or, in centuries, a month."""
    seconds = (last + _MINUTE - first).total_seconds()
    step = next((step for step in _ALL_STEPS if seconds / step <= _MOST_STEPS), _ALL_STEPS[-1])
    start = first.timestamp() // step * step
    since = max(EARLIEST, datetime.fromtimestamp(start, UTC))
    return Period(since, min(LATEST, last + _MINUTE), step)


def _start_of_minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)
