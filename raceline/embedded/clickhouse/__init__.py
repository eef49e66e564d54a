"""The embedded ClickHouse: the chDB engine behind ClickHouse's HTTP interface, in a process of its own."""

from raceline.embedded.clickhouse.launcher import ClickHouse

__all__ = ["ClickHouse"]
