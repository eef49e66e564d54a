"""The job that all contenders do: Raceline's own agents, called with fetches, whoever received them.

`kpi` is all of it: check, classify, store, publish, derive, roll up. `store` ends with the stored events, so that what
receiving costs shows more.
"""

import gc
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from schemas.topics import EVENTS, PARTITIONS
from stream_processors.app import Agent, agents
from stream_processors.classify import event_row, sort_out
from stream_processors.fetches import Fetch
from stream_processors.log import Log
from stream_processors.settings import WorkerSettings
from stream_processors.store import Store

TAKE: Final = 4000  # records that the contenders take at once, as Raceline does


def job(settings: WorkerSettings) -> list[Agent]:
    """The agents of the job that the environment names. With the worker's garbage collection for all contenders."""
    gc.freeze()
    gc.set_threshold(200_000, 10, 10)
    if os.environ["BENCHMARK_JOB"] == "store":
        return [Agent(EVENTS.name, _Storing(Store(settings)))]
    return agents(settings, Log(settings.kafka, partitions=PARTITIONS))


async def handle(agent: Agent, fetches: Sequence[Fetch]) -> None:
    """Returns when all of it is done: what an agent wants again it gets again, and then it waits for nothing."""
    while fetches:
        fetches = await agent.handle(fetches) or ()


class _Storing:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def __call__(self, fetches: Sequence[Fetch]) -> None:
        batch = sort_out(fetches, datetime.now(UTC))
        await self._store.insert("events", [event_row(event) for event in batch.events])
