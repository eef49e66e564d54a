"""Buckets: recomputed as a whole by their one owner, so nothing is ever counted twice or left behind."""

import asyncio
from collections.abc import Coroutine, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from clickhouse_connect.driver.client import Client

from schemas.events import Event
from schemas.topics import BUCKETS, EVENTS, PERSONS
from schemas.touches import Barrier, BucketTouch
from stream_processors.fetches import Fetch, Record
from stream_processors.log import version
from stream_processors.roll_up import MAX_BUCKETS, Recent, RollUpAgent, read_buckets, turns
from stream_processors.store import Bucket, Row, Store
from tests.stream_processors.calm_worker import CalmWorker
from tests.stream_processors.kpi_rows import REFERENCE, differences, kpi_rows
from tests.stream_processors.memory_store import MemoryStore
from tests.stream_processors.named_events import happened, new_site, order


def run(work: Coroutine[Any, Any, object]) -> None:
    asyncio.run(work)


def from_scratch(store: Store, events: list[Event]) -> None:
    run(CalmWorker(store).deliver(event.model_copy(update={"site_id": event.site_id + REFERENCE}) for event in events))


def groups(client: Client, site: str, dimension: str) -> set[str]:
    return {row[1] for row in kpi_rows(client, site) if row[0] == dimension}


def test_a_worker_stopped_before_it_recomputes_a_minute_on_which_another_works_on(store: Store, client: Client) -> None:
    site = new_site("paused")
    first, later = happened(site, "page_view", 0, visitor="v1"), happened(site, "page_view", 20, visitor="v2")
    worker = CalmWorker(store)

    async def story() -> None:
        worker.send([first])
        await worker.handle(EVENTS.name)
        await worker.handle(PERSONS.name)
        zombie, handle = worker.call(BUCKETS.name)
        await zombie.advance_to(handle, "recompute")
        await worker.deliver([later])
        while not await zombie.advance(handle):
            pass

    run(story())
    from_scratch(store, [first, later])
    assert differences(client, site) == []
    assert kpi_rows(client, site) == kpi_rows(client, site + REFERENCE) != set()


def test_a_group_that_a_slow_statement_brings_back_is_emptied_again() -> None:
    """While a statement runs for a worker that lost the bucket, a session's channel becomes known and changes."""
    store = MemoryStore()
    worker = CalmWorker(store)

    async def story() -> None:
        worker.send([happened("s", "page_view", 20, visitor="v1")])
        await worker.handle(EVENTS.name)
        await worker.handle(PERSONS.name)
        zombie, handle = worker.call(BUCKETS.name)
        await zombie.advance_to(handle, "recompute: write")
        await worker.deliver([happened("s", "page_view", 0, visitor="v1", utm_medium="cpc")])
        while not await zombie.advance(handle):
            pass

    run(story())
    assert {key[3] for key, (_, found) in store.kpis.items() if key[2] == "channel" and found} == {"Paid Other"}


def test_an_event_that_changes_its_channel_leaves_its_former_group_empty(store: Store, client: Client) -> None:
    site = new_site("channel")
    worker = CalmWorker(store)
    run(worker.deliver([happened(site, "page_view", 60, visitor="v1")]))
    assert groups(client, site, "channel") == {"Unassigned"}
    run(worker.deliver([happened(site, "page_view", 0, visitor="v1", utm_medium="cpc")]))
    assert groups(client, site, "channel") == {"Paid Other"}
    assert groups(client, site, "media") == {"paid"}


def test_an_event_that_changes_its_person_is_no_longer_counted_for_the_former(store: Store, client: Client) -> None:
    site = new_site("person")
    worker = CalmWorker(store)
    run(worker.deliver([order(site, "o1", 0, user="u1"), order(site, "o2", 60, visitor="v1")]))
    assert customers_and_repeat_orders(client, site) == (2, 0)
    run(worker.deliver([happened(site, "login", 120, visitor="v1", user="u1")]))
    assert customers_and_repeat_orders(client, site) == (1, 1)


