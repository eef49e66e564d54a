"""`raceline migrate` on a Kafka of one's own; the database is what every end-to-end test starts with."""

import secrets
import socket
from typing import Any

import pytest
from apache_kafka import ApacheKafka
from brokers import AnyBroker
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient
from kafka.errors import UnknownTopicOrPartitionError

from raceline import migrate
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
    with pytest.raises(MigrationError, match=r"must have 4 partitions, race\.events has 1\. Kafka") as told:
        migrate_topics(CommandSettings(kafka=kafka))
    assert "RACELINE_BROKER_GENERATION raised by one" in str(told.value), "else new versions fall below the stored ones"
    assert topic_names(kafka) == [EVENTS.name, PERSONS.name]


def test_topics_that_somebody_else_makes_meanwhile_are_looked_at(kafka: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def created_by_another(bootstrap: str, names: list[str], partitions: int) -> None:
        create_topics(bootstrap, [EVENTS.name], 1)
        create_topics(bootstrap, names, partitions)

    monkeypatch.setattr(migrate, "create_topics", created_by_another)
    with pytest.raises(MigrationError, match=r"race\.events has 1"):
        migrate_topics(CommandSettings(kafka=kafka))


def test_a_topic_with_an_error_is_none(kafka: str, monkeypatch: pytest.MonkeyPatch) -> None:
    create_topics(kafka, [EVENTS.name, PERSONS.name], PARTITIONS)
    describe = KafkaAdminClient.describe_topics

    def deleting(admin: KafkaAdminClient) -> list[dict[str, Any]]:
        gone = {"error_code": UnknownTopicOrPartitionError.errno, "partitions": []}
        return [topic | (gone if topic["name"] == EVENTS.name else {}) for topic in describe(admin)]

    monkeypatch.setattr(KafkaAdminClient, "describe_topics", deleting)
    assert partition_counts(kafka) == {PERSONS.name: PARTITIONS}


def test_created_topics_take_what_workers_send_at_once(apache_kafka: ApacheKafka) -> None:
    create_topics(apache_kafka.bootstrap, ["roomy"], 1)
    producer = KafkaProducer(
        bootstrap_servers=apache_kafka.bootstrap, max_request_size=1 << 22, compression_type=None, retries=0
    )
    assert producer.send("roomy", secrets.token_bytes(2 * 1024 * 1024)).get(timeout=20).offset == 0
    producer.close()


def test_no_kafka_is_said_in_a_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with pytest.raises(ConnectionError, match=f"Kafka at 127.0.0.1:{port} does not answer"):
        migrate_topics(CommandSettings(kafka=f"127.0.0.1:{port}"))
