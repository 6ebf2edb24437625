"""What is true at this moment, for whoever scrapes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from prometheus_client import CollectorRegistry

from asterisk_compliance.app.calls.playing_notices import NoticeSlots
from asterisk_compliance.app.service.live_gauges import LiveGauges
from asterisk_compliance.app.shared.metrics import Metrics
from asterisk_compliance.domain.call.state import CallPhase


def scraped(**of_node: Any) -> CollectorRegistry:
    node = SimpleNamespace(
        **{"node": "pbx1", "calls": {}, "ari": None, "ami": None, "agi": None, "events": {}}
        | of_node
    )
    built = SimpleNamespace(registry=node, agi=node.agi)
    rows: Any = SimpleNamespace(size=0, waiting=0, stuck_s=0.0)
    registry = CollectorRegistry()
    registry.register(LiveGauges(lambda: [built], rows, NoticeSlots(1, Metrics())))  # type: ignore[list-item]
    return registry


def test_connections_to_fastagi_that_brought_no_call_are_told() -> None:
    registry = scraped(agi=SimpleNamespace(denied=3, refused=5))
    assert registry.get_sample_value("compliance_agi_denied_total", {"node": "pbx1"}) == 3
    assert registry.get_sample_value("compliance_agi_refused_total", {"node": "pbx1"}) == 5


def test_without_fastagi_nothing_is_said_of_it() -> None:
    assert scraped().get_sample_value("compliance_agi_denied_total", {"node": "pbx1"}) is None


def test_a_synthetic_call_is_none_of_those_that_live() -> None:
    calls = {
        name: SimpleNamespace(call=SimpleNamespace(phase=CallPhase.DIALPLAN, synthetic=synthetic))
        for name, synthetic in (("1.1", False), ("1.2", False), ("uuid", True))
    }
    registry = scraped(calls=calls)
    labels = {"node": "pbx1", "phase": "dialplan"}
    assert registry.get_sample_value("compliance_live_calls", labels) == 2