def test_an_event_that_changes_its_stage_is_no_longer_counted_in_the_former(store: Store, client: Client) -> None:
    site = new_site("stage")
    worker = CalmWorker(store)
    run(worker.deliver([happened(site, "page_view", 60, visitor="v1")]))
    assert stages(client, site) == (1, 0)
    run(worker.deliver([happened(site, "page_view", 59, visitor="v1")]))
    assert stages(client, site) == (1, 1)


def customers_and_repeat_orders(client: Client, site: str) -> tuple[Any, ...]:
    return _sums(client, site, "uniqExactMerge(order_persons), sum(repeat_orders)")


def stages(client: Client, site: str) -> tuple[Any, ...]:
    return _sums(client, site, "sum(reach_events), sum(act_events)")


def _sums(client: Client, site: str, columns: str) -> tuple[Any, ...]:
    query = f"select {columns} from kpi_1m final where site_id = {{site:String}} and dimension = 'all'"
    return tuple(client.query(query, parameters={"site": site}).result_rows[0])


def test_a_group_of_another_recomputation_is_found_and_emptied_in_the_engine(store: Store, client: Client) -> None:
    site = new_site("crossed")
    event = happened(site, "page_view", 0, visitor="v1")
    run(CalmWorker(store).deliver([event]))
    client.command(
        "insert into kpi_1m select * replace ('Stale' as value, 1 as version) from kpi_1m final "
        "where site_id = {site:String} and dimension = 'channel'",
        parameters={"site": site},
    )
    assert groups(client, site, "channel") == {"Unassigned", "Stale"}
    value = b'{"site_id":"%s","minute":"2024-05-01T10:00:00Z"}' % site.encode()
    run(RollUpAgent(store, 0)([Fetch("race.buckets", 0, [Record(None, value, 1000, 0)], 1)]))
    assert groups(client, site, "channel") == {"Unassigned"}


def test_a_bucket_with_rows_of_two_recomputations_is_recomputed_again(store: Store, client: Client) -> None:
    """The worker that comes second cannot give its rows a higher version, but it can give them what is stored."""
    site = new_site("second")
    event = happened(site, "page_view", 0, visitor="v1")
    run(CalmWorker(store).deliver([event]))
    bucket = (site, int(event.occurred_at.timestamp()), version(0, 1000))
    assert asyncio.run(store.crossed([bucket])) == set()
    client.command(
        "insert into kpi_1m select * replace (version + 1 as version) from kpi_1m final "
        "where site_id = {site:String} and dimension = 'channel'",
        parameters={"site": site},
    )
    assert asyncio.run(store.crossed([bucket])) == {bucket[:2]}


@pytest.mark.parametrize("minutes", [1, 3])
def test_a_bucket_is_recomputed_once_for_many_requests_with_the_latest_version(minutes: int) -> None:
    values = [b'{"site_id":"s","minute":"2024-05-01T10:%02d:00Z"}' % (number % minutes) for number in range(6)]
    fetches = [Fetch("race.buckets", 0, [Record(None, value, at, 0) for at, value in enumerate(values)], 1)]
    buckets, _ = read_buckets(fetches, generation=1)
    assert [at for _, _, at in buckets] == [version(1, 6 - minutes + number) for number in range(minutes)]


def test_a_recomputation_writes_no_group_that_nothing_was_ever_counted_in(store: Store, client: Client) -> None:
    site, worker = new_site("groups"), CalmWorker(store)
    query = "select dimension, value from kpi_1m final where site_id = {site:String} order by all"
    for second in (0, 1):
        run(worker.deliver([happened(site, "page_view", second, visitor="v1")]))
        written = [tuple(row) for row in client.query(query, parameters={"site": site}).result_rows]
        assert [dimension for dimension, _ in written] == ["all", "campaign", "channel", "country", "device", "media"]


NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Counted(Store):
    """Notes which minutes are recomputed."""

    def __init__(self) -> None:
        self.recomputed: list[int] = []

    async def recompute(self, buckets: Sequence[Bucket], lead_names: Sequence[str]) -> None:
        self.recomputed += [(minute - int(NOON.timestamp())) // 60 for _, minute, _ in buckets]

    async def crossed(self, buckets: Sequence[Bucket]) -> set[tuple[str, int]]:
        return set()

    async def insert(self, table: str, rows: Sequence[Row]) -> None:
        pass


class Asked:
    """An agent that is asked for minutes on a clock of its own. Old minutes wait for 4 s."""

    def __init__(self) -> None:
        self.now, self._offset, self._store = 0.0, 0, Counted()
        self._agent = RollUpAgent(self._store, 0, Recent(4.0, lambda: self.now))

    def fetch(self, *minutes: int, barrier: bool = False) -> Fetch:
        moments = [NOON + timedelta(minutes=minute) for minute in minutes]
        values = [BucketTouch(site_id="s", minute=moment).model_dump_json() for moment in moments]
        values += [Barrier(barrier_id=uuid4(), path=(0, 0)).model_dump_json()] * barrier
        records = [Record(None, value.encode(), self._offset + at, 0) for at, value in enumerate(values)]
        self._offset += len(records)
        return Fetch("race.buckets", 0, records, 1)

    def call(self, *fetches: Fetch) -> tuple[list[int], list[Fetch]]:
        """The minutes that were recomputed, and what it wants again."""
        self._store.recomputed.clear()
        wanted = asyncio.run(self._agent(fetches))
        return list(self._store.recomputed), list(wanted)


def test_a_minute_that_is_over_is_recomputed_every_few_seconds_and_the_newest_at_once() -> None:
    asked = Asked()
    assert asked.call(asked.fetch(7, 8)) == ([8, 7], [])
    asked.now = 1.0
    late, new = asked.fetch(7), asked.fetch(8)
    assert asked.call(late, new) == ([8], [late])
    asked.now = 3.9
    both = asked.fetch(7, 8)
    assert asked.call(late, both) == ([8], [late, both])
    asked.now = 4.1
    assert asked.call(late, both, asked.fetch(8)) == ([8, 7], [])


def test_a_request_for_several_minutes_is_answered_though_there_is_always_one_that_waits() -> None:
    asked = Asked()
    asked.call(asked.fetch(7, 8))
    asked.now = 2.0
    asked.call(asked.fetch(6, 8))
    kept = [asked.fetch(6, 7)]
    for asked.now in (3.0, 4.5, 6.5):  # 7 is recomputed at 4.5, 6 at 6.5, and 7 was recomputed lately then
        _, kept = asked.call(*kept, asked.fetch(8))
    assert kept == []


def test_a_minute_that_nobody_asked_for_lately_does_not_wait() -> None:
    asked = Asked()
    asked.call(asked.fetch(8))
    assert asked.call(asked.fetch(3, 8)) == ([8, 3], [])


def test_when_nothing_new_is_asked_for_nothing_waits() -> None:
    asked = Asked()
    asked.call(asked.fetch(6, 7, 8))
    late, new = asked.fetch(6, 7), asked.fetch(8)
    assert asked.call(late, new) == ([8], [late])
    recomputed, kept = asked.call(late)
    assert (sorted(recomputed), kept) == ([6, 7], [])


def test_before_a_barrier_everything_is_recomputed() -> None:
    asked = Asked()
    asked.call(asked.fetch(7, 8))
    late, new = asked.fetch(7), asked.fetch(8)
    assert asked.call(late, new) == ([8], [late])
    assert asked.call(late, asked.fetch(8, barrier=True)) == ([8, 7], [])


def test_the_newest_minute_is_recomputed_first() -> None:
    buckets = [("s", 60, 1), ("s", 120, 3), ("t", 60, 2), ("t", 120, 4)]
    assert list(turns(buckets)) == [[("s", 120, 3), ("t", 120, 4)], [("s", 60, 1), ("t", 60, 2)]]


@pytest.mark.parametrize("minutes", [0, 1, MAX_BUCKETS + 1, 3 * MAX_BUCKETS])
def test_every_bucket_has_its_turn_and_none_is_too_long(minutes: int) -> None:
    buckets = [("s", 60 * number, number) for number in range(minutes)]
    parts = list(turns(buckets))
    assert sorted(bucket for part in parts for bucket in part) == buckets
    assert all(1 <= len(part) <= MAX_BUCKETS for part in parts)
