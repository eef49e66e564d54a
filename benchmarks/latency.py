"""How long after the collector's 200 an event is in the KPIs, while the stack takes 1,000 events a second.

    make benchmark MEASURE="latency --broker tansu --runs 5"

The whole stack with one worker, as it is run: on Tansu by `raceline up`, on Apache Kafka as separate processes. Visits
go to the collector as they would happen, over connections that are kept. Beside them probes are sent, each a page view
under a campaign of its own: it has arrived when the KPI rows show that campaign. That is looked up every 100 ms, so
figures are up to 100 ms too high. At the end of a run the view `kpis` must show every probe once.
"""

import argparse
import os
import queue
import sys
import tempfile
import threading
import time
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from pathlib import Path
from random import Random
from statistics import median, quantiles
from typing import Final
from uuid import uuid4

from brokers import KINDS
from ports import free_ports
from running_stack import RunningStack, running
from separate_stack import running_separately

from benchmarks.collector import Collector
from benchmarks.events import facts
from benchmarks.parts import apache_kafka, ask
from raceline.visitors import Fact

SITE: Final = "demo"
P95_WITHIN: Final = 2.0  # seconds
LOAD_REACHED: Final = 0.98  # of what was asked for, or the figures say nothing
CONNECTIONS: Final = 32
PROBE_EVERY: Final = 0.25
LOOK_EVERY: Final = 0.1
WARM_UP: Final = 10.0
AFTER: Final = 15.0  # the load goes on until the last probe is seen
LONGEST_VISIT: Final = timedelta(minutes=3)
PATIENCE: Final = 60.0


@dataclass(frozen=True)
class Load:
    per_second: int
    per_request: int
    seconds: float


Timetable = list[tuple[float, Fact]]  # seconds from the start
Requests = queue.SimpleQueue[Sequence[Fact]]  # an empty one is the end


@dataclass
class Measured:
    latencies: list[float] = field(default_factory=list)
    sent: int = 0
    refused: int = 0
    seconds: float = 0.0

    @property
    def per_second(self) -> float:
        return self.sent / self.seconds

    @property
    def percentiles(self) -> tuple[float, float, float]:
        """The 50th, 95th and 99th, in seconds."""
        cut = quantiles(self.latencies, n=100, method="inclusive")
        return cut[49], cut[94], cut[98]

    def __str__(self) -> str:
        p50, p95, p99 = self.percentiles
        probes = f"p50 {p50:.2f} s  p95 {p95:.2f} s  p99 {p99:.2f} s  of {len(self.latencies)} probes"
        return f"{probes}; {self.per_second:,.0f} events/s accepted, {self.refused} refused"


def measure(stack: RunningStack, load: Load) -> Measured:
    """Raises TimeoutError when a probe does not arrive, ValueError when the KPIs do not count each once."""
    coming, found, done = _timetable(load), Measured(), threading.Event()
    answered: dict[str, float] = {}
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
    counted = ask(stack.settings, "latency.kpis", site=SITE)["page_views"]
    if int(counted) != len(answered):
        raise ValueError(f"the view counts {counted} of {len(answered)} probes")
    return found


def _timetable(load: Load) -> Timetable:
    """When which fact is sent, in seconds from the start. People are in the middle of their visits then."""
    zero = datetime(2026, 1, 1, tzinfo=UTC)
    span = timedelta(seconds=WARM_UP + load.seconds + AFTER) + LONGEST_VISIT
    happened = facts(Random(), zero - LONGEST_VISIT, span, int(load.per_second * span.total_seconds()))
    table = [((datetime.fromisoformat(fact["occurred_at"]) - zero).total_seconds(), fact) for fact in happened]
    return [(seconds, fact) for seconds, fact in table if seconds >= 0]


