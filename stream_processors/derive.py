"""The second agent: `race.persons` in; derived rows and touched buckets out.

A request names a node of the identity graph. Its partition is the only writer of what is derived for the events of
that node, so the rows' versions, taken from the request's offset, follow the order in which things became known.

Owners never wait for each other, so two that share a person may each read before the other's news is stored. Whoever
writes therefore looks once more whether what it had read still stands, and if not, asks itself again. Of two that
cross at least one sees the other: news is stored before its owner looks at others' rows, and rows are written before
their owner looks for news. The same look saves what a worker writes that had lost its partition in between.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Final

from schemas.topics import BUCKETS, PERSONS, bucket_key, person_key
from schemas.touches import Barrier, BucketTouch, PersonTouch
from stream_processors.asked import Reader
from stream_processors.changes import Bucket, Request, changes
from stream_processors.classify import everywhere
from stream_processors.corrections import corrected_events
from stream_processors.fetches import Fetch
from stream_processors.log import Log, Outgoing
from stream_processors.neighbourhood import outdated, read_neighbourhood
from stream_processors.store import Node, Store

MAX_NODES: Final = 2000  # at once: a read costs much the same for few and for many


class DeriveAgent:
    def __init__(self, store: Store, log: Log, generation: int) -> None:
        self._store = store
        self._log = log
        self._generation = generation

    async def __call__(self, fetches: Sequence[Fetch]) -> None:
        requests, barriers = read_requests(fetches, self._generation)
        nodes = list(requests)
        for start in range(0, len(nodes), MAX_NODES):
            await self._answer({node: requests[node] for node in nodes[start : start + MAX_NODES]})
        await self._log.send(record for barrier in barriers for record in everywhere(BUCKETS.name, barrier))

    async def _answer(self, requests: Mapping[Node, Request]) -> None:
        around = await read_neighbourhood(self._store, requests)
        found = changes(requests, around)
        await self._store.insert("derived", found.derived)
        await self._log.send(chain(_buckets(found.buckets), _persons(found.others)))
        again = await outdated(self._store, around) & requests.keys()
        await self._log.send(_persons(again - found.others))
        # After the KPIs have what they need: nobody waits for these.
        await self._log.send(corrected_events(await self._store.events(found.corrections), found.corrections))


def read_requests(fetches: Iterable[Fetch], generation: int) -> tuple[dict[Node, Request], list[Barrier]]:
    touches, barriers = _READER.read(fetches, generation)
    requests: dict[Node, Request] = {}
    for touch, asked_at in touches:
        node = (touch.site_id, touch.node)
        before = requests.get(node, Request(asked_at, asked_at))
        requests[node] = Request(max(asked_at, before.version), min(asked_at, before.oldest))
    return requests, barriers


_READER: Final = Reader(PersonTouch)


def _persons(nodes: Iterable[Node]) -> Iterable[Outgoing]:
    for site_id, node in nodes:
        person = PersonTouch(site_id=site_id, node=node)
        yield Outgoing(PERSONS.name, person_key(person), person.model_dump_json().encode())


def _buckets(buckets: Iterable[Bucket]) -> Iterable[Outgoing]:
    for site_id, minute in buckets:
        bucket = BucketTouch(site_id=site_id, minute=minute)
        yield Outgoing(BUCKETS.name, bucket_key(bucket), bucket.model_dump_json().encode())
