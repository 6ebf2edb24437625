"""The page for operators names every metric, label, trouble and setting that there is, no other."""

from __future__ import annotations

import re

from asterisk_compliance.app.retention.plan import DisposalPlan
from asterisk_compliance.app.shared.metrics import FLAWS, NOTICES, RECORDINGS, SOON_S
from asterisk_compliance.app.shared.troubles import Trouble
from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.domain.call.decision import Reason
from documented import anomaly_codes, first_cells, metrics, page, sections, table

PAGE = "operating.md"


def documented() -> dict[str, set[str]]:
    """The labels of each metric."""
    lines = table(sections(page(PAGE), 2)["Metrics"])[1:]
    return {
        name: set(re.findall(r"`([^`]+)`", cells[1]))
        for cells in lines
        for name in re.findall(r"`([^`]+)`", cells[0])
    }


def test_every_metric_is_documented_with_its_labels_and_no_other() -> None:
    assert documented() == metrics()


def test_the_values_of_labels_are_documented() -> None:
    body = sections(page(PAGE), 2)["Metrics"]
    for value in (*NOTICES.values(), *RECORDINGS.values(), *FLAWS):
        assert f"`{value}`" in body


def test_every_trouble_is_documented_and_no_other() -> None:
    assert first_cells(sections(page(PAGE), 2)["Health"]) == set(map(str, Trouble))


def test_an_alarm_asks_for_what_there_is() -> None:
    body = sections(page(PAGE), 2)["Alarms worth having"]
    samples = {*metrics(), *(f"{name}_total" for name in metrics())}
    used = set(re.findall(r"\bcompliance_\w+", body))
    assert used
    assert used <= samples
    asked = {
        (label, value)
        for label, values in re.findall(r'(\w+)=~?"([^"]+)"', body)
        for value in values.replace("\\", "").split("|")
    }
    there = {
        **dict.fromkeys(("outcome", value) for value in RECORDINGS.values()),
        **dict.fromkeys(("flaw", value) for value in FLAWS),
        **dict.fromkeys(("reason", str(value)) for value in Reason),
        **dict.fromkeys(("code", code) for code in anomaly_codes()),
        **dict.fromkeys(("kind", str(kind)) for kind in Kind),
        **dict.fromkeys(("state", state) for state in DisposalPlan(0, (), (), 0, 0).counts()),
    }
    assert asked <= there.keys()


def test_buckets_reach_as_far_as_a_call_may_wait() -> None:
    assert max(SOON_S) >= 5.0
