"""Counters and histograms in Prometheus' text format.

Written out instead of taking `prometheus-client`: three shapes, no global registry, no dependency.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

LATENCY_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


@dataclass
class Histogram:
    """Seconds, in fixed buckets. Written by one thread, read by any."""

    bounds: tuple[float, ...] = LATENCY_BUCKETS
    counts: list[int] = field(default_factory=list)
    total: float = 0.0

    def __post_init__(self) -> None:
        self.counts = [0] * (len(self.bounds) + 1)

    def observe(self, seconds: float, times: int = 1) -> None:
        self.counts[bisect_left(self.bounds, seconds)] += times
        self.total += seconds * times


def counter_text(name: str, meaning: str, value: int) -> str:
    return f"{_head(name, meaning, 'counter')}{name} {value}\n"


def gauge_text(name: str, meaning: str, value: float) -> str:
    return f"{_head(name, meaning, 'gauge')}{name} {value}\n"


def labelled_text(name: str, meaning: str, label: str, values: Mapping[str, int] | Counter[str]) -> str:
    """A counter with one label. The label's values come from closed lists, so they need no escaping."""
    lines = (f'{name}{{{label}="{value}"}} {count}\n' for value, count in sorted(values.items()))
    return _head(name, meaning, "counter") + "".join(lines)


def histogram_text(name: str, meaning: str, histogram: Histogram) -> str:
    counts = list(histogram.counts)
    lines = [f'{name}_bucket{{le="{bound}"}} {sum(counts[: i + 1])}\n' for i, bound in enumerate(histogram.bounds)]
    total = sum(counts)
    ending = f'{name}_bucket{{le="+Inf"}} {total}\n{name}_sum {histogram.total}\n{name}_count {total}\n'
    return _head(name, meaning, "histogram") + "".join(lines) + ending


def _head(name: str, meaning: str, kind: str) -> str:
    return f"# HELP {name} {meaning}\n# TYPE {name} {kind}\n"
