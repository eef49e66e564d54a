"""A collector on a real port, with a publisher that only remembers what it was given."""

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from producers.delivery import Delivery
from producers.publisher import OutgoingRecord, Publisher, PublisherOptions, PublishFailed
from producers.spool import Spool, SpoolOptions, read_events, segments
from producers.website.body import BodyLimits
from producers.website.collector import Collector, create_app
from schemas.topics import DEAD_LETTERS

SECRET = b"a secret of tests"


class RememberingPublisher(Publisher):
    """Kafka that is up or down as the test says."""

    def __init__(self) -> None:
        super().__init__(PublisherOptions("127.0.0.1:1"))
        self.up = True
        self.taken: list[OutgoingRecord] = []

    def start(self) -> None:
        pass

    @property
    def connected(self) -> bool:
        return self.up

    @property
    def outage(self) -> str | None:
        return None if self.up else "down"

    def enqueue(self, records: Sequence[OutgoingRecord], timeout: float = 0) -> None:
        self.taken += records

    async def publish(self, records: Sequence[OutgoingRecord], timeout: float | None = None) -> None:
        if not self.up:
            raise PublishFailed("down")
        self.taken += records

    def values(self, topic: str) -> list[dict[str, Any]]:
        return [json.loads(record.value) for record in self.taken if record.topic == topic]


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Served:
    port: int
    collector: Collector
    publisher: RememberingPublisher
    folder: Path

    def request(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            response = connection.getresponse()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()

    def post(self, sent: object, path: str = "/v1/events?key=demo", **headers: str) -> Answer:
        return self.request("POST", path, sent if isinstance(sent, bytes) else json.dumps(sent).encode(), **headers)

    def spooled(self) -> list[dict[str, Any]]:
        return [json.loads(line) for segment in segments(self.folder) for line in read_events(segment)]

    def dead_letters(self) -> list[dict[str, Any]]:
        return self.publisher.values(DEAD_LETTERS.name)


@dataclass
class Serving:
    """Starts collectors; ends them all."""

    folder: Path
    running: list[tuple[uvicorn.Server, threading.Thread]] = field(default_factory=list)

    def __call__(self, mode: Any = "always", max_bytes: int = 10_000_000, limits: BodyLimits | None = None) -> Served:
        publisher = RememberingPublisher()
        delivery = Delivery(publisher, Spool(SpoolOptions(self.folder, "website", max_bytes)), self.folder, mode)
        collector = Collector(delivery, SECRET, limits=limits or BodyLimits())
        config = uvicorn.Config(
            create_app(collector), port=0, lifespan="on", log_level="warning", proxy_headers=False, ws="none"
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run)
        thread.start()
        self.running.append((server, thread))
        deadline = time.monotonic() + 10
        while not server.started:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        return Served(server.servers[0].sockets[0].getsockname()[1], collector, publisher, self.folder)

    def end(self) -> None:
        for server, thread in self.running:
            server.should_exit = True
            thread.join(10)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    serving = Serving(tmp_path / "spool")
    yield serving
    serving.end()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One collector for a module's tests that look at their own events only."""
    serving = Serving(tmp_path_factory.mktemp("collector") / "spool")
    yield serving()
    serving.end()
