"""One stack of each form for all end-to-end tests that do not have to break it."""

from collections.abc import Iterator

import pytest
from apache_kafka import ApacheKafka
from brokers import KINDS
from running_stack import RunningStack, running
from separate_stack import running_separately


@pytest.fixture(scope="session", params=KINDS)
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """Two workers, on the embedded broker or on Apache Kafka. Tests share it, each with site ids of its own."""
    folder = tmp_path_factory.mktemp("stack")
    if request.param == "tansu":
        with running(folder, workers=2) as embedded:
            yield embedded
    else:
        kafka = ApacheKafka(request.getfixturevalue("kafka_installation"), folder / "kafka")
        with running_separately(kafka, folder, workers=2) as separate:
            yield separate
