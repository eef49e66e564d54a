"""The engine of one data directory: opens it for this process alone, and lends connections to queries."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from raceline.embedded.clickhouse.connection import Connection
from raceline.embedded.clickhouse.profile import write_configuration
from raceline.embedded.clickhouse.query import Query
from raceline.embedded.clickhouse.sessions import Sessions


class DirectoryInUseError(Exception):
    """Another server has the data directory open."""


class Engine:
    """Blocks while the data directory is opened. Raises DirectoryInUseError if another process has it.

    What a query of a session sets stays for that session; every other query has a connection to itself, which costs
    half a millisecond and leaves nothing behind.
    """

    def __init__(self, data_dir: Path, memory_ratio: float) -> None:
        self.data_dir = data_dir.resolve()
        self.bodies = self.data_dir / "bodies"
        self.bodies.mkdir(parents=True, exist_ok=True)
        self._lock_file = _lock(self.data_dir)
        for left_behind in self.bodies.iterdir():
            left_behind.unlink()
        config = write_configuration(self.data_dir, memory_ratio)
        self._address = f"{self.data_dir}?config-file={config}"
        self._first = Connection(self._address)
        self._own_default_database()
        self.version = self._first.run(b"SELECT version()", "TabSeparatedRaw", {})[0].decode().strip()
        self._sessions = Sessions(self._connect)

    def _own_default_database(self) -> None:
        """The engine always starts with a `default` that also shows this machine's files, hiding the one stored
        here. With files forbidden that one only fails, so the plain database takes its place. An empty one is made
        anew: the engine knows the id of a stored database only by its tables, and does not find an empty one."""
        stored = any((self.data_dir / "metadata" / "default").glob("*.sql"))
        steps = (
            ("DETACH DATABASE default", "ATTACH DATABASE default")
            if stored
            else ("DROP DATABASE default", "CREATE DATABASE default ENGINE = Atomic")
        )
        for step in steps:
            self._first.run(step.encode(), "Null", {})

    def _connect(self) -> Connection:
        return Connection(self._address)

    @contextmanager
    def connection(self, query: Query, now: float) -> Iterator[Connection]:
        """A connection set up as the query asks. A readonly query never runs in its session, since a session could
        not become writable again; it sees the database, not the session's temporary tables."""
        if query.session_id and query.readonly == "0":
            with self._sessions.borrow(query, now) as connection:
                yield connection
            return
        connection = self._connect()
        try:
            if query.database:
                connection.use(query.database)
            connection.set(query.settings)
            if query.readonly != "0":
                connection.set({"readonly": query.readonly})
            yield connection
        finally:
            connection.close()

    def close(self) -> None:
        """Close what is open; the engine writes what it holds and ends."""
        self._sessions.close()
        self._first.close()
        self._lock_file.close()


def _lock(data_dir: Path) -> IO[str]:
    file = (data_dir / "server.lock").open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        owner = file.read().strip()
        file.close()
        raise DirectoryInUseError(f"{data_dir} is already served by process {owner or 'unknown'}") from None
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file
