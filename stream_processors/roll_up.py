"""The third agent: `race.buckets` in; recomputed KPI rows out. A bucket has one owner: its partition's worker.

While a bucket changes hands two may recompute it at once. What was stored after the slower had read is asked for again
by a later request, whose version wins; only a group that exists in the slower's rows alone would stay. Both look for
that after they have written, so the last one sees it.

A minute that is over is asked for again and again while its visits go on, each time for a few events of many. So it is
recomputed at most every few seconds; who asked meanwhile is answered then.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Final

from schemas.touches import Barrier, BucketTouch
from stream_processors.asked import Reader
from stream_processors.fetches import Fetch
from stream_processors.race.rules import LEAD_NAMES
from stream_processors.store import Bucket, Store

MAX_BUCKETS: Final = 500


Minute = tuple[str, int]  # site_id, epoch seconds


@dataclass
class Recent:
    """Which minutes were recomputed in the last so many seconds."""

    seconds: float = 0.0
    clock: Callable[[], float] = time.monotonic
    _at: dict[Minute, float] = field(default_factory=dict)

    def note(self, minutes: Iterable[Minute]) -> None:
        self._at.update(dict.fromkeys(minutes, self.clock()))

    def minutes(self) -> AbstractSet[Minute]:
        now = self.clock()
        self._at = {minute: at for minute, at in self._at.items() if now - at < self.seconds}
        return self._at.keys()


class RollUpAgent:
    def __init__(self, store: Store, generation: int, recent: Recent | None = None) -> None:
        self._store = store
        self._generation = generation
        self._recent = recent or Recent()
        self._owed: list[tuple[Fetch, AbstractSet[Minute]]] = []  # what it wanted again, and for which minutes

    async def __call__(self, fetches: Sequence[Fetch]) -> Sequence[Fetch]:
        buckets, barriers = read_buckets(fetches, self._generation)
        before = {id(fetch): minutes for fetch, minutes in self._owed}
        asked = [(fetch, before.get(id(fetch)) or self._asked_for(fetch)) for fetch in fetches]
        nothing_new = all(id(fetch) in before for fetch in fetches)
        minutes = {minute for _, minutes in asked for minute in minutes}
        # A barrier says that all before it is done; and when nothing else is asked for there is time.
        wait = set() if barriers or nothing_new else may_wait(minutes) & self._recent.minutes()
        for turn in turns([bucket for bucket in buckets if bucket[:2] in minutes - wait]):
            await self._recompute(turn)
            self._recent.note(bucket[:2] for bucket in turn)
        await self._store.insert("barriers", [(barrier.barrier_id, barrier.path) for barrier in barriers])
        # Only what is still owed: of several minutes one or another would wait for ever.
        self._owed = [(fetch, minutes & wait) for fetch, minutes in asked if minutes & wait]
        return [fetch for fetch, _ in self._owed]

    def _asked_for(self, fetch: Fetch) -> AbstractSet[Minute]:
        return {bucket[:2] for bucket in read_buckets([fetch], self._generation)[0]}

    async def _recompute(self, buckets: Sequence[Bucket]) -> None:
        await self._store.recompute(buckets, sorted(LEAD_NAMES))
        crossed = await self._store.crossed(buckets)
        if again := [bucket for bucket in buckets if bucket[:2] in crossed]:
            await self._store.recompute(again, sorted(LEAD_NAMES))


def read_buckets(fetches: Iterable[Fetch], generation: int) -> tuple[list[Bucket], list[Barrier]]:
    """Each bucket once: site, minute as epoch seconds, version of the latest request for it."""
    touches, barriers = _READER.read(fetches, generation)
    latest: dict[tuple[str, int], int] = {}
    for touch, asked_at in touches:
        bucket = (touch.site_id, int(touch.minute.timestamp()) // 60 * 60)
        latest[bucket] = max(asked_at, latest.get(bucket, 0))
    return sorted((site_id, minute, asked_at) for (site_id, minute), asked_at in latest.items()), barriers


def may_wait(minutes: AbstractSet[Minute]) -> set[Minute]:
    """All but the newest minute, which is the one that people watch."""
    newest = max((minute for _, minute in minutes), default=0)
    return {(site_id, minute) for site_id, minute in minutes if minute < newest}


def turns(buckets: Sequence[Bucket]) -> Iterator[Sequence[Bucket]]:
    """The newest minute first, then the others; in parts of `MAX_BUCKETS`."""
    old = may_wait({bucket[:2] for bucket in buckets})
    for part in ([b for b in buckets if b[:2] not in old], [b for b in buckets if b[:2] in old]):
        yield from (part[start : start + MAX_BUCKETS] for start in range(0, len(part), MAX_BUCKETS))


_READER: Final = Reader(BucketTouch)
