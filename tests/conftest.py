"""What tests of several parts share."""

import gc
import logging
import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

with warnings.catch_warnings():  # kafka-python reads its message schemas in a deprecated way while it is imported
    warnings.simplefilter("ignore", DeprecationWarning)
    import kafka.admin  # noqa: F401

import ports
from apache_kafka import ApacheKafka, ApacheKafkaMissingError, Installation, installation
from brokers import KINDS, AnyBroker
from browser import launched

from raceline.embedded.broker import Broker
from raceline.embedded.clickhouse import ClickHouse

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# As the command line does; and pytest keeps what is logged, with the sockets in its tracebacks.
logging.getLogger("kafka").setLevel(logging.CRITICAL)


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    """A function that finds a port nobody listens on."""
    return ports.free_port


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The recorded data beside the repository."""
    path = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not path.is_dir():
        pytest.skip("needs ../shared/data, which a clone does not have")
    return path


@pytest.fixture(scope="module")
def tansu(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A running embedded broker, empty at the start of each test module."""
    broker = Broker(ports.free_port(), tmp_path_factory.mktemp("broker") / "broker.log")
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture(scope="session")
def kafka_installation() -> Installation:
    """What Apache Kafka runs from, fetched when it is needed for the first time. Tests that need it are skipped where
    it cannot be had, or fail with RACELINE_REQUIRE_KAFKA=1."""
    try:
        return installation()
    except ApacheKafkaMissingError as missing:
        if os.environ.get("RACELINE_REQUIRE_KAFKA") == "1":
            pytest.fail(str(missing), pytrace=False)
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def apache_kafka(kafka_installation: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApacheKafka]:
    """A running Apache Kafka, shared by the whole run: a test uses topics and groups of its own."""
    broker = ApacheKafka(kafka_installation, tmp_path_factory.mktemp("apache-kafka"))
    broker.start()
    yield broker
    broker.kill()


@pytest.fixture(scope="module", params=KINDS)
def broker(request: pytest.FixtureRequest) -> AnyBroker:
    """A running broker of either kind, for tests with topics and groups of their own."""
    found: AnyBroker = request.getfixturevalue("tansu" if request.param == "tansu" else "apache_kafka")
    return found


@pytest.fixture(params=KINDS)
def stopped_broker(request: pytest.FixtureRequest, tmp_path: Path, free_port: Callable[[], int]) -> Iterator[AnyBroker]:
    """A broker of either kind that a test has for itself and starts when it wants to."""
    made: AnyBroker
    if request.param == "tansu":
        made = Broker(free_port(), tmp_path / "broker.log")
    else:
        made = ApacheKafka(request.getfixturevalue("kafka_installation"), tmp_path / "apache-kafka")
    yield made
    made.stop(0.2)


@pytest.fixture(scope="session")
def clickhouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouse]:
    """A running embedded ClickHouse, shared by the whole run: a test works in a database of its own."""
    server = ClickHouse(tmp_path_factory.mktemp("clickhouse") / "data", ports.free_port())
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """The system's Chromium; see tests/support/browser.py."""
    with launched() as chromium:
        yield chromium


@pytest.fixture
def collected_sockets() -> Iterator[None]:
    """kafka-python (3.0.12) leaves the sockets of refused connections to the garbage collector: it comes here, while
    the filter `ignore:unclosed <socket:ResourceWarning` of the test still stands."""
    yield
    gc.collect()
