"""Turns rows into Prometheus metrics.

Everything is counted from durable rows, so a metric never contradicts the log. Every call adds to
the counters, so they are plain integers until somebody scrapes them (:class:`Tally`,
:class:`Latencies`). No label holds a number, a name, a channel or the id of a call: labels are
codes, kinds, and names of nodes from the configuration. ``docs/operating.md`` explains each metric.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from asterisk_compliance.domain.audit.rows import Draft, Kind
from asterisk_compliance.domain.call.decision import ALLOWING, REFUSING, Reason, Status
from asterisk_compliance.domain.observation.values import InformedState
from asterisk_compliance.domain.recording.verdict import AudioDirection, Length
from asterisk_compliance.ids import CallId, RecordingId, segment_of


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


SOON_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Buckets of what should take milliseconds."""

RECORDINGS = {
    Kind.RECORDING_CLOSED: "closed",
    Kind.RECORDING_EMPTY: "empty",
    Kind.RECORDING_MISSING: "missing",
    Kind.RECORDING_UNJUDGED: "unjudged",
}
NOTICES = {Kind.NOTICE_COMPLETED: "completed", Kind.NOTICE_INCOMPLETE: "incomplete"}
FLAWS = ("not_whole", "short", "one_sided", "silent", "lost")
_NO_CALLS = frozenset({Kind.ANOMALY, Kind.CANARY_PASSED, Kind.CANARY_FAILED})
"""Counted also where the call is synthetic."""
_SYNTHETIC = 100
"""So many synthetic calls are remembered; one lives for each Asterisk."""
_UNHEARD = frozenset({AudioDirection.SILENT, AudioDirection.MISSING})


class _ByLabels(dict[tuple[str, ...], Any]):
    """The children of a counter, each looked up by its labels once."""

    def __init__(self, counter: Counter) -> None:
        super().__init__()
        self._counter = counter

    def __missing__(self, labels: tuple[str, ...]) -> Any:
        child = self[labels] = self._counter.labels(*labels)
        return child


