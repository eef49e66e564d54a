"""`raceline migrate` on a Kafka of one's own; the database is what every end-to-end test starts with."""

import socket

import pytest
from brokers import AnyBroker

from raceline.migrate import MigrationError, migrate_topics
from raceline.settings import CommandSettings
from raceline.topics import create_topics, partition_counts, topic_names
from schemas.topics import EVENTS, PARTITIONS, PERSONS, TOPICS

ALL = [topic.name for topic in TOPICS]


@pytest.fixture
def kafka(stopped_broker: AnyBroker) -> str:
    stopped_broker.start()
    return stopped_broker.bootstrap


def test_the_topics_are_named_by_a_dry_run_and_created_once(kafka: str) -> None:
    settings = CommandSettings(kafka=kafka)
    assert migrate_topics(settings, dry_run=True) == ALL
    assert topic_names(kafka) == []
    assert migrate_topics(settings) == ALL
    assert partition_counts(kafka) == dict.fromkeys(ALL, PARTITIONS)
    assert migrate_topics(settings) == []


def test_topics_of_another_number_of_partitions_are_refused(kafka: str) -> None:
    create_topics(kafka, [EVENTS.name], 1)
    create_topics(kafka, [PERSONS.name], PARTITIONS)
    with pytest.raises(MigrationError, match=r"must have 4 partitions, race\.events has 1\. Kafka"):
        migrate_topics(CommandSettings(kafka=kafka))
    assert topic_names(kafka) == [EVENTS.name, PERSONS.name]


def test_no_kafka_is_said_in_a_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with pytest.raises(ConnectionError, match=f"Kafka at 127.0.0.1:{port} does not answer"):
        migrate_topics(CommandSettings(kafka=f"127.0.0.1:{port}"))
