"""Creates what the pipeline needs of a Kafka: the embedded one at each start, your own by `raceline migrate`."""

import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError, TopicAlreadyExistsError

_ADMIN_TIMEOUT_MS = 10_000
_CLUSTERS_OWN = -1  # replication: what the cluster is configured for
# Of a batch, which may be one record: above what producers (1 MiB) and workers (2 MiB) send at most.
_LARGEST_BATCH = 2 * 1024 * 1024 + 1024


def create_topics(bootstrap: str, topics: Iterable[str], partitions: int) -> None:
    """Creates the topics that do not exist yet; blocks until they can be used. Raises ConnectionError on an outage."""
    with _admin(bootstrap) as admin:
        existing = _counts(admin)
        for name in topics:
            if name not in existing:
                _create(admin, name, partitions)


def partition_counts(bootstrap: str) -> dict[str, int]:
    """The topics that exist, and of how many partitions. Raises ConnectionError on an outage."""
    with _admin(bootstrap) as admin:
        return _counts(admin)


def topic_names(bootstrap: str) -> list[str]:
    """The topics that exist. Raises ConnectionError on an outage."""
    return sorted(partition_counts(bootstrap))


@contextmanager
def _admin(bootstrap: str) -> Iterator[KafkaAdminClient]:
    addresses = bootstrap.split(",")
    # A client whose first connection fails leaks its sockets (kafka-python 3.0.12).
    if not any(_listens(address) for address in addresses):
        raise ConnectionError(f"Kafka at {bootstrap} does not answer: nobody listens there")
    try:
        admin = KafkaAdminClient(bootstrap_servers=addresses, bootstrap_timeout_ms=_ADMIN_TIMEOUT_MS)
        try:
            yield admin
        finally:
            admin.close()
    except KafkaError as problem:
        raise ConnectionError(f"Kafka at {bootstrap} does not answer: {problem}") from problem


def _listens(address: str) -> bool:
    host, _, port = address.strip().rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=2.0).close()
    except OSError:
        return False
    return True


def _counts(admin: KafkaAdminClient) -> dict[str, int]:
    """Without topics that are just being made or deleted: their partitions say nothing."""
    return {topic["name"]: len(topic["partitions"]) for topic in admin.describe_topics() if not topic["error_code"]}


def _create(admin: KafkaAdminClient, name: str, partitions: int) -> None:
    options = {
        "num_partitions": partitions,
        "replication_factor": _CLUSTERS_OWN,
        "configs": {"max.message.bytes": str(_LARGEST_BATCH)},
    }
    with suppress(TopicAlreadyExistsError):  # somebody else was quicker
        admin.create_topics({name: options}, timeout_ms=_ADMIN_TIMEOUT_MS)
    admin.wait_for_topics([name], timeout_ms=_ADMIN_TIMEOUT_MS)