class Metrics:
    """A registry of its own, and what feeds it.

    Attributes:
        append_s: From a row's way to the log until it is durable.
        notice_start_s: From a call's arrival until its notice plays.
        way_back_s: From the event that decided a call until it goes on in the dialplan.
        refused: Rows that were not stored.
        canary_skipped: Synthetic calls that were not placed, because real ones come first.
    """

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry(auto_describe=True)
        ProcessCollector(registry=registry)

        def counter(name: str, what: str, *labels: str) -> _ByLabels:
            return _ByLabels(Counter(f"compliance_{name}", what, labels, registry=registry))

        def latency(name: str, what: str) -> Latencies:
            return Latencies(f"compliance_{name}", what, SOON_S, registry)

        self._rows = Tally(
            "compliance_rows", "Audit rows that are durable.", "kind", Kind, registry
        )
        self.refused = Counter(
            "compliance_rows_refused", "Audit rows that were not stored.", registry=registry
        )
        self._calls = counter("calls", "Calls that were decided.", "status", "reason")
        for reason in Reason:
            self._calls[_status(reason), reason]  # from 0 on, so that the first one is an increase
        self._notices = counter("notices", "Notices that came to an end.", "outcome")
        self._recordings = counter("recordings", "Recordings that ended.", "outcome")
        self._flaws = counter("recording_flaws", "Flaws of closed recordings.", "flaw")
        self._observed = counter("observed_recordings", "Recordings of others.", "told")
        for children, values in (
            (self._notices, NOTICES.values()),
            (self._recordings, RECORDINGS.values()),
            (self._flaws, FLAWS),
            (self._observed, InformedState),
        ):
            for value in values:
                children[value,]
        self._anew = Counter(
            "compliance_recordings_begun_anew",
            "Recordings that began after the first one of their call.",
            registry=registry,
        )
        self._blanked = Counter(
            "compliance_audio_blanked_seconds",
            "Audio replaced by silence, because it must not be kept.",
            registry=registry,
        )
        self._anomalies = counter("anomalies", "Things that should not happen.", "code")
        self._canaries = counter("canary_passed", "Synthetic calls that passed.", "node")
        self._failed_canaries = counter(
            "canary_failed", "Synthetic calls that failed.", "node", "reason"
        )
        self.canary_skipped = Counter(
            "compliance_canary_skipped",
            "Synthetic calls that gave way to real ones.",
            ["node"],
            registry=registry,
        )
        self._canary_passed = Gauge(
            "compliance_canary_passed_timestamp_seconds",
            "When a synthetic call passed last.",
            ["node"],
            registry=registry,
        )
        self._synthetic: dict[CallId | None, None] = {}
        self._connected = counter("connections_made", "Connections made.", "node", "wire")
        self._lost = counter("connections_lost", "Connections lost.", "node", "wire")
        self._malformed = counter("events_malformed", "Events not read.", "node", "wire")
        self._loaded = Gauge(
            "compliance_configuration_loaded_timestamp_seconds",
            "When the configuration that applies was loaded.",
            registry=registry,
        )
        self.retention = Gauge(
            "compliance_retention_recordings",
            "Recordings, by what a plan of disposals says of them.",
            ["state"],
            registry=registry,
        )
        self.requests = Gauge(
            "compliance_requests",
            "Requests of people that wait for an answer.",
            ["right", "state"],
            registry=registry,
        )
        self.incidents = Gauge(
            "compliance_incidents",
            "Incidents that are not closed, by their most urgent duty.",
            ["state"],
            registry=registry,
        )
        self.checkpoints = Counter(
            "compliance_checkpoints", "Checkpoints that were signed.", registry=registry
        )
        self.signed_rows = Gauge(
            "compliance_checkpoint_rows", "Rows under the newest checkpoint.", registry=registry
        )
        self.not_shipped = counter(
            "checkpoints_not_shipped", "Attempts to ship that failed.", "destination"
        )
        self.webhook_rows = counter("webhook_rows", "Rows that a receiver has taken.", "webhook")
        self.webhook_failures = counter(
            "webhook_failures", "Messages that a receiver did not take.", "webhook"
        )
        self.webhook_behind_rows = Gauge(
            "compliance_webhook_behind_rows",
            "Rows that a receiver has not taken.",
            ["webhook"],
            registry=registry,
        )
        self.webhook_behind_s = Gauge(
            "compliance_webhook_behind_seconds",
            "For how long a receiver has not had all rows.",
            ["webhook"],
            registry=registry,
        )
        self.facts_told = counter(
            "facts_told", "Facts that Asterisk passed on.", "node", "application"
        )
        self.facts_not_told = counter(
            "facts_not_told", "Facts that it did not.", "node", "application"
        )
        self.append_s = latency("append_seconds", "Until an audit row is durable.")
        self.notice_start_s = latency("notice_start_seconds", "From arrival to the notice.")
        self.way_back_s = latency("way_back_seconds", "From the decision to the dialplan.")
        self._also: Mapping[Kind, Callable[[Draft], None]] = {
            Kind.DECISION: self._decided,
            Kind.ANOMALY: lambda row: self._anomalies[_label(row, "code"),].inc(),
            Kind.RECORDING_CLOSED: self._closed,
            Kind.RECORDING_STARTED: self._started,
            Kind.RECORDING_OBSERVED: lambda row: self._observed[_label(row, "told"),].inc(),
            Kind.CONFIG_LOADED: lambda row: self._loaded.set(row.at_ms / 1_000),
            Kind.ASTERISK_CONNECTED: lambda row: self._wire(self._connected, row),
            Kind.ASTERISK_DISCONNECTED: lambda row: self._wire(self._lost, row),
            Kind.CANARY_PASSED: self._canary_flew,
            Kind.CANARY_FAILED: self._canary_failed,
            Kind.EVENT_MALFORMED: lambda row: self._wire(self._malformed, row),
            **dict.fromkeys(NOTICES, self._notice_over),
            **dict.fromkeys(RECORDINGS.keys() - {Kind.RECORDING_CLOSED}, self._recording_over),
        }

    def observe(self, row: Draft) -> None:
        """Count one durable row. A synthetic call is none of the calls, nor its recording."""
        self._rows.add(row.kind)
        also = self._also.get(row.kind)
        if row.kind is Kind.CALL_ARRIVED and row.detail.get("synthetic") is True:
            self._synthetic[row.call] = None
            if len(self._synthetic) > _SYNTHETIC:
                del self._synthetic[next(iter(self._synthetic))]
        if also is not None and (row.call not in self._synthetic or row.kind in _NO_CALLS):
            also(row)

    def _canary_flew(self, row: Draft) -> None:
        self._canaries[row.node,].inc()
        self._canary_passed.labels(row.node).set(row.at_ms / 1_000)

    def _canary_failed(self, row: Draft) -> None:
        self._failed_canaries[row.node, _label(row, "reason")].inc()

    def _decided(self, row: Draft) -> None:
        self._calls[_label(row, "status"), _label(row, "reason")].inc()

    def _notice_over(self, row: Draft) -> None:
        self._notices[NOTICES[row.kind],].inc()

    def _recording_over(self, row: Draft) -> None:
        self._recordings[RECORDINGS[row.kind],].inc()

    def _closed(self, row: Draft) -> None:
        self._recording_over(row)
        detail: Mapping[str, Any] = row.detail
        self._blanked.inc((detail.get("blanked_ms") or 0) / 1_000)
        unheard = [side for side in ("rx", "tx") if detail.get(side) in _UNHEARD]
        found = {
            "not_whole": not detail.get("whole"),
            "short": detail.get("length") == Length.SHORT,
            "one_sided": len(unheard) == 1,
            "silent": len(unheard) > 1,
            "lost": (detail.get("lost_ms") or 0) > 0,
        }
        for flaw, there in found.items():
            if there:
                self._flaws[flaw,].inc()

    def _started(self, row: Draft) -> None:
        recording = row.detail.get("recording")
        if isinstance(recording, str) and segment_of(RecordingId(recording)) > 1:
            self._anew.inc()

    @staticmethod
    def _wire(children: _ByLabels, row: Draft) -> None:
        children[row.node, _label(row, "wire")].inc()


def _label(row: Draft, name: str) -> str:
    return str(row.detail.get(name, ""))


def _status(reason: Reason) -> Status:
    if reason in ALLOWING:
        return Status.ALLOWED
    return Status.REFUSED if reason in REFUSING else Status.NOT_RECORDED
