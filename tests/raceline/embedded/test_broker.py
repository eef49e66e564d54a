"""The embedded broker."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from kafka import KafkaProducer

from raceline.embedded.broker import Broker, resident_bytes
from raceline.topics import create_topics, topic_names


def test_topics_are_created_once(tansu: Broker) -> None:
    create_topics(tansu.bootstrap, ["a", "b"], partitions=4)
    create_topics(tansu.bootstrap, ["b", "c"], partitions=4)
    assert topic_names(tansu.bootstrap) == ["a", "b", "c"]


def test_memory_is_that_of_the_records(tansu: Broker) -> None:
    before = tansu.memory_bytes()
    assert before > 1_000_000
    producer = KafkaProducer(bootstrap_servers=tansu.bootstrap)
    for _ in range(100):
        producer.send("memory", os.urandom(500_000))
    producer.flush()
    producer.close()
    assert tansu.memory_bytes() - before > 40_000_000


def test_fresh_start_is_empty(tmp_path: Path, free_port: Callable[[], int]) -> None:
    broker = Broker(free_port(), tmp_path / "broker.log")
    try:
        broker.start()
        create_topics(broker.bootstrap, ["a"], partitions=1)
        broker.stop()
        assert not broker.alive
        assert broker.memory_bytes() == 0
        broker.start()
        assert topic_names(broker.bootstrap) == []
    finally:
        broker.stop()


def test_port_of_somebody_else_is_refused(tansu: Broker, tmp_path: Path) -> None:
    second = Broker(tansu.port, tmp_path / "broker.log")
    with pytest.raises(OSError, match="in use"):
        second.start()
    assert second.pid is None


def test_process_that_is_gone_occupies_nothing() -> None:
    assert resident_bytes(2**22 + 1) == 0
