"""What is true at this moment, read when somebody scrapes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from asterisk_compliance.app.audit.metered_log import MeteredLog
from asterisk_compliance.app.calls.playing_notices import NoticeSlots
from asterisk_compliance.domain.call.state import CallPhase

if TYPE_CHECKING:
    from asterisk_compliance.app.service.node_assembly import AsteriskNode


class LiveGauges(Collector):
    """Gauges of the running service, and the counters that its connections keep themselves."""

    def __init__(
        self, nodes: Callable[[], Sequence[AsteriskNode]], rows: MeteredLog, notices: NoticeSlots
    ) -> None:
        self._nodes = nodes
        self._rows = rows
        self._notices = notices

    def collect(self) -> Iterable[Metric]:
        yield _gauge("notices_playing", "Calls in their notice.", len(self._notices))
        yield _gauge("rows_waiting", "Rows on their way to the disk.", self._rows.waiting)
        yield _gauge("store_stuck_seconds", "Rows wait, and none moved.", self._rows.stuck_s)
        yield _gauge("log_rows", "Size of the audit log.", self._rows.size)
        yield from _of_nodes(self._nodes())


def _of_nodes(nodes: Sequence[AsteriskNode]) -> Iterator[Metric]:
    calls = GaugeMetricFamily("compliance_live_calls", "Calls that live.", labels=("node", "phase"))
    up = GaugeMetricFamily(
        "compliance_connected", "Whether a connection works.", labels=("node", "wire")
    )
    events = CounterMetricFamily(
        "compliance_events", "Events that were used.", labels=("node", "wire", "type")
    )
    ignored = CounterMetricFamily(
        "compliance_events_ignored", "Events that nobody uses.", labels=("node", "wire")
    )
    denied = CounterMetricFamily(
        "compliance_agi_denied", "FastAGI connections that are not permitted.", labels=("node",)
    )
    refused = CounterMetricFamily(
        "compliance_agi_refused", "FastAGI connections that brought no call.", labels=("node",)
    )
    for one in nodes:
        node = one.registry
        real = [task.call for task in node.calls.values() if not task.call.synthetic]
        phases = Counter(call.phase for call in real)
        for phase in CallPhase:
            calls.add_metric((node.node, phase), phases[phase])
        if node.ari is not None:
            up.add_metric((node.node, "ari"), node.ari.transport is not None)
            ignored.add_metric((node.node, "ari"), sum(node.ari.ignored.values()))
        if node.ami is not None:
            up.add_metric((node.node, "ami"), node.ami.connected)
            ignored.add_metric((node.node, "ami"), sum(node.ami.ignored.values()))
        if one.agi is not None:
            denied.add_metric((node.node,), one.agi.denied)
            refused.add_metric((node.node,), one.agi.refused)
        for (wire, kind), count in node.events.items():
            events.add_metric((node.node, wire, kind), count)
    yield from (calls, up, events, ignored, denied, refused)


def _gauge(name: str, what: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"compliance_{name}", what, value)
