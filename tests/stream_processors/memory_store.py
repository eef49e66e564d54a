"""The tables in memory, as far as the agents see them: fast enough for thousands of runs, and to shrink a failing one.

A bucket's KPI rows are what they are computed from: the events of each group. The engine itself is put to the same test
with fewer runs.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from schemas.touches import order_node, user_node, visitor_node
from stream_processors.changes import COUNTED
from stream_processors.race.facts import Fact
from stream_processors.race.history import Derived
from stream_processors.race.rules import ORDER_NAMES
from stream_processors.store import Bucket, HasMinute, Node, Row, Store
from stream_processors.tables import TABLES

Key = tuple[Any, ...]
_KEYS = {
    "events": ("site_id", "minute", "event_id"),
    "derived": ("site_id", "minute", "event_id"),
    "dead_letters": ("dead_letter_id",),
    "barriers": ("barrier_id", "path"),
}
_GROUPS = ("channel", "media", "campaign", "device", "country")

Step = Callable[[str], Awaitable[None]]


async def at_once(operation: str) -> None:
    """Nothing happens in between."""


class MemoryStore(Store):
    """Tables that replace a row by one of the same key whose version is not lower."""

    def __init__(self, meanwhile: Step = at_once) -> None:
        self._meanwhile = meanwhile
        self.tables: dict[str, dict[Key, dict[str, Any]]] = {name: {} for name in TABLES}
        self.kpis: dict[Key, tuple[int, frozenset[Key]]] = {}

    def stepped(self, step: Step) -> "MemoryStore":
        """The same tables, for somebody whose statements take their time."""
        found = MemoryStore(step)
        found.tables, found.kpis = self.tables, self.kpis
        return found

    async def insert(self, table: str, rows: Sequence[Row]) -> None:
        for values in rows:
            row = dict(zip(TABLES[table], values, strict=True))
            key = tuple(row[name] for name in _KEYS[table])
            before = self.tables[table].get(key)
            if before is None or row.get("version", 0) >= before.get("version", 0):
                self.tables[table][key] = row

    async def first_times(self, events: Iterable[tuple[str, UUID]]) -> dict[tuple[str, UUID], int]:
        wanted = set(events)
        return {
            (row["site_id"], row["event_id"]): _ms(row["occurred_at"])
            for row in self._live("events")
            if (row["site_id"], row["event_id"]) in wanted
        }

    async def corrected_times(self, events: Iterable[tuple[str, UUID]]) -> dict[tuple[str, UUID], int]:
        corrected = {(row["site_id"], row["event_id"]) for row in self._live("events") if row["clock_corrected"]}
        return await self.first_times(corrected & set(events))

    async def history(self, nodes: Sequence[Node]) -> Sequence[Row]:
        wanted = set(nodes)
        return [
            (row["site_id"], node, row["version"], *_fact(row))
            for row in self._live("events")
            for node in _nodes(row)
            if (row["site_id"], node) in wanted
        ]

    async def marks(self, nodes: Sequence[Node]) -> Sequence[Row]:
        found: dict[Node, list[int]] = {}
        for site_id, node, version, *_ in await self.history(nodes):
            found.setdefault((site_id, node), []).append(version)
        return [(*node, len(versions), sum(versions) % 2**64) for node, versions in found.items()]

    async def derived(self, nodes: Sequence[Node]) -> Sequence[Row]:
        wanted = set(nodes)
        return [
            (row["site_id"], row["event_id"], row["version"], *_derived(row))
            for row in self._live("derived")
            if (row["site_id"], row["node"]) in wanted
        ]

    async def events(self, keys: Mapping[tuple[str, UUID], HasMinute]) -> Sequence[Row]:
        return []  # for `race.classified`, which is no part of this

    async def recompute(self, buckets: Sequence[Bucket], lead_names: Sequence[str]) -> None:
        """Reads, gives others the time to change what was read, and writes: as a slow statement does."""
        computed = [(version, self._groups(site_id, minute)) for site_id, minute, version in buckets]
        await self._meanwhile("recompute: write")
        for version, groups in computed:
            for key, content in groups.items():
                if key not in self.kpis or version >= self.kpis[key][0]:
                    self.kpis[key] = (version, frozenset(content))

    async def crossed(self, buckets: Sequence[Bucket]) -> set[tuple[str, int]]:
        versions: dict[Key, set[int]] = {bucket[:2]: set() for bucket in buckets}
        for key, (version, _) in self.kpis.items():
            versions.get(key[:2], set()).add(version)
        return {(site_id, minute) for (site_id, minute), found in versions.items() if len(found) > 1}

    def _groups(self, site_id: str, minute: int) -> dict[Key, set[Key]]:
        groups: dict[Key, set[Key]] = {key: set() for key in self.kpis if key[:2] == (site_id, minute)}
        for found, values in self._happened(site_id, minute):
            for group in [("all", ""), *((name, values[name]) for name in _GROUPS)]:
                groups.setdefault((site_id, minute, *group), set()).add(found)
        return groups

    def differences(self, site_id: str, reference: str) -> list[str]:
        """How the derived rows and the groups of the buckets of two sites differ; empty groups do not count."""
        return sorted(map(str, self._rows(site_id) ^ self._rows(reference)))

    def _rows(self, site_id: str) -> set[Key]:
        derived = {(row["event_id"], *_derived(row)) for row in self._live("derived") if row["site_id"] == site_id}
        return derived | {(*key[1:], found) for key, (_, found) in self.kpis.items() if key[0] == site_id and found}

    def _happened(self, site_id: str, minute: int) -> Iterable[tuple[Key, dict[str, Any]]]:
        for key, event in self.tables["events"].items():
            if key[0] == site_id and event["minute"].timestamp() == minute and not event["is_deleted"]:
                derived = self.tables["derived"].get(key)
                values = {**event, **(derived or {})}
                yield ("event", event["event_id"], *(_counted(derived) if derived else ())), values

    def _live(self, table: str) -> list[dict[str, Any]]:
        return [row for row in self.tables[table].values() if not row["is_deleted"]]


def _nodes(event: dict[str, Any]) -> Iterable[str]:
    if event["is_bot"]:
        return
    if event["visitor_id"]:
        yield visitor_node(event["visitor_id"])
    if event["user_id"]:
        yield user_node(event["user_id"])
    if event["name"] in ORDER_NAMES:
        yield order_node(event["order_id"])


def _fact(event: dict[str, Any]) -> Key:
    values = {**event, "occurred_ms": _ms(event["occurred_at"]), "candidates": tuple(event["candidates"])}
    return tuple(values[name] for name in Fact._fields)


def _derived(row: dict[str, Any]) -> Key:
    values = {**row, "session_start_ms": _ms(row["session_start"]), "session_end_ms": _ms(row["session_end"])}
    return tuple(values[name] for name in Derived._fields)


def _counted(row: dict[str, Any]) -> Key:
    """What a recomputation reads of a derived row."""
    return (row["session_events"] > 0, *(row[name] for name in COUNTED))


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
