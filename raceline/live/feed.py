"""One poller for each site and range that somebody looks at, however many look."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import orjson

from raceline.database import DatabaseError
from raceline.live.period import Minutes
from raceline.live.reader import Reader
from raceline.live.snapshot import Json, snapshot_of

log = logging.getLogger(__name__)

Key = tuple[str | None, Minutes]
Trouble = Literal["unavailable", "slow", "internal"]

_POLL_SECONDS: Final = 0.5
_SENT_SECONDS: Final = 1.0  # at least, between two snapshots
# Waiting is this multiple of the time that reading took, so that a page never takes more than a third of ClickHouse.
_REST: Final = 2.0
_LONGEST_REST: Final = 5.0
# Some numbers change without an event, by time alone.
_STALE_SECONDS: Final = 10.0
_SLOW_SECONDS: Final = 10.0
_STOP_CHECK_SECONDS: Final = 0.2


@dataclass(frozen=True)
class Update:
    number: int
    kind: Literal["snapshot", "trouble"]
    body: bytes


@dataclass
class Feed:
    """Reads a snapshot when its fingerprint has changed and publishes it when it differs from the last."""

    reader: Reader
    key: Key
    pool: ThreadPoolExecutor
    viewers: int = 0
    latest: Update | None = field(default=None, init=False)
    _published: Json | None = field(default=None, init=False)
    _fingerprint: object = field(default=None, init=False)
    _read_at: float = field(default=0.0, init=False)
    _changed: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    async def run(self) -> None:
        """Until it is cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            started, before = loop.time(), self.latest
            await self._poll(loop)
            took = loop.time() - started
            pace = _POLL_SECONDS if self.latest is before else _SENT_SECONDS
            await asyncio.sleep(max(pace - took, min(took * _REST, _LONGEST_REST)))

    async def after(self, number: int, seconds: float, stopping: Callable[[], bool]) -> Update | None:
        """The first update after that number; None when there is none in this time or the server stops."""
        deadline = asyncio.get_running_loop().time() + seconds
        while self.latest is None or self.latest.number <= number:
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0 or stopping():
                return None
            changed = self._changed
            with suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), min(left, _STOP_CHECK_SECONDS))
        return self.latest

    async def _poll(self, loop: asyncio.AbstractEventLoop) -> None:
        due = self._fingerprint if loop.time() - self._read_at < _STALE_SECONDS else None
        reading = loop.run_in_executor(self.pool, self._read, due)
        try:
            done, _ = await asyncio.wait({reading}, timeout=_SLOW_SECONDS)
            if not done:
                self._publish_trouble("slow")
            fingerprint, snapshot = await reading
        except DatabaseError as error:
            log.warning("the live page cannot read: %s", error)
            self._publish_trouble("unavailable")
        except Exception:
            log.exception("the live page cannot be made")
            self._publish_trouble("internal")
        else:
            if snapshot is not None:
                self._fingerprint, self._read_at = fingerprint, loop.time()
                self._publish_snapshot(snapshot)

    def _read(self, known: object) -> tuple[object, Json | None]:
        view = self.reader.view(*self.key)
        fingerprint = self.reader.fingerprint(view)
        return fingerprint, None if fingerprint == known else snapshot_of(self.reader, view)

    def _publish_snapshot(self, snapshot: Json) -> None:
        content = {name: value for name, value in snapshot.items() if name != "generated_at"}
        if content != self._published:
            self._published = content
            self._publish("snapshot", snapshot)

    def _publish_trouble(self, reason: Trouble) -> None:
        content = {"reason": reason}
        self._fingerprint = None
        if content != self._published:
            self._published = content
            self._publish("trouble", content)

    def _publish(self, kind: Literal["snapshot", "trouble"], content: dict[str, Any]) -> None:
        number = self.latest.number + 1 if self.latest else 1
        self.latest = Update(number, kind, orjson.dumps(content))
        self._changed.set()
        self._changed = asyncio.Event()


@dataclass
class Feeds:
    reader: Reader
    # Of its own, so that a slow ClickHouse does not take the threads of whoever receives events in this process.
    pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(2, thread_name_prefix="live"))
    _open: dict[Key, tuple[Feed, asyncio.Task[None]]] = field(default_factory=dict, init=False)

    @asynccontextmanager
    async def watch(self, key: Key) -> AsyncIterator[Feed]:
        """The shared feed, which ends when its last viewer has left."""
        feed, task = self._open.get(key) or self._start(key)
        feed.viewers += 1
        try:
            yield feed
        finally:
            feed.viewers -= 1
            if not feed.viewers:
                del self._open[key]
                task.cancel()

    def _start(self, key: Key) -> tuple[Feed, asyncio.Task[None]]:
        feed = Feed(self.reader, key, self.pool)
        self._open[key] = (feed, asyncio.create_task(feed.run(), name=f"live {key}"))
        return self._open[key]
