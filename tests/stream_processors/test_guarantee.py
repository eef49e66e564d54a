"""A KPI is a pure function of the distinct events: not of how often, in which order or by whom they were handled.

Events reach several simulated workers in any order, some twice; partitions move, workers die in the middle, and others
go on with what is no longer theirs. Then everything must be as if one worker had seen all events at once.
"""

import asyncio
import time
from collections.abc import Iterable
from random import Random

import pytest
from clickhouse_connect.driver.client import Client

from schemas.events import Event
from stream_processors.store import Store
from tests.stream_processors.calm_worker import CalmWorker
from tests.stream_processors.kpi_rows import REFERENCE, differences, kpi_rows
from tests.stream_processors.memory_store import MemoryStore
from tests.stream_processors.random_events import arrivals, random_events
from tests.stream_processors.simulation import Chances, Simulation

SITES_A_RUN = 10
SEEDS_IN_MEMORY = 300
# Rare: a worker that lost its partition writes what it read before others stored more.
SEEDS_OF_LATE_WRITES = (2626, 3852, 3923, 4535, 4664, 9662)


async def recompute_from_scratch(store: Store, events: Iterable[Event]) -> None:
    """Every event once, in order, under the names of other sites, by one worker that sees all at once."""
    ordered = sorted(events, key=lambda event: (event.occurred_at, event.event_id.int))
    renamed = [event.model_copy(update={"site_id": event.site_id + REFERENCE}) for event in ordered]
    await CalmWorker(store).deliver(renamed)


async def disturbed_and_from_scratch(store: Store, random: Random, events: list[Event]) -> None:
    sent = arrivals(random, events)
    roll_at = random.randint(1, len(sent)) if random.random() < 0.25 else None
    trouble = random.choice([Chances(), Chances(), Chances(0, 0), Chances(rebalance=0.1, crash=0.05)])
    simulation = Simulation(store, random, chances=trouble)
    try:
        await simulation.run(sent, roll_at=roll_at)
    finally:
        await simulation.close()
    await recompute_from_scratch(store, events)


def differences_in_memory(seed: int) -> list[str]:
    """One run of few events; small runs show most, since later events would heal what went wrong."""
    random, store = Random(seed), MemoryStore()
    events = random_events(random, "site", random.choice([3, 6, 12, 24]))
    asyncio.run(disturbed_and_from_scratch(store, random, events))
    return store.differences("site", "site" + REFERENCE)


def differences_in_engine(store: Store, client: Client, seed: int) -> list[str]:
    """One run of several sites."""
    random, prefix = Random(seed), f"seed{seed}_{time.monotonic_ns()}_"
    sites = [f"{prefix}{number}" for number in range(SITES_A_RUN)]
    events = [event for site in sites for event in random_events(random, site, random.choice([3, 6, 12, 24]))]
    asyncio.run(disturbed_and_from_scratch(store, random, events))
    views = kpi_rows(client, sites[0]) ^ kpi_rows(client, sites[0] + REFERENCE)
    return differences(client, prefix) + sorted(map(str, views))


def test_any_delivery_of_the_same_events_gives_the_same_kpis() -> None:
    seeds = [*range(SEEDS_IN_MEMORY), *SEEDS_OF_LATE_WRITES]
    failed = {seed: found for seed in seeds if (found := differences_in_memory(seed))}
    assert failed == {}


@pytest.mark.parametrize("seed", range(2))
def test_any_delivery_of_the_same_events_gives_the_same_kpis_in_the_engine(
    store: Store, client: Client, seed: int
) -> None:
    assert differences_in_engine(store, client, seed) == []
