"""Sessions: a connection that a client names, so that its SET, USE and temporary tables last from query to query."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from raceline.embedded.clickhouse.connection import Connection
from raceline.embedded.clickhouse.errors import SESSION_IS_LOCKED, refusal
from raceline.embedded.clickhouse.query import Query

_IDLE_SECONDS = 60.0
_MOST_SESSIONS = 256


@dataclass
class _Session:
    connection: Connection
    idle_since: float
    busy: bool = False
    database: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)

    def prepare(self, query: Query) -> None:
        """Apply the request's own database and settings; those of the request before are taken back."""
        if query.database and query.database != self.database:
            self.connection.use(query.database)
            self.database = query.database
        if query.settings != self.settings:
            self.connection.reset(set(self.settings) - set(query.settings))
            self.settings = {}
            self.connection.set(query.settings)
            self.settings = dict(query.settings)


class Sessions:
    """All sessions of the server. An idle one ends after a minute, or when too many others are newer."""

    def __init__(self, connect: Callable[[], Connection]) -> None:
        self._connect = connect
        self._lock = threading.Lock()
        self._by_id: dict[str, _Session] = {}

    @contextmanager
    def borrow(self, query: Query, now: float) -> Iterator[Connection]:
        """The session's connection. Raises QueryFailedError while another query of the session runs."""
        session = self._take(query.session_id, now)
        try:
            session.prepare(query)
            yield session.connection
        finally:
            session.idle_since = now
            session.busy = False

    def _take(self, session_id: str, now: float) -> _Session:
        with self._lock:
            self._end_idle(now)
            session = self._by_id.pop(session_id, None) or _Session(self._connect(), now)
            self._by_id[session_id] = session  # newest last
            if session.busy:
                raise refusal(SESSION_IS_LOCKED, f"Session {session_id[:64]} is locked by a concurrent client")
            session.busy = True
            return session

    def _end_idle(self, now: float) -> None:
        too_many = len(self._by_id) - _MOST_SESSIONS
        idle = [name for name, session in self._by_id.items() if not session.busy]
        for index, name in enumerate(idle):
            if index < too_many or now - self._by_id[name].idle_since > _IDLE_SECONDS:
                self._by_id.pop(name).connection.close()

    def close(self) -> None:
        """End all of them."""
        with self._lock:
            for session in self._by_id.values():
                session.connection.close()
            self._by_id.clear()
