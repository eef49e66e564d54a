"""What tests of several parts share."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from raceline.embedded.broker import Broker


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
