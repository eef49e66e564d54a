"""The worker's table of contents: which agent reads which topic."""

from collections.abc import AsyncIterator
from typing import Any

import faust
from mode import Service

from schemas.topics import BUCKETS, DEAD_LETTERS, EVENTS, PARTITIONS, PERSONS
from stream_processors import log, store
from stream_processors.classify import ClassifyAgent
from stream_processors.derive import DeriveAgent
from stream_processors.fetches import Handle, handle_fetches
from stream_processors.keep_dead_letters import KeepDeadLettersAgent
from stream_processors.roll_up import RollUpAgent
from stream_processors.settings import WorkerSettings
from stream_processors.transport import faust_settings, fetch_topic, install_transport
from stream_processors.watchdog import Limits, install_watchdog

# What one poll waits for more after its first record: enough to share a message, too little to be felt.
GATHER_SECONDS = 0.05
OUTAGES = (log.Outage, store.Outage)


def create_app(settings: WorkerSettings) -> Any:
    """A Faust app that is not started yet. Needs its topics to exist, and a migrated database."""
    app = faust.App(
        settings.consumer_group,
        broker=f"kafka://{settings.kafka.replace(',', ';kafka://')}",
        datadir=str(settings.data_dir / "faust"),
        **faust_settings(
            session_seconds=settings.session_timeout,
            rebalance_seconds=settings.session_timeout,
            heartbeat_seconds=settings.session_timeout / 3,
        ),
    )
    install_transport(app, gather_seconds=GATHER_SECONDS)
    install_watchdog(app, Limits())
    tables = store.Store(settings)
    topics = log.Log(settings.kafka, partitions=PARTITIONS)
    generation = settings.broker_generation

    app.service(_closing(topics))
    _agent(app, EVENTS.name, ClassifyAgent(tables, topics))
    _agent(app, PERSONS.name, DeriveAgent(tables, topics, generation), gather_seconds=0.1)
    _agent(app, BUCKETS.name, RollUpAgent(tables, generation), gather_seconds=settings.roll_up_seconds)
    _agent(app, DEAD_LETTERS.name, KeepDeadLettersAgent(tables))
    return app


def _agent(app: Any, topic: str, handle: Handle, *, gather_seconds: float = 0.0) -> None:
    async def agent(stream: AsyncIterator[Any]) -> None:
        await handle_fetches(stream, handle, app=app, outages=OUTAGES, gather_seconds=gather_seconds)

    app.agent(fetch_topic(app, topic), name=topic)(agent)


def _closing(topics: log.Log) -> type[Service]:
    """Closes the producer after the agents have stopped: services stop in the reverse order of their start."""

    class Closing(Service):
        async def on_stop(self) -> None:
            await topics.stop()

    return Closing
