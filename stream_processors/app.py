"""The worker's table of contents: which agent reads which topic."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Any

import faust
from mode import Service, loop

from schemas.topics import BUCKETS, DEAD_LETTERS, EVENTS, PARTITIONS, PERSONS
from stream_processors import log, store
from stream_processors.classify import ClassifyAgent
from stream_processors.derive import DeriveAgent
from stream_processors.fetches import Handle, handle_fetches
from stream_processors.keep_dead_letters import KeepDeadLettersAgent
from stream_processors.roll_up import Recent, RollUpAgent
from stream_processors.settings import WorkerSettings
from stream_processors.transport import faust_settings, fetch_topic, install_transport
from stream_processors.watchdog import Limits, install_watchdog

# What one poll waits for more after its first record: enough to share a message, too little to be felt.
GATHER_SECONDS = 0.05
OLD_MINUTES = 4  # times as long as the newest one may wait
OUTAGES = (log.Outage, store.Outage)


@dataclass(frozen=True)
class Agent:
    """What reads a topic: whole fetches, all that arrive within `gather_seconds` at once."""

    topic: str
    handle: Handle
    gather_seconds: float = 0.0


def agents(settings: WorkerSettings, topics: log.Log) -> list[Agent]:
    tables = store.Store(settings)
    generation = settings.broker_generation
    return [
        Agent(EVENTS.name, ClassifyAgent(tables, topics), gather_seconds=0.3),
        Agent(PERSONS.name, DeriveAgent(tables, topics, generation), gather_seconds=0.2),
        Agent(
            BUCKETS.name,
            RollUpAgent(tables, generation, Recent(OLD_MINUTES * settings.roll_up_seconds)),
            gather_seconds=settings.roll_up_seconds,
        ),
        Agent(DEAD_LETTERS.name, KeepDeadLettersAgent(tables)),
    ]


def create_app(settings: WorkerSettings) -> Any:
    """A Faust app that is not started yet. Needs its topics to exist, and a migrated database."""
    loop.use("uvloop")
    topics = log.Log(settings.kafka, partitions=PARTITIONS)
    app = app_of(agents(settings, topics), settings)
    app.service(_closing(topics))
    return app


def app_of(agents: Iterable[Agent], settings: WorkerSettings) -> Any:
    """A Faust app that runs these agents on our receive path."""
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
    for agent in agents:
        _declare(app, agent)
    return app


def _declare(app: Any, agent: Agent) -> None:
    async def run(stream: AsyncIterator[Any]) -> None:
        await handle_fetches(stream, agent.handle, app=app, outages=OUTAGES, gather_seconds=agent.gather_seconds)

    app.agent(fetch_topic(app, agent.topic), name=agent.topic)(run)


def _closing(topics: log.Log) -> type[Service]:
    """Closes the producer after the agents have stopped: services stop in the reverse order of their start."""

    class Closing(Service):
        async def on_stop(self) -> None:
            await topics.stop()

    return Closing
