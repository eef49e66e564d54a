"""`raceline migrate` on a Kafka of one's own; the database is what every end-to-end test starts with."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from raceline.embedded.broker import Broker
from raceline.migrate import migrate_topics
from raceline.settings import CommandSettings
from raceline.topics import topic_names
from schemas.topics import TOPICS

ALL = [topic.name for topic in TOPICS]


@pytest.fixture
def kafka(tmp_path: Path) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    broker = Broker(port, tmp_path / "broker.log")
    broker.start()
    yield broker.bootstrap
    broker.stop()


def test_the_topics_are_created_once(kafka: str) -> None:
    settings = CommandSettings(kafka=kafka)
    assert migrate_topics(settings) == ALL
    assert topic_names(kafka) == sorted(ALL)
    assert migrate_topics(settings) == []


def test_a_dry_run_names_them_only(kafka: str) -> None:
    assert migrate_topics(CommandSettings(kafka=kafka), dry_run=True) == ALL
    assert topic_names(kafka) == []


def test_no_kafka_is_said_in_a_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with pytest.raises(ConnectionError, match=f"Kafka at 127.0.0.1:{port} does not answer"):
        migrate_topics(CommandSettings(kafka=f"127.0.0.1:{port}"))
