"""The judge finds nothing wrong in a run that is right, and every error that is planted."""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from chaos.checker import check, summary
from chaos.evidence import Dialled, Evidence, Fault, Side
from chaos.planted import PLANTED, first_kept
from lab.prompt import write_notice
from lab.tones import AGENT, AGENT2, CALLER, RATE, Schedule
from lab.wav import read_wav, write_wav

EPOCH = 1_000.0
CALL, CHANNEL, NUMBER = f"c-{'1' * 28}", "1700000000.1", "5000000"
RECORDING = f"r-{'1' * 28}-1"
DIALLED, TOLD, BRIDGED, OVER = 1_001.0, 1_003.0, 1_003.5, 1_008.5
"""The notice of a second ends at the second of these times."""
VOICES = {voice.name: Schedule(voice, EPOCH) for voice in (CALLER, AGENT, AGENT2)}


def said(voice: str, since: float, until: float) -> np.ndarray:
    schedule = VOICES[voice]
    return schedule.pcm(schedule.sample_at(since), round((until - since) * RATE))


def silence(since: float, until: float) -> np.ndarray:
    return np.zeros(round((until - since) * RATE), np.int16)


def a_call(directory: Path) -> Evidence:
    """A call that was told, bridged and recorded, as a run leaves it."""
    for name in ("heard", "vault", "spool"):
        (directory / name).mkdir(parents=True)
    write_notice(directory / "notice.wav", 1.0, 1)
    (notice,) = read_wav(directory / "notice.wav")
    by_caller = np.concatenate(
        (
            silence(DIALLED, TOLD - len(notice) / RATE),
            notice,
            silence(TOLD, BRIDGED),
            said("agent", BRIDGED, OVER),
        )
    )
    write_wav(directory / "heard/caller.wav", by_caller)
    write_wav(directory / "heard/agent.wav", said("caller", BRIDGED, OVER))
    kept = directory / f"vault/{RECORDING}.wav"
    write_wav(kept, *(said(voice, BRIDGED, OVER) for voice in ("caller", "agent")))
    call = Dialled(
        NUMBER,
        DIALLED,
        Side("caller", "caller.wav", DIALLED, (DIALLED, OVER)),
        OVER,
        Side("agent", "agent.wav", BRIDGED, (BRIDGED, OVER)),
        channel=CHANNEL,
        bridged=(BRIDGED, OVER),
    )
    evidence = Evidence(directory, EPOCH, 3, [call], [Fault("ari_cut", 1_004.0, 1_005.0)])
    evidence.write()
    recording = {"recording": RECORDING}
    closed = {
        **recording,
        "blanked_ms": 0,
        "header_closed": True,
        "length": "ok",
        "sha256": hashlib.sha256(kept.read_bytes()).hexdigest(),
    }
    rows = [
        ("call_arrived", {"channel": CHANNEL}),
        ("decision", {"status": "ALLOWED", "reason": "NOTICE_COMPLETED"}),
        ("recording_requested", recording),
        ("recording_closed", closed),
    ]
    lines = [json.dumps({"call": CALL, "kind": kind, "detail": detail}) for kind, detail in rows]
    (directory / "rows.jsonl").write_text("\n".join(lines) + "\n")
    write_cdr(directory, f"ALLOWED:NOTICE_COMPLETED:SERVICE:{CALL}")
    return Evidence.read(directory)


def write_cdr(directory: Path, said_of_it: str) -> None:
    with (directory / "Master.csv").open("w", newline="") as file:
        csv.writer(file).writerow(["", NUMBER, "102", "", CHANNEL, said_of_it])


