"""How long after the collector's 200 an event is in the KPIs, while the stack takes 1,000 events a second.

    make benchmark MEASURE="latency --broker tansu --runs 5"

The whole stack with one worker, as it is run: on Tansu by `raceline up`, on Apache Kafka as separate processes. Visits
go to the collector as they would happen. Beside them probes are sent, one by one, under a campaign of their own: the
n-th probe has arrived when the view `kpis` counts n page views of that campaign. That is looked up every 50 ms, so the
figures are up to 50 ms too high.
"""

import argparse
import os
import sys
import tempfile
import threading
import time
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from pathlib import Path
from random import Random
from statistics import median, quantiles
from typing import Final
from uuid import uuid4

from apache_kafka import ApacheKafka, installation
from brokers import KINDS
from running_stack import RunningStack, running
from separate_stack import running_separately

from benchmarks.collector import Collector
from benchmarks.events import facts
from benchmarks.parts import ask
from raceline.visitors import Fact

SITE: Final = "demo"
CAMPAIGN: Final = "probe"
P95_WITHIN: Final = 2.0  # seconds
PROBE_EVERY: Final = 0.25
LOOK_EVERY: Final = 0.05
WARM_UP: Final = 10.0
AFTER: Final = 15.0  # the load goes on until the last probe is seen
LONGEST_VISIT: Final = timedelta(minutes=3)
PATIENCE: Final = 60.0


@dataclass(frozen=True)
class Load:
    per_second: int
    per_request: int
    seconds: float


@dataclass
class Measured:
    latencies: list[float] = field(default_factory=list)
    sent: int = 0
    refused: int = 0
    seconds: float = 0.0


def measure(stack: RunningStack, load: Load) -> Measured:
    """Raises TimeoutError when a probe does not arrive."""
    coming = _timetable(load)
    answered: list[float] = []
    found, done = Measured(), threading.Event()
    generator = threading.Thread(target=_generate, args=(stack.port, coming, load.per_request, found, done))
    prober = threading.Thread(target=_probe, args=(stack.port, load.seconds, answered))
    generator.start()
    prober.start()
    try:
        found.latencies = _arrivals(stack, answered, prober)
    finally:
        done.set()
        prober.join()
        generator.join()
    return found


def _timetable(load: Load) -> list[tuple[float, Fact]]:
    """When which fact is sent, in seconds from the start. People are in the middle of their visits then."""
    zero = datetime(2026, 1, 1, tzinfo=UTC)
    span = timedelta(seconds=WARM_UP + load.seconds + AFTER) + LONGEST_VISIT
    happened = facts(Random(), zero - LONGEST_VISIT, span, int(load.per_second * span.total_seconds()))
    table = [((datetime.fromisoformat(fact["occurred_at"]) - zero).total_seconds(), fact) for fact in happened]
    return [(seconds, fact) for seconds, fact in table if seconds >= 0]


def _generate(
    port: int, coming: Sequence[tuple[float, Fact]], per_request: int, found: Measured, done: threading.Event
) -> None:
    collector, began, at = Collector(port), time.perf_counter(), 0
    while not done.wait(0.005) and at < len(coming):
        due = bisect_right(coming, time.perf_counter() - began, lo=at, key=itemgetter(0))
        for start in range(at, due, per_request):
            part = [fact for _, fact in coming[start : min(due, start + per_request)]]
            if collector.post(part):
                found.sent += len(part)
            else:
                found.refused += len(part)
        at = due
    found.seconds = time.perf_counter() - began
    collector.close()


def _probe(port: int, seconds: float, answered: list[float]) -> None:
    """Notes when each was answered."""
    time.sleep(WARM_UP)
    collector, ends = Collector(port), time.perf_counter() + seconds
    while time.perf_counter() < ends:
        number = len(answered)
        if collector.post([_page_view(number)]):
            answered.append(time.perf_counter())
        time.sleep(PROBE_EVERY)
    collector.close()


def _page_view(number: int) -> Fact:
    return {
        "event_id": str(uuid4()),
        "name": "page_view",
        "visitor_id": f"probe-{number}",
        "context": {"url": "https://shop.example/", "utm_source": "probe", "utm_campaign": CAMPAIGN},
    }


def _arrivals(stack: RunningStack, answered: Sequence[float], prober: threading.Thread) -> list[float]:
    """Seconds from each answer to the look that first shows the probe."""
    latencies: list[float] = []
    news = time.perf_counter()
    while prober.is_alive() or len(latencies) < len(answered):
        row = ask(stack.settings, "latency.probes", site=SITE, campaign=CAMPAIGN)
        now, shown = time.perf_counter(), int(row.get("page_views", 0))
        if shown > len(latencies):
            latencies += (now - moment for moment in answered[len(latencies) : shown])
            news = now
        elif len(latencies) < len(answered) and now - news > PATIENCE:
            raise TimeoutError(f"{shown} of {len(answered)} probes have arrived")
        time.sleep(LOOK_EVERY)
    return latencies


@contextmanager
def running_on(broker: str, folder: Path) -> Iterator[RunningStack]:
    if broker == "tansu":
        with running(folder, workers=1) as embedded:
            yield embedded
    else:
        with running_separately(ApacheKafka(installation(), folder / "kafka"), folder, workers=1) as separate:
            yield separate


def percentiles(latencies: Sequence[float]) -> tuple[float, float, float]:
    cut = quantiles(latencies, n=100, method="inclusive")
    return cut[49], cut[94], cut[98]


def compare(broker: str, load: Load, runs: int) -> None:
    found: list[tuple[float, float, float]] = []
    for run in range(runs):
        with tempfile.TemporaryDirectory() as folder, running_on(broker, Path(folder)) as stack:
            measured = stack.watching(lambda: measure(stack, load))
        found.append(percentiles(measured.latencies))
        p50, p95, p99 = found[-1]
        print(
            f"  run {run + 1} of {runs}  p50 {p50:.2f} s  p95 {p95:.2f} s  p99 {p99:.2f} s"
            f"  of {len(measured.latencies)} probes; {measured.sent / measured.seconds:,.0f} events/s accepted,"
            f" {measured.refused} refused",
            file=sys.stderr,
            flush=True,
        )
    p50, p95, p99 = (median(figures) for figures in zip(*found, strict=True))
    verdict = "reached" if p95 <= P95_WITHIN else "MISSED"
    print(f"{broker}: medians of {runs} runs: p50 {p50:.2f} s, p95 {p95:.2f} s, p99 {p99:.2f} s", flush=True)
    print(f"  p95 within {P95_WITHIN:g} s: {verdict}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--broker", choices=KINDS, action="append", help="may be given twice; default: all")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=60.0, help="of each run, after a warm-up of 10 s")
    parser.add_argument("--per-second", type=int, default=1000, help="events sent beside the probes")
    parser.add_argument("--per-request", type=int, default=5, help="events in one request, at most")
    chosen = parser.parse_args()
    load = Load(chosen.per_second, chosen.per_request, chosen.seconds)
    print(f"{load.per_second:,} events/s in requests of {load.per_request}, {os.cpu_count()} cores for everything")
    for broker in chosen.broker or KINDS:
        compare(broker, load, chosen.runs)


if __name__ == "__main__":
    main()
