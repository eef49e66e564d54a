"""The job in Quix Streams: a dataframe for each topic into a sink that does it at each checkpoint."""

import asyncio
from collections import defaultdict
from typing import Any

from quixstreams import Application
from quixstreams.sinks.base import BaseSink

from benchmarks.job import TAKE, handle, job
from schemas.topics import PARTITIONS
from stream_processors.app import Agent
from stream_processors.fetches import Fetch, Record
from stream_processors.settings import WorkerSettings

CHECKPOINT_SECONDS = 0.3  # of 0.3 and 1.0 the one that is faster here


class AgentSink(BaseSink):  # type: ignore[misc]  # untyped here: installed for the benchmarks alone
    """All partitions at once: a batching sink of Quix would write each on its own, which is slower."""

    def __init__(self, agent: Agent, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._agent, self._loop = agent, loop
        self._records: defaultdict[int, list[Record]] = defaultdict(list)

    def add(self, value: Any, key: Any, timestamp: int, headers: Any, topic: str, partition: int, offset: int) -> None:
        self._records[partition].append(Record(key, value, offset, timestamp))

    def flush(self) -> None:
        if self._records:
            fetches = [Fetch(self._agent.topic, one, records, 0) for one, records in self._records.items()]
            self._loop.run_until_complete(handle(self._agent, fetches))
            self._records.clear()


def main() -> None:
    settings = WorkerSettings()
    session = int(settings.session_timeout * 1000)
    app = Application(
        broker_address=settings.kafka,
        consumer_group=settings.consumer_group,
        auto_offset_reset="earliest",
        commit_interval=CHECKPOINT_SECONDS,
        commit_every=TAKE * PARTITIONS,
        auto_create_topics=False,
        consumer_extra_config={
            "session.timeout.ms": session,
            "heartbeat.interval.ms": session // 3,
            "fetch.wait.max.ms": 50,
        },
        state_dir=str(settings.data_dir / "quix"),
        loglevel="WARNING",
    )
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    for agent in job(settings):
        topic = app.topic(agent.topic, key_deserializer="bytes", value_deserializer="bytes")
        app.dataframe(topic).sink(AgentSink(agent, loop))
    app.run()


if __name__ == "__main__":
    main()
