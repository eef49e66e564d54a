"""The third agent: `race.buckets` in; recomputed KPI rows out. A bucket has one owner: its partition's worker.

While a bucket changes hands two may recompute it at once. What was stored after the slower had read is asked for again
by a later request, whose version wins; only a group that exists in the slower's rows alone would stay. Both look for
that after they have written, so the last one sees it.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from schemas.touches import Barrier, BucketTouch
from stream_processors.asked import Reader
from stream_processors.fetches import Fetch
from stream_processors.race.rules import LEAD_NAMES
from stream_processors.store import Bucket, Store

MAX_BUCKETS: Final = 500


class RollUpAgent:
    def __init__(self, store: Store, generation: int) -> None:
        self._store = store
        self._generation = generation

    async def __call__(self, fetches: Sequence[Fetch]) -> None:
        buckets, barriers = read_buckets(fetches, self._generation)
        for turn in turns(buckets):
            await self._recompute(turn)
        await self._store.insert("barriers", [(barrier.barrier_id, barrier.path) for barrier in barriers])

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


def turns(buckets: Sequence[Bucket]) -> Iterator[Sequence[Bucket]]:
    """The newest minute first, which is the one that people watch; then the others, in parts of `MAX_BUCKETS`."""
    newest = max((minute for _, minute, _ in buckets), default=0)
    others = [bucket for bucket in buckets if bucket[1] != newest]
    for part in ([bucket for bucket in buckets if bucket[1] == newest], others):
        yield from (part[start : start + MAX_BUCKETS] for start in range(0, len(part), MAX_BUCKETS))


_READER: Final = Reader(BucketTouch)
