"""Tells when a worker is alive but does nothing, and ends the process so that its supervisor starts a new one.

Nothing in Faust notices that. An outage of the sink is not such a case: attempts go on.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

log = logging.getLogger(__name__)

EXIT_CODE: Final = 75  # "try again", unlike the 1 of a crash

Partition = tuple[str, int]  # topic and number


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


class Verdict(StrEnum):
    HEALTHY = "healthy"
    IDLE = "neither fetches, acknowledges nor tries"
    STUCK = "a fetch blocks the commits although the sink takes others"
    REBALANCING = "a rebalance does not end"
    UNASSIGNED = "has no partitions although it should have some"


@dataclass(frozen=True)
class Limits:
    """Seconds after which a state counts as bad."""

    idle: float = 120.0  # longer than any attempt of the sink may take
    stuck: float = 120.0  # longer than a full buffer of fetches takes
    rebalancing: float = 60.0  # twice the rebalance timeout
    unassigned: float | None = None  # only where there are never more workers than partitions


@dataclass(frozen=True)
class Sight:
    """What a worker looks like from outside at one moment."""

    rebalancing: bool
    assigned: bool
    heads: Mapping[Partition, int]  # the oldest offset of each partition that is not committed


@dataclass
class State:
    """Since when things are as they are."""

    rebalancing_since: float | None = None
    unassigned_since: float | None = None
    heads: dict[Partition, tuple[int, float]] = field(default_factory=dict)  # offset, since

    def update(self, sight: Sight, now: float) -> None:
        self.rebalancing_since = _since(self.rebalancing_since, sight.rebalancing, now)
        self.unassigned_since = _since(self.unassigned_since, not sight.assigned, now)
        self.heads = {
            tp: self.heads[tp] if tp in self.heads and self.heads[tp][0] == offset else (offset, now)
            for tp, offset in sight.heads.items()
        }


def _since(before: float | None, holds: bool, now: float) -> float | None:
    if not holds:
        return None
    return now if before is None else before


def verdict(state: State, progress: Progress, limits: Limits, now: float) -> Verdict:
    """Judge a worker. Pure; `now` is on the clock of `progress`."""
    if now - max(progress.fetched_at, progress.acknowledged_at, progress.attempted_at) > limits.idle:
        return Verdict.IDLE
    if _longer(state.rebalancing_since, limits.rebalancing, now):
        return Verdict.REBALANCING
    if limits.unassigned is not None and _longer(state.unassigned_since, limits.unassigned, now):
        return Verdict.UNASSIGNED
    for (topic, _), (_, since) in state.heads.items():
        if now - since > limits.stuck and progress.succeeded_at.get(topic, since) > since:
            return Verdict.STUCK
    return Verdict.HEALTHY


def _longer(since: float | None, limit: float, now: float) -> bool:
    return since is not None and now - since > limit


def install_watchdog(
    app: Any, limits: Limits, *, interval: float = 5.0, leave: Callable[[int], None] = os._exit
) -> None:
    """Watch `app`, which has our transport, from the start of its consumer on; `leave` ends the process.

    A thread of its own, since a blocked event loop is one of the things to be noticed, and from the start, since
    Faust's own services only start when the first rebalance is over.
    """

    def start() -> None:
        threading.Thread(target=_watch, args=(app, limits, interval, leave), name="watchdog", daemon=True).start()

    app.transport.on_start = start


def _watch(app: Any, limits: Limits, interval: float, leave: Callable[[int], None]) -> None:
    progress: Progress = app.transport.progress
    state = State()
    found = Verdict.HEALTHY
    while found is Verdict.HEALTHY:
        time.sleep(interval)
        now = progress.clock()
        state.update(_look(app), now)
        found = verdict(state, progress, limits, now)
    log.critical("The worker is alive but %s; it ends so that it can be started again.", found)
    leave(EXIT_CODE)


def _look(app: Any) -> Sight:
    consumer = app.transport.consumer
    if consumer is None:  # not started yet
        return Sight(rebalancing=False, assigned=False, heads={})
    return Sight(rebalancing=app.rebalancing, assigned=consumer.assigned, heads=consumer.heads())
