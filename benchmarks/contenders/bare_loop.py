"""The job in bare aiokafka loops, one for each topic: receive, do, commit. Nothing is watched, retried or guarded."""

import asyncio
import time
from typing import Any

from aiokafka import AIOKafkaConsumer

from benchmarks.job import handle, job
from stream_processors.app import Agent
from stream_processors.fetches import Fetch, Record
from stream_processors.settings import WorkerSettings


async def loop(agent: Agent, settings: WorkerSettings) -> None:
    consumer = AIOKafkaConsumer(
        agent.topic,
        bootstrap_servers=settings.kafka,
        group_id=f"{settings.consumer_group}-{agent.topic}",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        session_timeout_ms=int(settings.session_timeout * 1000),
        heartbeat_interval_ms=int(settings.session_timeout * 333),
        fetch_max_wait_ms=50,
    )
    await consumer.start()
    while True:
        received = await consumer.getmany(timeout_ms=200)
        if received:
            began = time.monotonic()
            await handle(agent, [_fetch(partition, records) for partition, records in received.items()])
            await consumer.commit()
            await asyncio.sleep(agent.gather_seconds - (time.monotonic() - began))  # at once when it took longer


def _fetch(partition: Any, records: Any) -> Fetch:
    rows = [Record(record.key, record.value, record.offset, record.timestamp) for record in records]
    return Fetch(partition.topic, partition.partition, rows, 0)


async def main() -> None:
    settings = WorkerSettings()
    await asyncio.gather(*(loop(agent, settings) for agent in job(settings)))


if __name__ == "__main__":
    asyncio.run(main())
