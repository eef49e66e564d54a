"""How many events a second one worker brings from Kafka to the KPIs, beside the same job in other receivers.

    make benchmark MEASURE="throughput --broker tansu --runs 5"

Each measurement gets a broker and a ClickHouse of its own. A first thousand events warm everything up; then all events
are sent at once, and the clock stops when the KPIs show every one of them, every session, every order and the revenue.
All contenders call the same functions (docs/decisions/0011), so what differs is how records are received and taken
together.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from statistics import median
from typing import Final

from brokers import KINDS

from benchmarks.events import Expected, events, expected, facts, outgoing
from benchmarks.parts import Parts, ask, running_parts
from schemas.events import Event
from schemas.topics import PARTITIONS
from stream_processors.log import Log, Outgoing

CONTENDERS: Final = ("raceline", "quix", "plain_faust", "bare_loop")
AT_LEAST: Final = {"quix": 1.0, "bare_loop": 0.5}  # what Raceline must reach, as a share of theirs
SHOWN_BY: Final = {"kpi": "throughput.kpis", "store": "throughput.stored"}
WARM_UP: Final = 1000
SPAN: Final = timedelta(minutes=30)  # over which the visits begin
LIMIT_SECONDS: Final = 120.0


def measure(job: str, broker: str, contender: str, count: int) -> float:
    """Events a second."""
    start = datetime.now(UTC) - SPAN
    warm = events("warm_up", facts(Random(1), start, SPAN, WARM_UP))
    load = events("load", facts(Random(2), start, SPAN, count))
    with (
        tempfile.TemporaryDirectory() as folder,
        running_parts(broker, Path(folder)) as parts,
        parts.worker(f"benchmarks.contenders.{contender}", BENCHMARK_JOB=job) as worker,
    ):
        try:
            _seconds_until_seen(job, parts, warm)
            return len(load) / _seconds_until_seen(job, parts, load)
        except TimeoutError as missed:
            raise RuntimeError(f"{contender}: {missed}; its log ends with\n{worker.log_tail()}") from None


def _seconds_until_seen(job: str, parts: Parts, load: Sequence[Event]) -> float:
    records, wanted, site_id = list(outgoing(load)), expected(load), load[0].site_id
    began = time.perf_counter()
    asyncio.run(_send(parts.settings.kafka, records))
    while (seen := _seen(parts, SHOWN_BY[job], site_id)) != wanted:
        if time.perf_counter() - began > LIMIT_SECONDS:
            raise TimeoutError(f"{seen} instead of {wanted}")
        time.sleep(0.1)
    return time.perf_counter() - began


async def _send(kafka: str, records: Sequence[Outgoing]) -> None:
    log = Log(kafka, partitions=PARTITIONS)
    try:
        await log.send(records)
    finally:
        await log.stop()


def _seen(parts: Parts, query: str, site_id: str) -> Expected:
    row = ask(parts.settings, query, site=site_id)
    return Expected(
        int(row.get("events", 0)),
        int(row.get("sessions", 0)),
        int(row.get("orders", 0)),
        round(float(row.get("revenue", 0)) * 100),
    )


Rates = dict[str, list[float]]  # by contender


def compare(job: str, broker: str, runs: int, count: int, contenders: Sequence[str]) -> Rates:
    """Contenders take turns, so that what else the machine does meets them all."""
    rates: Rates = {contender: [] for contender in contenders}
    for run in range(runs):
        for contender in contenders:
            rate = measure(job, broker, contender, count)
            rates[contender].append(rate)
            print(f"  run {run + 1} of {runs}  {contender:12} {rate:9,.0f} events/s", file=sys.stderr, flush=True)
    return rates


def report(job: str, broker: str, rates: Rates) -> str:
    lines = [f"{broker}, job {job}", f"  {'':12} {'median':>9} {'lowest':>9} {'highest':>9}  raceline's share"]
    ours = median(rates["raceline"])
    for contender, measured in rates.items():
        share = ours / median(measured)
        least = AT_LEAST.get(contender)
        verdict = "" if least is None else f"  at least {least}: {'reached' if share >= least else 'MISSED'}"
        figures = " ".join(f"{figure:9,.0f}" for figure in (median(measured), min(measured), max(measured)))
        lines.append(f"  {contender:12} {figures}  {share:.2f}{verdict}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--broker", choices=KINDS, action="append", help="may be given twice; default: all")
    parser.add_argument("--job", choices=SHOWN_BY, action="append", help="may be given twice; default: kpi")
    parser.add_argument("--contender", choices=CONTENDERS, action="append", help="besides raceline; default: all")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--events", type=int, default=100_000)
    chosen = parser.parse_args()
    contenders = ("raceline", *(one for one in chosen.contender or CONTENDERS if one != "raceline"))
    print(f"{chosen.events:,} events, {chosen.runs} runs, {os.cpu_count()} cores for everything", flush=True)
    for broker in chosen.broker or KINDS:
        for job in chosen.job or ("kpi",):
            print(report(job, broker, compare(job, broker, chosen.runs, chosen.events, contenders)), flush=True)


if __name__ == "__main__":
    main()
