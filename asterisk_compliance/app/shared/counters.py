"""Numbers that every call adds to, kept as plain integers and shaped when somebody scrapes."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector


class Tally(Collector):
    """A counter with one label. ``values``: of the label; each begins at 0, and no other comes."""

    def __init__(
        self, name: str, what: str, label: str, values: Iterable[str], registry: CollectorRegistry
    ) -> None:
        self._name, self._what, self._label = name, what, label
        self._counts = dict.fromkeys(values, 0)
        registry.register(self)

    def add(self, value: str) -> None:
        """Raises ``KeyError`` for a value that was not named."""
        self._counts[value] += 1

    def collect(self) -> Iterator[CounterMetricFamily]:
        family = CounterMetricFamily(self._name, self._what, labels=[self._label])
        for value, count in self._counts.items():
            family.add_metric([value], count)
        yield family


class Latencies(Collector):
    """A histogram. ``bounds_s``: the upper ends of its buckets in seconds, in their order."""

    def __init__(
        self, name: str, what: str, bounds_s: Sequence[float], registry: CollectorRegistry
    ) -> None:
        self._name, self._what = name, what
        self._bounds_s = bounds_s
        self._labels = [*(str(bound) for bound in bounds_s), "+Inf"]
        self._counts = [0] * len(self._labels)
        self._sum_s = 0.0
        registry.register(self)

    def observe(self, lasted_s: float) -> None:
        self._counts[bisect_left(self._bounds_s, lasted_s)] += 1
        self._sum_s += lasted_s

    def collect(self) -> Iterator[HistogramMetricFamily]:
        buckets = list(zip(self._labels, accumulate(self._counts), strict=True))
        family = HistogramMetricFamily(self._name, self._what)
        family.add_metric([], buckets, self._sum_s)
        yield family
