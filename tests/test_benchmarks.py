"""The pure parts of the benchmarks: reading Asterisk's log, statistics, tables."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from benchmarks.__main__ import main
from benchmarks.call_log import read_calls
from benchmarks.cold import measure as measure_cold
from benchmarks.flame import by_module
from benchmarks.latency import check_heard
from benchmarks.load import Run, ceiling, p99, ratios, ways_back
from benchmarks.load_picture import COLOURS
from benchmarks.processes import cost_of
from benchmarks.quick import AIMS, QUICK, Aim, broken
from benchmarks.sipp import read_waited
from benchmarks.summary import Spread, as_json, compare, comparison_table
from benchmarks.ways import DIALPLAN, EXTENSIONS, LEAST, OURS, WAYS, Way
from lab.g711 import ulaw_encode
from lab.prompt import synthetic_notice
from lab.rtp import Packet

EIGHT = 1_796_025_600
"""2026-11-30 08:00:00 UTC."""
NOON = 1_795_521_600.0
"""2026-11-24 12:00:00 UTC."""


def executing(at: str, step: str, application: str, channel: str = "PJSIP/lab-00000002") -> str:
    return (
        f"[2026-11-24 {at}] VERBOSE[18261][C-00000002] pbx.c: "
        f'Executing [{step}] {application}("{channel}", "a,b(${{c}}") in new stack'
    )


def joined(at: str, channel: str, bridge: str = "ab74") -> str:
    return (
        f"[2026-11-24 {at}] VERBOSE[18248][C-00000002] bridge_channel.c: "
        f"Channel {channel} joined 'simple_bridge' basic-bridge <{bridge}>"
    )


LOG = [
    executing("12:00:00.100", "20007@from-lab:1", "Gosub"),
    executing("12:00:00.101", "s@compliance-notice:13", "Stasis"),
    "[2026-11-24 12:00:00.103] VERBOSE[1][C-00000002] file.c: <PJSIP/lab-00000002> Playing 'x'",
    executing("12:00:01.123", "s@compliance-notice:14", "Goto"),
    executing("12:00:01.124", "20007@from-lab:2", "Dial"),
    executing("12:00:01.125", "10007@from-lab:1", "Answer", "PJSIP/lab-00000004"),
    "a line that is none of these",
    joined("12:00:01.183", "PJSIP/agent-00000003"),
    joined("12:00:01.185", "PJSIP/lab-00000002"),
    joined("12:00:09.000", "PJSIP/lab-00000004", "cd85"),
]


def test_a_call_is_found_by_what_it_dialled_first():
    calls = read_calls(LOG, NOON)
    assert {exten: call.channel for exten, call in calls.items()} == {
        "20007": "PJSIP/lab-00000002",
        "10007": "PJSIP/lab-00000004",
    }
    ours = calls["20007"]
    assert [line.application for line in ours.lines] == ["Gosub", "Stasis", "Goto", "Dial"]
    assert ours.first("Stasis") == pytest.approx(NOON + 0.101, rel=0, abs=1e-4)
    assert ours.after("Stasis") == pytest.approx(NOON + 1.123, rel=0, abs=1e-4)


def test_a_bridge_is_complete_when_the_second_joins():
    calls = read_calls(LOG, NOON)
    assert calls["20007"].bridged_at == pytest.approx(NOON + 1.185, rel=0, abs=1e-4)
    assert calls["10007"].bridged_at is None


@pytest.mark.parametrize("ahead_h", [-3.5, 0, 5.75, 9])
def test_the_log_may_be_written_in_any_zone(ahead_h):
    calls = read_calls(LOG, NOON - ahead_h * 3_600 + 100)
    assert calls["20007"].first("Stasis") == pytest.approx(
        NOON - ahead_h * 3_600 + 0.101, rel=0, abs=1e-4
    )


def test_an_empty_log_holds_no_call():
    assert read_calls([], NOON) == {}


def test_a_spread_is_told_by_the_middle_half():
    spread = Spread.of([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
    assert (spread.median_ms, spread.p90_ms, spread.iqr_ms) == (6, 10, 5)
    assert (spread.min_ms, spread.max_ms) == (1, 11)


def test_a_difference_is_found_with_its_uncertainty():
    chance = np.random.default_rng(7)
    plain = chance.normal(10, 0.5, 40)
    row = compare(list(plain), list(plain + 1 + chance.normal(0, 0.1, 40)))
    assert row.difference_ms == pytest.approx(1, abs=0.3)
    assert row.low_ms < row.difference_ms < row.high_ms
    assert row.low_ms > 0, "ours is slower, and that is no chance"
    assert row.ratio == pytest.approx(1.1, abs=0.03)


def test_no_difference_is_told_as_none():
    chance = np.random.default_rng(8)
    row = compare(list(chance.normal(10, 1, 40)), list(chance.normal(10, 1, 40)))
    assert row.low_ms < 0 < row.high_ms


def test_of_values_around_zero_there_is_no_ratio():
    row = compare([-2.0, 0.1, 3.0], [1.0, 2.0, 3.0])
    assert row.ratio is None
    assert as_json(row)["ratio"] is None


def test_unequal_numbers_are_no_pairs():
    with pytest.raises(ValueError, match="no pairs"):
        compare([1.0, 2.0], [1.0])
    with pytest.raises(ValueError, match="no pairs"):
        compare([], [])
    with pytest.raises(ValueError, match="no pairs"):
        compare([float("nan")], [1.0])


def test_a_pair_that_was_not_measured_is_left_out_and_counted():
    row = compare([1.0, float("nan"), 3.0, 5.0], [2.0, 3.0, 4.0, float("nan")])
    assert row.pairs == 2
    assert (row.plain.median_ms, row.ours.median_ms) == (2, 3)


def test_the_table_says_both_ways_difference_and_ratio():
    console = Console(width=120)
    with console.capture() as captured:
        console.print(comparison_table("Title", {"to audio": compare([10.0] * 3, [12.5] * 3)}))
    text = captured.get()
    assert "10.00 / 10.00 / 0.00" in text
    assert "12.50 / 12.50 / 0.00" in text
    assert "+2.50 (+2.50 … +2.50)" in text
    assert "1.25" in text


def test_results_are_written_to_the_microsecond():
    row = compare([1.23456] * 2, [1.5] * 2)
    assert json.loads(json.dumps(as_json(row)))["plain"]["median_ms"] == 1.235


class _Ear:
    """What a leg received."""

    def __init__(self, *payloads: bytes) -> None:
        self.media = self
        self.received = [
            Packet(0.02 * number, 0, number, 160 * number, 1, payload)
            for number, payload in enumerate(payloads)
        ]


def _packets(audio: bytes) -> list[bytes]:
    return [audio[at : at + 160] for at in range(0, len(audio), 160)]


def test_what_is_timed_must_be_the_notice():
    notice = synthetic_notice(1.0)
    told = _packets(ulaw_encode(notice)[:-22])
    check_heard(_Ear(*told, bytes(160)), notice)
    for other in (
        [bytes([255]) * 160, *told],  # something came before it
        told[:-1],  # its end is missing
        _packets(ulaw_encode(synthetic_notice(1.0, seed=2))),
    ):
        with pytest.raises(ValueError, match="not the notice"):
            check_heard(_Ear(*other), notice)


def test_a_benchmark_that_is_not_there_is_refused(capsys):
    assert main(["speed"]) == 2
    assert "latency, audit-log" in capsys.readouterr().err


def a_run(way: Way, rate: float, application_ms: float, asterisk_ms: float, p99_ms: float) -> Run:
    return Run(way.name, rate, 100, asterisk_ms, application_ms, 50.0, 1, p99_ms, 1, 5, 0)


def test_ratios_are_of_the_medians_at_one_rate():
    aioari, ari_client = WAYS[2:4]
    runs = [
        a_run(DIALPLAN, 80, 0.0, 6.0, 9),
        *(a_run(OURS, 80, ms, asterisk, 9) for ms, asterisk in ((0.7, 6.6), (9.0, 6.0), (0.8, 9))),
        a_run(aioari, 80, 1.6, 6.0, 9),
        a_run(ari_client, 80, 2.0, 6.0, 9),
        a_run(OURS, 100, 100.0, 100.0, 9),
    ]
    assert ratios(runs, 80) == pytest.approx(
        {
            "application_ms": 0.8,
            "asterisk_of_dialplan": 1.1,
            "application_of_aioari": 0.5,
            "application_of_ari_client": 0.4,
        }
    )


def test_the_ceiling_is_the_last_rate_before_the_first_that_is_too_slow():
    p99s = {60: (40, 50, 990), 80: (80, 60, 90), 100: (96, 97, 20), 120: (10, 20, 30)}
    runs = [a_run(OURS, rate, 1, 1, p99) for rate, of in p99s.items() for p99 in of]
    assert ceiling(runs, OURS) == 80, "5 ms after the notice count too"
    assert ceiling(runs, DIALPLAN) is None


@pytest.mark.parametrize(("value", "is_broken"), [(1.0, False), (1.19, False), (1.21, True)])
def test_an_aim_that_was_met_once_must_be_met(value: float, is_broken: bool):
    assert Aim(1.0, met=True, tolerance=0.2).is_broken_by(value) is is_broken
    assert not Aim(1.0, met=False, tolerance=0.2).is_broken_by(value)


def test_the_quick_benchmark_judges_every_ratio():
    aims = {name: aim.at_most for name, aim in AIMS.items()}
    assert broken(aims) == []
    assert ratios([a_run(way, 1, 1, 1, 1) for way in QUICK], 1).keys() == AIMS.keys()


def test_the_least_is_measured_beside_the_dialplan_and_beside_us():
    runs = [
        a_run(DIALPLAN, 60, 0.0, 8.0, 9),
        a_run(OURS, 60, 6.0, 12.0, 9),
        a_run(LEAST, 60, 0.4, 10.0, 9),
    ]
    assert ratios(runs, 60) == pytest.approx(
        {
            "application_ms": 6.0,
            "asterisk_of_dialplan": 1.5,
            "application_of_least": 15.0,
            "least_of_dialplan": 1.25,
        }
    )


def test_every_way_has_a_digit_an_application_and_a_colour_of_its_own():
    digits = [way.exten[0] for way in WAYS]
    assert len({*digits}) == len(WAYS) == len({*COLOURS})
    assert all(f"exten => _{digit}X,1," in EXTENSIONS for digit in digits)


def test_callers_waited_as_sipp_says(tmp_path: Path):
    (tmp_path / "caller_1_rtt.csv").write_text("Date_ms;response_time_ms;rtd_name\n")
    with (tmp_path / "caller_1_rtt.csv").open("a") as file:
        file.write("100.5;2.25;answer\n3150.5;3001.5;call\n")
    (tmp_path / "caller_1_.csv").write_text("a;FailedCall(C)\n1;0\n2;3\n")
    waited = read_waited(tmp_path)
    assert (waited.answer, waited.call, waited.failed) == (
        [(0.1005, 2.25)],
        [(3.1505, 3_001.5)],
        3,
    )


def test_the_cost_of_a_process_counts_its_children():
    before = cost_of(os.getpid())
    subprocess.run([sys.executable, "-c", "sum(range(9_000_000))"], check=True)
    after = cost_of(os.getpid())
    assert 0.02 < after.since(before) < 20
    assert after.rss_bytes > 10_000_000


def test_the_way_back_is_counted_from_the_notice_of_the_same_call() -> None:
    def row(kind: str, call: str, ms: int) -> dict[str, str]:
        return {
            "kind": kind,
            "call": call,
            "at": f"2026-11-30T08:00:{ms // 1000:02}.{ms % 1000:03}Z",
        }

    rows = [
        row("notice_completed", "a", 1_000),
        row("notice_completed", "b", 1_500),
        row("call_continued", "a", 1_004),
        row("decision", "b", 1_501),
        row("call_continued", "b", 1_520),
        row("notice_completed", "c", 4_000),
        row("call_continued", "c", 9_000),
    ]
    assert ways_back(rows, EIGHT + 1, EIGHT + 5) == [4, 20]
    assert ways_back(rows, EIGHT + 9, EIGHT + 10) == [5_000]
    assert (p99([]), p99([3.0])) == (0.0, 3.0)


def test_a_sample_belongs_to_the_innermost_module_of_ours() -> None:
    outside = "thread (1): MainThread;run (uvloop/__init__.py:92)"
    stacks = [
        f"{outside};step (asterisk_compliance/app/calls/node.py:1);replace (msgspec/x.py:2) 3",
        f"{outside} 2",
        "thread (2): audit-log;add (asterisk_compliance/storage/log/writer.py:9) 5",
    ]
    assert by_module(stacks) == {
        "app/calls/node": 3,
        "the loop itself": 2,
        "storage/log/writer (log's thread)": 5,
    }


def test_the_same_work_is_measured_after_each_rest() -> None:
    found = measure_cold(rounds=2, rests_ms=(0, 1))
    assert list(found) == [0, 1]
    assert all(spread.min_ms > 0 for spread in found.values())
