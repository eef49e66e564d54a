"""What tests of several parts share."""

import gc
import socket
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

with warnings.catch_warnings():  # kafka-python reads its message schemas in a deprecated way while it is imported
    warnings.simplefilter("ignore", DeprecationWarning)
    import kafka.admin  # noqa: F401

from raceline.embedded.broker import Broker
from raceline.embedded.clickhouse import ClickHouse


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    """A function that finds a port nobody listens on."""
    return _free_port


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
    broker = Broker(_free_port(), tmp_path_factory.mktemp("broker") / "broker.log")
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture(scope="session")
def clickhouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouse]:
    """A running embedded ClickHouse, shared by the whole run: a test works in a database of its own."""
    server = ClickHouse(tmp_path_factory.mktemp("clickhouse") / "data", _free_port())
    server.start()
    yield server
    server.stop()


@pytest.fixture
def collected_sockets() -> Iterator[None]:
    """kafka-python (3.0.12) leaves the sockets of refused connections to the garbage collector: it comes here, while
    the filter `ignore:unclosed <socket:ResourceWarning` of the test still stands."""
    yield
    gc.collect()
