"""What an event means beside everything its person did, decided by the owners of several nodes who never wait."""

import asyncio
from collections.abc import Coroutine, Sequence
from random import Random
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from schemas.events import Event
from schemas.topics import BUCKETS, EVENTS, PERSONS
from stream_processors.changes import Request
from stream_processors.derive import read_requests
from stream_processors.fetches import Fetch, Record
from stream_processors.log import version
from stream_processors.store import Store
from tests.stream_processors.calm_worker import CalmWorker
from tests.stream_processors.kpi_rows import kpi_rows
from tests.stream_processors.memory_store import MemoryStore
from tests.stream_processors.named_events import happened, new_site, order
from tests.stream_processors.random_events import arrivals
from tests.stream_processors.simulation import Chances, Simulation

TROUBLE = Chances(rebalance=0.05, crash=0.03)


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


def derived(store: MemoryStore, field: str) -> dict[Any, Any]:
    return {row["event_id"]: row[field] for row in store.tables["derived"].values()}


def simulated(events: Sequence[Event], seed: int) -> MemoryStore:
    store, random = MemoryStore(), Random(seed)

    async def disturbed() -> None:
        simulation = Simulation(store, random, chances=TROUBLE)
        try:
            await simulation.run(arrivals(random, list(events)))
        finally:
            await simulation.close()

    run(disturbed())
    return store


@pytest.mark.parametrize(("earlier", "later"), [(0, 30), (0, 0)], ids=["one earlier", "same millisecond"])
def test_of_a_persons_orders_under_two_keys_exactly_one_is_the_first(earlier: float, later: float) -> None:
    by_visitor = order("s", "o1", earlier, visitor="v1", number=1)
    by_user = order("s", "o2", later, user="u1", source="crm", number=2)
    link = happened("s", "login", 600, visitor="v1", user="u1")
    for seed in range(40):
        ranks = derived(simulated([by_visitor, by_user, link], seed), "order_rank")
        assert (ranks[by_visitor.event_id], ranks[by_user.event_id]) == (1, 2), seed


def test_reports_of_one_order_by_strangers_are_one_order_with_the_crms_value() -> None:
    """The visitor and the user are not known to be the same person."""
    website = order("s", "o1", 0, visitor="v1", value=10)
    crm = order("s", "o1", 60, user="u1", source="crm", value=12)
    other = order("s", "o2", 120, user="u1", source="crm", value=5)
    for seed in range(40):
        store = simulated([website, crm, other], seed)
        ranks, values = derived(store, "order_rank"), derived(store, "order_value")
        assert [ranks[e.event_id] for e in (website, crm, other)] == [1, 0, 1], seed
        assert values[website.event_id] == 12, seed


def test_a_late_older_order_makes_the_former_first_a_repeat_and_its_bucket_follows(
    store: Store, client: Client
) -> None:
    site = new_site("late_order")
    worker = CalmWorker(store)
    run(worker.deliver([order(site, "o2", 300, visitor="v1")]))
    assert orders_by_minute(client, site) == {5: (1, 0)}
    run(worker.deliver([order(site, "o1", 0, visitor="v1")]))
    assert orders_by_minute(client, site) == {0: (1, 0), 5: (0, 1)}


def orders_by_minute(client: Client, site: str) -> dict[int, tuple[int, int]]:
    rows = client.query(
        "select toMinute(minute), first_orders, repeat_orders from kpi_1m final "
        "where site_id = {site:String} and dimension = 'all' and events > 0",
        parameters={"site": site},
    ).result_rows
    return {minute: (first, repeat) for minute, first, repeat in rows}


def test_a_session_that_starts_earlier_in_its_minute_is_still_one_session(store: Store, client: Client) -> None:
    site = new_site("session_start")
    worker = CalmWorker(store)
    for at in (40, 20, 0):
        run(worker.deliver([happened(site, "page_view", at, visitor="v1")]))
    rows = client.query(
        "select events, page_views, engaged, toSecond(started_at) from sessions where site_id = {site:String}",
        parameters={"site": site},
    ).result_rows
    assert rows == [(3, 3, True, 0)]


def test_redelivery_writes_nothing_and_touches_nothing(store: Store, client: Client) -> None:
    site = new_site("redelivery")
    worker = CalmWorker(store)
    events = [happened(site, "page_view", 0, visitor="v1"), order(site, "o1", 10, visitor="v1", user="u1")]
    run(worker.deliver(events))
    touches = sum(len(records) for (topic, _), records in worker.log.records.items() if topic == BUCKETS.name)
    before = kpi_rows(client, site)
    run(worker.deliver([*events, *events]))
    after = sum(len(records) for (topic, _), records in worker.log.records.items() if topic == BUCKETS.name)
    assert after == touches
    assert kpi_rows(client, site) == before


def test_an_answer_that_was_cut_off_touches_its_bucket_when_it_is_asked_together_with_later_requests() -> None:
    store = MemoryStore()
    worker = CalmWorker(store)

    async def cut_off() -> None:
        worker.send([happened("s", "page_view", 0, visitor="v1")])
        await worker.handle(EVENTS.name)
        call, handle = worker.call(PERSONS.name)
        await call.advance_to(handle, "send")
        await call.kill()
        await worker.deliver([happened("s", "page_view", 7200 + 60, visitor="v1")])

    run(cut_off())
    assert {key[1] % 3600 for key, (_, found) in store.kpis.items() if found} == {0, 60}


@pytest.mark.parametrize("paused_before", ["history", "derived", "insert derived", "marks", "send"])
def test_a_worker_that_lost_its_partition_does_no_harm_when_it_goes_on(
    store: Store, client: Client, paused_before: str
) -> None:
    """It is stopped between reading and writing; meanwhile an older order arrives and is handled by another."""
    site = new_site("zombie")
    worker = CalmWorker(store)

    async def story() -> None:
        worker.send([order(site, "o2", 300, visitor="v1")])
        await worker.handle(EVENTS.name)
        zombie, handle = worker.call(PERSONS.name)
        await zombie.advance_to(handle, paused_before)
        await worker.deliver([order(site, "o1", 0, visitor="v1")])
        while not await zombie.advance(handle):
            pass
        assert not zombie.failed()
        await worker.deliver([])

    run(story())
    assert orders_by_minute(client, site) == {0: (1, 0), 5: (0, 1)}


def test_requests_for_a_node_are_answered_once_with_the_latest_version() -> None:
    value = b'{"site_id":"s","node":"v:v1"}'
    fetches = [Fetch("race.persons", 0, [Record(None, value, offset, 0) for offset in (7, 8)], 1)]
    requests, barriers = read_requests(fetches, generation=2)
    assert not barriers
    assert requests == {("s", "v:v1"): Request(version(2, 8), oldest=version(2, 7))}
