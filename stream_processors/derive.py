"""The second agent: `race.persons` in; derived rows, sessions and touched buckets out.

A request names a node of the identity graph. Its partition is the only writer of what is derived for the events of
that node, so the rows' versions, taken from the request's offset, follow the order in which things became known.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import orjson

from schemas.topics import BUCKETS, PERSONS, bucket_key, person_key
from schemas.touches import Barrier, BucketTouch, PersonTouch
from stream_processors.changes import Changes, Request, changes
from stream_processors.classify import everywhere
from stream_processors.fetches import Fetch
from stream_processors.log import Log, Outgoing, version
from stream_processors.neighbourhood import read_neighbourhood
from stream_processors.store import Node, Store

# What was read longer ago is read again before it is written: the partition may have moved to another worker
# meanwhile. Below the shortest session timeout. After some attempts the machine is slow, not stopped.
LEASE_SECONDS: Final = 4.0
LEASE_ATTEMPTS: Final = 3
MAX_NODES: Final = 500


class DeriveAgent:
    def __init__(self, store: Store, log: Log, generation: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._log = log
        self._generation = generation
        self._clock = clock

    async def __call__(self, fetches: Sequence[Fetch]) -> None:
        requests, barriers = read_requests(fetches, self._generation)
        nodes = list(requests)
        for start in range(0, len(nodes), MAX_NODES):
            await self._answer({node: requests[node] for node in nodes[start : start + MAX_NODES]})
        await self._log.send(record for barrier in barriers for record in everywhere(BUCKETS.name, barrier))

    async def _answer(self, requests: Mapping[Node, Request]) -> None:
        for _ in range(LEASE_ATTEMPTS):
            read_at = self._clock()
            found = changes(requests, await read_neighbourhood(self._store, requests))
            if self._clock() - read_at < LEASE_SECONDS:
                break
        await self._store.insert("derived", found.derived)
        await self._store.insert("sessions", found.sessions)
        await self._log.send(outgoing(found))


def read_requests(fetches: Iterable[Fetch], generation: int) -> tuple[dict[Node, Request], list[Barrier]]:
    """The latest request of each node; it is forwarded only if all of them were."""
    requests: dict[Node, Request] = {}
    barriers: list[Barrier] = []
    for fetch in fetches:
        for record in fetch.records:
            asked = orjson.loads(record.value or b"{}")
            if "barrier_id" in asked:
                barrier = Barrier.model_validate(asked)
                barriers.append(barrier.model_copy(update={"path": (*barrier.path, fetch.partition)}))
                continue
            node, at = (asked["site_id"], asked["node"]), version(generation, record.offset)
            before = requests.get(node)
            forwarded = bool(asked["forwarded"]) and (before is None or before.forwarded)
            requests[node] = Request(max(at, before.version) if before else at, forwarded)
    return requests, barriers


def outgoing(found: Changes) -> Iterable[Outgoing]:
    for site_id, node in found.forward:
        person = PersonTouch(site_id=site_id, node=node, forwarded=True)
        yield Outgoing(PERSONS.name, person_key(person), person.model_dump_json().encode())
    for site_id, minute in found.buckets:
        bucket = BucketTouch(site_id=site_id, minute=minute)
        yield Outgoing(BUCKETS.name, bucket_key(bucket), bucket.model_dump_json().encode())