def change_rows(directory: Path, kind: str, **detail: object) -> None:
    rows = [json.loads(line) for line in (directory / "rows.jsonl").read_text().splitlines()]
    for row in rows:
        if row["kind"] == kind:
            row["detail"] |= detail
    (directory / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_a_run_that_is_right(tmp_path: Path) -> None:
    evidence = a_call(tmp_path / "run")
    report = check(evidence)
    assert report.findings == []
    assert summary(evidence, report) == {
        "seed": 3,
        "calls": 1,
        "faults": {"ari_cut": 1},
        "calls_without_decision": 0,
        "calls_with_two_decisions": 0,
        "files_unaccounted": 0,
        "samples_without_notice": 0,
        "gaps_without_row": 0,
        "recordings": 1,
        "findings": [],
    }


@pytest.mark.parametrize("what", PLANTED)
def test_an_error_that_is_planted_is_found(tmp_path: Path, what: str) -> None:
    plant, found = PLANTED[what]
    a_call(tmp_path / "run")
    plant(tmp_path / "run")
    assert found(check(Evidence.read(tmp_path / "run"))) != []


@pytest.mark.parametrize(
    ("cdr", "explained"),
    [
        ("NOT_RECORDED:SERVICE_UNAVAILABLE::", True),
        ("NOT_RECORDED:HANGUP_IN_NOTICE::", True),
        ("ALLOWED:NOTICE_COMPLETED:SERVICE:", False),
        ("", False),
    ],
)
def test_asterisk_s_own_record_explains_a_call_that_never_reached_us(
    tmp_path: Path, cdr: str, explained: bool
) -> None:
    a_call(tmp_path / "run")
    PLANTED["no call at all"][0](tmp_path / "run")
    write_cdr(tmp_path / "run", cdr)
    assert (check(Evidence.read(tmp_path / "run")).findings == []) is explained


@pytest.mark.parametrize("ended", ["asterisk_killed", "asterisk_restarted"])
def test_an_asterisk_that_was_killed_says_nothing(tmp_path: Path, ended: str) -> None:
    a_call(tmp_path / "run")
    PLANTED["no call at all"][0](tmp_path / "run")
    (tmp_path / "run/Master.csv").unlink()
    evidence = Evidence.read(tmp_path / "run")
    assert len(check(evidence).without_decision) == 1
    evidence.faults.append(Fault(ended, 1_004.0, 1_005.0))
    assert check(evidence).findings == []


@pytest.mark.parametrize("ended", ["asterisk_killed", "asterisk_restarted"])
def test_nothing_is_planted_in_a_call_that_asterisk_ended(tmp_path: Path, ended: str) -> None:
    evidence = a_call(tmp_path / "run")
    evidence.faults.append(Fault(ended, 1_004.0, 1_005.0))
    evidence.write()
    with pytest.raises(ValueError):
        first_kept(tmp_path / "run")


@pytest.mark.parametrize(
    "said_of_it",
    [{"blanked_ms": 1_500}, {"header_closed": False}, {"length": "short"}],
)
def test_a_row_that_says_what_is_missing_is_enough(
    tmp_path: Path, said_of_it: dict[str, object]
) -> None:
    a_call(tmp_path / "run")
    PLANTED["silence"][0](tmp_path / "run")
    change_rows(tmp_path / "run", "recording_closed", **said_of_it)
    assert check(Evidence.read(tmp_path / "run")).findings == []


@pytest.mark.parametrize(
    ("told_until", "kept_from", "right"),
    [(1_005.0, 1_005.1, True), (1_005.0, 1_004.9, False), (None, 1_006.0, False)],
)
def test_a_guest_is_kept_only_after_his_own_notice(
    tmp_path: Path, told_until: float | None, kept_from: float, right: bool
) -> None:
    evidence = a_call(tmp_path / "run")
    (notice,) = read_wav(tmp_path / "run/notice.wav")
    heard = said("caller", 1_003.5, OVER)
    if told_until is not None:
        at = round((told_until - 1_003.5) * RATE) - len(notice)
        heard[at : at + len(notice)] += notice // 2
    write_wav(tmp_path / "run/heard/guest.wav", heard)
    evidence.calls[0].guest = Side("agent2", "guest.wav", 1_003.5, (1_003.5, OVER))
    others = np.concatenate((said("agent", BRIDGED, kept_from), said("agent2", kept_from, OVER)))
    kept = tmp_path / f"run/vault/{RECORDING}.wav"
    write_wav(kept, said("caller", BRIDGED, OVER), others)
    evidence.calls[0].bridged = (BRIDGED, kept_from)
    assert (check(evidence).without_notice == []) is right


def test_a_recording_of_nobody_s_call_is_no_good(tmp_path: Path) -> None:
    """Nobody can say what its parties heard."""
    evidence = a_call(tmp_path / "run")
    evidence.calls.clear()
    assert len(check(evidence).without_notice) == 1


def test_a_recording_that_never_ended_is_found(tmp_path: Path) -> None:
    evidence = a_call(tmp_path / "run")
    evidence.rows = [row for row in evidence.rows if row["kind"] != "recording_closed"]
    report = check(evidence)
    assert any("has no end" in finding for finding in report.without_row)