def _generate(port: int, coming: Timetable, per_request: int, found: Measured, done: threading.Event) -> None:
    """Hands what is due to the connections, which wait for their answers. What is late at the end is not sent."""
    requests: Requests = queue.SimpleQueue()
    with ThreadPoolExecutor(CONNECTIONS) as connections:
        sending = [connections.submit(_post_all, port, requests, done) for _ in range(CONNECTIONS)]
        began, at = time.perf_counter(), 0
        while not done.wait(0.005) and at < len(coming):
            due = bisect_right(coming, time.perf_counter() - began, lo=at, key=itemgetter(0))
            for start in range(at, due, per_request):
                requests.put([fact for _, fact in coming[start : min(due, start + per_request)]])
            at = due
        found.seconds = time.perf_counter() - began
        done.set()
        for _ in sending:
            requests.put([])
    for answers in sending:
        accepted, refused = answers.result()
        found.sent += accepted
        found.refused += refused


def _post_all(port: int, requests: Requests, done: threading.Event) -> tuple[int, int]:
    """How many events were accepted, and how many refused."""
    collector, accepted, refused = Collector(port), 0, 0
    while (part := requests.get()) and not done.is_set():
        if collector.post(part):
            accepted += len(part)
        else:
            refused += len(part)
    collector.close()
    return accepted, refused


def _probe(port: int, seconds: float, answered: dict[str, float]) -> None:
    """Notes by campaign when each was answered."""
    time.sleep(WARM_UP)
    collector, ends = Collector(port), time.perf_counter() + seconds
    while time.perf_counter() < ends:
        campaign = f"probe-{len(answered)}"
        if collector.post([_page_view(campaign)]):
            answered[campaign] = time.perf_counter()
        time.sleep(PROBE_EVERY)
    collector.close()


def _page_view(campaign: str) -> Fact:
    return {
        "event_id": str(uuid4()),
        "name": "page_view",
        "visitor_id": campaign,
        "context": {"url": "https://shop.example/", "utm_source": "probe", "utm_campaign": campaign},
    }


def _arrivals(stack: RunningStack, answered: Mapping[str, float], prober: threading.Thread) -> list[float]:
    """Seconds from each answer to the look that first shows the probe."""
    latencies: dict[str, float] = {}
    news = time.perf_counter()
    while prober.is_alive() or len(latencies) < len(answered):
        waiting = answered.keys() - latencies.keys()
        seen = ask(stack.settings, "latency.probes", site=SITE).get("seen", [])
        now = time.perf_counter()
        arrived = waiting & set(seen)
        latencies |= {campaign: now - answered[campaign] for campaign in arrived}
        news = now if arrived or not waiting else news
        if now - news > PATIENCE:
            raise TimeoutError(f"{len(latencies)} of {len(answered)} probes have arrived")
        time.sleep(LOOK_EVERY)
    return list(latencies.values())


@contextmanager
def running_on(broker: str, folder: Path) -> Iterator[RunningStack]:
    if broker == "tansu":
        with running(folder, workers=1) as embedded:
            yield embedded
    else:
        with running_separately(apache_kafka(folder, *free_ports(1)), folder, workers=1) as separate:
            yield separate


def compare(broker: str, load: Load, runs: int) -> str:
    found: list[Measured] = []
    for run in range(runs):
        with tempfile.TemporaryDirectory() as folder, running_on(broker, Path(folder)) as stack:
            found.append(stack.watching(lambda: measure(stack, load)))
        print(f"  run {run + 1} of {runs}  {found[-1]}", file=sys.stderr, flush=True)
    p50, p95, p99 = (median(figures) for figures in zip(*(one.percentiles for one in found), strict=True))
    rate = median(one.per_second for one in found)
    heavy = rate >= LOAD_REACHED * load.per_second and not any(one.refused for one in found)
    verdict = ("reached" if p95 <= P95_WITHIN else "MISSED") if heavy else "NOT MEASURED, the load was not reached"
    medians = f"p50 {p50:.2f} s, p95 {p95:.2f} s, p99 {p99:.2f} s at {rate:,.0f} events/s"
    return f"{broker}, medians of {runs} runs: {medians}\n  p95 within {P95_WITHIN:g} s: {verdict}"


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
        print(compare(broker, load, chosen.runs), flush=True)


if __name__ == "__main__":
    main()
