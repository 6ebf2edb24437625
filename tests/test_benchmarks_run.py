"""Small runs of the benchmarks themselves: a benchmark that nobody runs stops working unseen.

Those of load need SIPp, which the tests do without.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import summary
from benchmarks.__main__ import main
from benchmarks.cold import RESTS_MS
from benchmarks.latency import COMPARED, OUR_STEPS, PLAIN_STEPS

pytestmark = pytest.mark.slow


@pytest.fixture
def out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where results go, instead of over those of a real run."""
    monkeypatch.setattr(summary, "OUT", tmp_path / "out")
    return tmp_path / "out"


def result(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_text())
    return found


@pytest.mark.asterisk
def test_latency_times_every_step_of_a_call_each_way(tmp_path):
    assert main(["latency", "--calls", "2", "--out", str(tmp_path / "latency.json")]) == 0
    found = result(tmp_path / "latency.json")
    assert set(found["samples_ms"]) == set(COMPARED)
    for name, samples in found["samples_ms"].items():
        assert [len(samples[way]) for way in ("dialplan", "ours")] == [2, 2]
        if "recorded" not in name:  # not every recording can be dated
            assert min(samples["dialplan"] + samples["ours"]) > 0
    assert set(found["our_steps"]) == set(OUR_STEPS)
    assert set(found["dialplan_steps"]) == set(PLAIN_STEPS)


def test_live_calls(out):
    assert main(["live-calls", "--calls", "1000", "--events", "50"]) == 0
    found = result(out / "live-calls.json")
    assert found["live"] == 1_000
    assert set(found["event_us"]) == {"10", "100", "1000"}
    assert all(us > 0 for us in found["event_us"].values())


def test_cold(out):
    assert main(["cold", "--rounds", "2"]) == 0
    found = result(out / "cold.json")["processor_us_after_a_rest_of_ms"]
    assert set(found) == {f"{rest}" for rest in RESTS_MS}
    assert all(one["median"] > 0 for one in found.values())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["sealing", "--mb", "2", "--calls", "4", "--talk-s", "1"], "hang-up to sealed"),
        (["retention", "--calls", "3000"], "plan, "),
        (["search", "--calls", "3000"], "count: of an agent"),
    ],
)
def test_what_prints_its_results(words, said, capsys):
    assert main(words) == 0
    assert said in capsys.readouterr().out
