"""A worker for the live tests: appends every record it gets to a file, one line each, that survives a kill.

    python transport_worker.py BOOTSTRAP DIRECTORY NAME TOPIC [options]

While DIRECTORY/outage exists the file refuses, as a database would that is down. While DIRECTORY/bug exists storing
raises what nobody expects.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import faust

from stream_processors.fetches import Fetch, Pace, handle_fetches
from stream_processors.transport import faust_settings, fetch_topic, install_transport
from stream_processors.watchdog import Limits, install_watchdog


class SinkDown(Exception):
    pass


class FileSink:
    def __init__(self, directory: Path, name: str) -> None:
        self._outage, self._bug = directory / "outage", directory / "bug"
        self._file = (directory / f"{name}.out").open("ab", buffering=0)

    async def write(self, fetches: Sequence[Fetch]) -> None:
        await asyncio.sleep(0.02)  # a database takes its time: kills must be able to hit the middle
        if self._outage.exists():
            raise SinkDown("refused")
        if self._bug.exists():
            raise ZeroDivisionError("a bug")
        lines = b"".join(b"%b\n" % record.value for fetch in fetches for record in fetch.records if record.value)
        self._file.write(lines)


def create_app(options: argparse.Namespace) -> Any:
    settings = faust_settings(session_seconds=6, rebalance_seconds=6, heartbeat_seconds=2)
    if options.max_poll_interval:
        settings["broker_max_poll_interval"] = options.max_poll_interval
    app = faust.App(
        options.topic,
        broker=f"kafka://{options.bootstrap}",
        datadir=str(options.directory / f"{options.name}.data"),
        **settings,
    )
    install_transport(app, gather_seconds=0.05, max_records=500)
    sink = FileSink(options.directory, options.name)

    async def store(stream: Any) -> None:
        await handle_fetches(stream, sink.write, app=app, outages=(SinkDown,), pace=Pace(longest_backoff=0.5))

    if options.watchdog:
        install_watchdog(app, Limits(rebalancing=options.watchdog), interval=0.5)
    app.agent(fetch_topic(app, options.topic), name="store")(store)
    return app


def parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("bootstrap")
    parser.add_argument("directory", type=Path)
    parser.add_argument("name")
    parser.add_argument("topic", help="also the name of the group")
    parser.add_argument("--max-poll-interval", type=float)
    parser.add_argument("--watchdog", type=float, help="seconds that a rebalance may take")
    return parser.parse_args(argv)


if __name__ == "__main__":
    app = create_app(parse(sys.argv[1:]))
    Worker = app.conf.Worker
    Worker(app, loglevel="INFO").execute_from_commandline()
