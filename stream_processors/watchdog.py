"""Tells when a worker is alive but does nothing, and ends the process so that its supervisor starts a new one.

Nothing in Faust notices that. An outage of the sink is not such a case: attempts go on.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field


@dataclass
class Progress:
    """When the parts of a worker last did something. Written by the event loop, read by the watchdog's thread."""

    clock: Callable[[], float] = time.monotonic
    fetched_at: float = field(init=False)
    acknowledged_at: float = field(init=False)
    attempted_at: float = field(init=False)
    succeeded_at: dict[str, float] = field(default_factory=dict, init=False)  # by topic

    def __post_init__(self) -> None:
        self.fetched_at = self.acknowledged_at = self.attempted_at = self.clock()

    def fetched(self) -> None:
        """A poll returned, with or without records. About once a second when all is well."""
        self.fetched_at = self.clock()

    def acknowledged(self) -> None:
        self.acknowledged_at = self.clock()

    def attempted(self, topics: Iterable[str], *, succeeded: bool) -> None:
        """The sink took fetches of these topics, or refused them."""
        self.attempted_at = self.clock()
        if succeeded:
            self.succeeded_at.update(dict.fromkeys(topics, self.attempted_at))
