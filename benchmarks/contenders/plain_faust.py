"""The job in Faust as it comes: its own transport, and `take` to gather single events.

It lets the broker wait for 1.5 s for records, which cannot be set.
"""

import asyncio
import sys
import time
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import faust

from benchmarks.job import TAKE, handle, job
from stream_processors.app import Agent
from stream_processors.fetches import Fetch, Record
from stream_processors.settings import WorkerSettings


def create_app(settings: WorkerSettings) -> Any:
    app = faust.App(
        settings.consumer_group,
        broker=f"kafka://{settings.kafka}",
        datadir=str(settings.data_dir / "faust"),
        store="memory://",
        web_enabled=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        stream_wait_empty=False,
        broker_session_timeout=settings.session_timeout,
        broker_rebalance_timeout=settings.session_timeout,
        broker_heartbeat_interval=settings.session_timeout / 3,
        consumer_auto_offset_reset="earliest",
    )
    for agent in job(settings):
        _declare(app, agent)
    return app


def _declare(app: Any, agent: Agent) -> None:
    async def run(stream: Any) -> None:
        async for events in stream.take_events(TAKE, within=0.1):
            began = time.monotonic()
            await handle(agent, _fetches(events))
            await asyncio.sleep(agent.gather_seconds - (time.monotonic() - began))  # at once when it took longer

    app.agent(app.topic(agent.topic, key_serializer="raw", value_serializer="raw"), name=agent.topic)(run)


def _fetches(events: Iterable[Any]) -> list[Fetch]:
    by_partition: defaultdict[Any, list[Record]] = defaultdict(list)
    for event in events:
        message = event.message
        record = Record(message.key, message.value, message.offset, int(message.timestamp * 1000))
        by_partition[message.tp].append(record)
    return [Fetch(tp.topic, tp.partition, records, 0) for tp, records in by_partition.items()]


if __name__ == "__main__":
    app = create_app(WorkerSettings())
    sys.argv = ["plain_faust", "worker", "--without-web"]
    app.main()
