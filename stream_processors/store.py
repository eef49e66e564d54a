"""Reads and writes ClickHouse for the agents. All calls block a thread, never the event loop."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final, Protocol
from uuid import UUID

import clickhouse_connect
from clickhouse_connect.driver import httputil
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from stream_processors.settings import WorkerSettings
from stream_processors.tables import TABLES

Outage = ClickHouseError
QUERIES: Final = Path(__file__).resolve().parent.parent / "sql" / "queries"

Node = tuple[str, str]  # site_id, node
EventKey = tuple[str, UUID]  # site_id, event_id
Bucket = tuple[str, int, int]  # site_id, minute as epoch seconds, version of what is computed for it
Row = Sequence[Any]
Keys = Mapping[str, Sequence[str | int]]  # by parameter, lists side by side

# Every condition is on sorting keys, so rows that it drops need not be read for `final`.
_KEYS_FIRST: Final = {"optimize_move_to_prewhere_if_final": 1}
# Many small statements: sharing one out over threads costs more than it saves.
_ONE_THREAD: Final = {"max_threads": 1}
_SELECT_SETTINGS: Final = {**_ONE_THREAD, **_KEYS_FIRST}
# One insert of old events may touch many months; the default of 100 partitions is a guard for other uses.
_ANY_MONTHS: Final = {"max_partitions_per_insert_block": 0}
# A batch is an insert: without waiting for others, which servers do by default since 26.2.
_AT_ONCE: Final = {"async_insert": 0}
_INSERT_SETTINGS: Final = {**_ONE_THREAD, **_ANY_MONTHS, **_AT_ONCE, "input_format_parallel_parsing": 0}
# A ClickHouse server refuses parameters of more than 128 KiB (http_max_field_value_size); escaped, bytes may double.
_PARAMETER_BYTES: Final = 60_000
_LARGEST_RECEIVED: Final = (1 << 48) - 1


def event_version(revision: int, received_ms: int) -> int:
    """Of two copies the one of the later revision of rules wins, then the one that was received first."""
    return revision << 48 | _LARGEST_RECEIVED - received_ms


@cache
def query(name: str) -> str:
    return (QUERIES / f"{name}.sql").read_text()


def connect(settings: WorkerSettings) -> Client:
    """A client that may be used by several threads at once. Raises `ClickHouseError` when nobody answers."""
    return clickhouse_connect.get_client(
        dsn=settings.clickhouse_url,
        username=settings.clickhouse_user,
        password=settings.clickhouse_password.get_secret_value(),
        database=settings.clickhouse_database,
        autogenerate_session_id=False,
        form_encode_query_params=True,
        pool_mgr=httputil.get_pool_manager(maxsize=16, num_pools=4),
    )


class HasMinute(Protocol):
    @property
    def minute(self) -> int: ...  # epoch seconds


class Store:
    """The worker's side of the tables. Raises `Outage` when ClickHouse does not answer or refuses."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        self._client: Client | None = None

    async def insert(self, table: str, rows: Sequence[Row]) -> None:
        if rows:
            await asyncio.to_thread(self._insert, table, rows)

    async def first_times(self, events: Iterable[EventKey]) -> dict[EventKey, int]:
        """When events were first said to occur, for those that are stored: epoch ms. Looks through all events."""
        return await self._times("store.first_times", list(events))

    async def corrected_times(self, events: Iterable[EventKey]) -> dict[EventKey, int]:
        """The same for those whose time was corrected. Cheap: there are few."""
        return await self._times("store.corrected_times", list(events))

    async def _times(self, name: str, wanted: Sequence[EventKey]) -> dict[EventKey, int]:
        if not wanted:
            return {}
        keys: Keys = {"sites": [site for site, _ in wanted], "ids": [str(event_id) for _, event_id in wanted]}
        found = await self._select(name, keys)
        return {(site, event_id): occurred_ms for site, event_id, occurred_ms in found}

    async def history(self, nodes: Sequence[Node]) -> Sequence[Row]:
        return await self._select("store.history", _node_parameters(nodes))

    async def derived(self, nodes: Sequence[Node]) -> Sequence[Row]:
        return await self._select("store.derived", _node_parameters(nodes))

    async def marks(self, nodes: Sequence[Node]) -> Sequence[Row]:
        return await self._select("store.marks", _node_parameters(nodes))

    async def events(self, keys: Mapping[EventKey, HasMinute]) -> Sequence[Row]:
        """Whole events, by site and id and the minute that they are in."""
        if not keys:
            return []
        wanted: Keys = {
            "sites": [site for site, _ in keys],
            "minutes": [key.minute for key in keys.values()],
            "ids": [str(event_id) for _, event_id in keys],
        }
        return await self._select("store.events", wanted)

    async def recompute(self, buckets: Sequence[Bucket], lead_names: Sequence[str]) -> None:
        """In one statement."""
        parameters = {
            "sites": [site for site, _, _ in buckets],
            "minutes": [minute for _, minute, _ in buckets],
            "versions": [version for _, _, version in buckets],
            "lead_names": list(lead_names),
        }
        threads = _ONE_THREAD if len(buckets) == 1 else {}
        await asyncio.to_thread(self._command, "roll_up.recompute", parameters, threads)

    async def crossed(self, buckets: Sequence[Bucket]) -> set[tuple[str, int]]:
        """Those, by site and minute, whose rows are not all of one recomputation."""
        keys: Keys = {"sites": [site for site, _, _ in buckets], "minutes": [minute for _, minute, _ in buckets]}
        return {(site, minute) for site, minute in await self._select("roll_up.crossed", keys)}

    async def _select(self, name: str, keys: Keys) -> Sequence[Row]:
        """The rows for all keys, which stand in lists side by side."""
        return await asyncio.to_thread(lambda: [row for piece in pieces(keys) for row in self._query(name, piece)])

    def _query(self, name: str, parameters: Mapping[str, Any]) -> Sequence[Row]:
        return self._connected().query(query(name), parameters=dict(parameters), settings=_SELECT_SETTINGS).result_rows

    def _command(self, name: str, parameters: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
        settings = {**_ANY_MONTHS, **_KEYS_FIRST, **settings}
        self._connected().command(query(name), parameters=dict(parameters), settings=settings)

    def _insert(self, table: str, rows: Sequence[Row]) -> None:
        columns = TABLES[table]
        self._connected().insert(
            table,
            list(zip(*rows, strict=True)),
            column_names=list(columns),
            column_type_names=list(columns.values()),
            column_oriented=True,
            settings=_INSERT_SETTINGS,
        )

    def _connected(self) -> Client:
        if self._client is None:
            self._client = connect(self._settings)
        return self._client


def pieces(keys: Keys) -> Iterator[dict[str, list[str | int]]]:
    """Cut lists that stand side by side so that none of a piece is too long for a parameter."""
    start, sizes = 0, [0] * len(keys)
    for at, row in enumerate(zip(*keys.values(), strict=True)):
        lengths = [len(str(value).encode()) + 3 for value in row]  # with two quotes and a comma
        sizes = [size + length for size, length in zip(sizes, lengths, strict=True)]
        if at > start and max(sizes) > _PARAMETER_BYTES:
            yield {name: list(values[start:at]) for name, values in keys.items()}
            start, sizes = at, lengths
    yield {name: list(values[start:]) for name, values in keys.items()}


def _node_parameters(nodes: Sequence[Node]) -> Keys:
    return {"sites": [site for site, _ in nodes], "nodes": [node for _, node in nodes]}
