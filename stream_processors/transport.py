"""How a Faust app gets the receive path of `consumer`: its transport, its topics and its settings."""

from collections.abc import Callable
from typing import Any, Final

from faust.transport.drivers import aiokafka as driver
from mode import CrashingSupervisor

from stream_processors.consumer import FetchConsumer, Gathering
from stream_processors.watchdog import Progress

_THIRTY_DAYS: Final = 30 * 86400.0


def _nothing() -> None: ...


class FetchTransport(driver.Transport):
    """Faust's Kafka transport with our consumer. `progress` shows the watchdog what the worker does."""

    Consumer = FetchConsumer

    def __init__(self, app: Any, gathering: Gathering, progress: Progress) -> None:
        super().__init__(app.conf.broker_consumer, app)
        self.gathering = gathering
        self.progress = progress
        self.consumer: FetchConsumer | None = None  # once there is one
        self.on_start: Callable[[], None] = _nothing


def install_transport(app: Any, *, gather_seconds: float = 0.2, max_records: int = 4000) -> Progress:
    """Make `app` receive whole fetches. Call it before any topic or agent is declared.

    Polls gather for up to `gather_seconds` or `max_records`. Returns what the watchdog watches.
    """
    progress = Progress()
    app.transport = FetchTransport(app, Gathering(gather_seconds, max_records), progress)
    return progress


def fetch_topic(app: Any, name: str) -> Any:
    """A topic whose events hold a `Fetch`. It must exist; Faust does not declare it."""
    return app.topic(name, key_serializer="raw", value_serializer="raw")  # leaves the Fetch alone


def faust_settings(
    *, session_seconds: float = 10.0, rebalance_seconds: float = 30.0, heartbeat_seconds: float = 3.0
) -> dict[str, Any]:
    """The settings that the receive path is only safe with, or fast with; pass them to `faust.App`.

    The embedded broker wants session 6, rebalance 6 and heartbeat 2: it lets a member join only after half of the
    session. The worker command needs `--without-web` besides, since it overrides `web_enabled`.
    """
    return {
        # With True a rebalance waits for the fetch in process, so an outage of the sink stops the whole group. False is
        # only safe with manual acknowledgements, which `handle_fetches` makes.
        "stream_wait_empty": False,
        # A consumer that is idle for longer leaves the group and never comes back, and waiting for a sink is idle. 0
        # would mean always idle.
        "broker_max_poll_interval": _THIRTY_DAYS,
        # A limit counts over all partitions in a fixed order, and starves the last ones.
        "broker_max_poll_records": None,
        "broker_session_timeout": session_seconds,  # until a killed worker's partitions move
        "broker_rebalance_timeout": rebalance_seconds,
        "broker_heartbeat_interval": heartbeat_seconds,
        "broker_commit_interval": 0.5,  # bounds what is repeated after a kill
        "consumer_auto_offset_reset": "earliest",  # the consumer takes "nothing committed" for the beginning
        "consumer_metadata_max_age_ms": 10_000,  # until a worker sees topics that were created after its start
        "consumer_max_fetch_size": 1024 * 1024,  # per partition, compressed
        "stream_buffer_maxsize": 32,  # whole fetches, over all partitions of a topic
        # An exception that is no outage is a bug: exit with code 1 and without acknowledging, instead of restarting
        # the agent, which would never be offered that fetch again.
        "agent_supervisor": CrashingSupervisor,
        # Every commit flushes the producer first: a stuck one must fail, not hold the commits for 20 minutes.
        "producer_request_timeout": 30.0,
        "producer_acks": -1,
        "producer_linger": 0.02,
        "producer_max_batch_size": 256 * 1024,
        "producer_compression_type": "lz4",  # the codec that all our clients can read
        "topic_disable_leader": True,  # no topic for a feature that is not used
        "topic_allow_declare": False,  # topics are created with the schema, not by whoever comes first
        "web_enabled": False,
        "store": "memory://",  # workers keep no state
        "worker_redirect_stdouts": False,
    }
