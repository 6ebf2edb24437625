"""The judge of a run: from telephones, files, Asterisk's record and exported rows alone.

Nothing here is the service's own code. What it asks:

1. Every call that reached the service has exactly one decision; of one that did not, Asterisk's
   record says why, or Asterisk itself was killed under it.
2. Every file in the vault, in quarantine and in the spool has the row that accounts for it, with
   its digest; every row that says that a file is kept has its file.
3. No sample is kept of anybody that is older than the end of the notice that the caller heard.
4. What two telephones said to each other while the call was allowed to be recorded is in a file;
   where more than a second of it is missing, a row says so.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from chaos.evidence import Dialled, Evidence, Side
from lab.g711 import Pcm
from lab.hearing import Capture, NoticeHeard, nothing_before_notice
from lab.notice_search import NoticeSearch
from lab.rtp import FRAME_S
from lab.tone_spans import _HOP, _WINDOW, Span, _notes, find_spans
from lab.wav import read_wav
from values import replace

LEFT, RIGHT = 0, 1
GAP_S = 1.0
"""So much of what was said may be missing without a row: joining and leaving the bridge."""
UNFLUSHED_S = 2.1
"""So much is missing at the end of a file that Asterisk had no time to close, at most."""
EDGE_S = 0.3
"""What a telephone says so soon after the answer, or before it hangs up, may not arrive."""
_FITS = 0.9
_UNDATED_S = 0.1
CONCLUSIONS = {
    "recording_closed",
    "recording_empty",
    "recording_missing",
    "recording_unjudged",
}
LOSSES = {
    "audio_lost",
    "capture_paused",
    "capture_stopped",
    "recording_empty",
    "recording_missing",
    "recording_unjudged",
}
_REASONS = {"SERVICE_UNAVAILABLE", "SERVICE_TIMED_OUT", "HANGUP_IN_NOTICE"}

Row = dict[str, Any]


@dataclass
class Report:
    """What was found: for each question the sentences that say what is wrong."""

    without_decision: list[str] = field(default_factory=list)
    two_decisions: list[str] = field(default_factory=list)
    unaccounted: list[str] = field(default_factory=list)
    without_notice: list[str] = field(default_factory=list)
    without_row: list[str] = field(default_factory=list)

    @property
    def findings(self) -> list[str]:
        return [
            *self.without_decision,
            *self.two_decisions,
            *self.unaccounted,
            *self.without_notice,
            *self.without_row,
        ]


def check(evidence: Evidence) -> Report:
    return _Check(evidence).run()


def summary(evidence: Evidence, report: Report) -> dict[str, Any]:
    """The numbers of a run, for a machine."""
    return {
        "seed": evidence.seed,
        "calls": len(evidence.calls),
        "faults": dict(Counter(fault.kind for fault in evidence.faults)),
        "calls_without_decision": len(report.without_decision),
        "calls_with_two_decisions": len(report.two_decisions),
        "files_unaccounted": len(report.unaccounted),
        "samples_without_notice": len(report.without_notice),
        "gaps_without_row": len(report.without_row),
        "recordings": len(list((evidence.directory / "vault").glob("r-*.wav"))),
        "findings": report.findings,
    }


class _Check:
    def __init__(self, evidence: Evidence) -> None:
        self.evidence, self.report = evidence, Report()
        self.search = NoticeSearch(read_wav(evidence.directory / "notice.wav")[0])
        self.by_call: dict[str, list[Row]] = defaultdict(list)
        for row in evidence.rows:
            if row["call"]:
                self.by_call[row["call"]].append(row)
        self.call_of: dict[str, str] = {
            row["detail"]["channel"]: call
            for call, rows in self.by_call.items()
            for row in rows
            if row["kind"] == "call_arrived"
        }
        self.cdrs = evidence.cdrs()

    def run(self) -> Report:
        for call, rows in sorted(self.by_call.items()):
            self._decided_once(call, rows)
            self._concluded(call, rows)
        for dialled in self.evidence.calls:
            self._reached_us_or_not(dialled)
        self._vault()
        self._quarantine()
        self._spool()
        self._audio()
        return self.report

    # -- 1: decisions ----------------------------------------------------------------------

    def _decided_once(self, call: str, rows: list[Row]) -> None:
        decisions = [row for row in rows if row["kind"] == "decision"]
        if not decisions:
            self.report.without_decision.append(f"{call} has no decision")
        if len(decisions) > 1:
            self.report.two_decisions.append(f"{call} has {len(decisions)} decisions")

    def _reached_us_or_not(self, dialled: Dialled) -> None:
        channel, said = self.cdrs.get(dialled.number, (dialled.channel, ""))
        if channel in self.call_of or self.evidence.died_under(dialled):
            return
        if said.split(":")[1:2] and said.split(":")[1] in _REASONS:
            return
        self.report.without_decision.append(
            f"{dialled.number} (channel {channel or 'unknown'}) has no row, and its CDR {said!r}"
        )

    # -- 2: files --------------------------------------------------------------------------

    def _concluded(self, call: str, rows: list[Row]) -> None:
        asked = [row["detail"]["recording"] for row in rows if row["kind"] == "recording_requested"]
        done = {row["detail"]["recording"] for row in rows if row["kind"] in CONCLUSIONS}
        for recording in asked:
            if recording not in done:
                self.report.without_row.append(f"{recording} was asked for, and has no end")

    def _rows(self, kind: str) -> list[Row]:
        return [row for row in self.evidence.rows if row["kind"] == kind]

    def _of(self, kind: str) -> dict[str, Row]:
        """By recording, the last row of a kind."""
        return {row["detail"]["recording"]: row["detail"] for row in self._rows(kind)}

    def _vault(self) -> None:
        closed, removed = self._of("recording_closed"), self._of("recording_removed")
        there = {path.stem: path for path in self.evidence.files("vault") if self._is_kept(path)}
        for recording, path in there.items():
            if recording not in closed or recording in removed:
                self.report.unaccounted.append(f"{path.name} is in the vault without a row")
            elif _digest(path) != closed[recording]["sha256"]:
                self.report.unaccounted.append(f"{path.name} is not what its row says")
        for recording in closed.keys() - removed.keys() - there.keys():
            self.report.unaccounted.append(f"{recording} was kept and is not in the vault")

    def _is_kept(self, path: Path) -> bool:
        return path.parent.name != "quarantine"

    def _quarantine(self) -> None:
        known = {row["detail"]["file"]: row["detail"] for row in self._rows("file_quarantined")}
        for path in self.evidence.files("vault"):
            if not self._is_kept(path) and _digest(path) != known.get(path.name, {}).get("sha256"):
                self.report.unaccounted.append(f"{path.name} is in quarantine without its row")

    def _spool(self) -> None:
        left = self._of("recording_unjudged")
        for path in self.evidence.files("spool"):
            if path.stem.rpartition("-")[0] not in left:
                self.report.unaccounted.append(f"{path.name} is in the spool without a row")

    # -- 3 and 4: audio --------------------------------------------------------------------

    def _audio(self) -> None:
        files = defaultdict(list)
        for path in sorted((self.evidence.directory / "vault").glob("r-*.wav")):
            files[f"c-{path.stem[2:30]}"].append(path)
        for dialled in self.evidence.calls:
            channel, _ = self.cdrs.get(dialled.number, (dialled.channel, ""))
            call = self.call_of.get(channel, "")
            captures = [self._read(path, dialled) for path in files.pop(call, [])]
            notice = self._notice(dialled.caller)
            for capture in captures:
                claim = nothing_before_notice(capture, notice)
                if not claim.ok and not self._fits_after(capture, dialled, notice):
                    self.report.without_notice.append(f"{call}: {claim.measured}")
            if dialled.guest is not None:
                self._told_the_guest(call, dialled, dialled.guest, captures)
            if call:
                self._said_what_is_missing(call, dialled, captures)
        for call in files:
            self.report.without_notice.append(f"nobody knows who is in the recordings of {call}")

    def _read(self, path: Path, dialled: Dialled) -> Capture:
        sides = (dialled.caller, dialled.agent, dialled.guest)
        voices = [side.voice for side in sides if side is not None]
        schedules = {voice: self.evidence.schedule(voice) for voice in voices}
        return Capture.read(path, schedules, self.search, dialled.since, dialled.until)

    def _told_the_guest(
        self, call: str, dialled: Dialled, guest: Side, captures: list[Capture]
    ) -> None:
        """Nothing of him is kept from before the end of the notice that he heard himself."""
        told = self._notice(guest)
        for capture in captures:
            mine = [one for one in capture.voiceprints if one.party == guest.voice]
            only = replace(capture, voiceprints=tuple(mine))
            if mine and not self._fits_after(only, dialled, told):
                begins = [span.clock_start for one in mine for span in one.spans]
                said = f"{begins}, and he was told until {told.ended_at}"
                self.report.without_notice.append(f"{call}: the guest is kept from {said}")

    def _fits_after(self, capture: Capture, dialled: Dialled, notice: NoticeHeard) -> bool:
        """Half a second or less can look like several times, and is not dated by its tones alone.

        It is taken for what was said after the notice if as a whole it fits a time after it.
        """
        if notice.ended_at is None or not notice.completed:
            return False
        since = notice.ended_at - FRAME_S
        return all(
            self._fits(capture.channels[print_.channel], print_.party, since, dialled.until)
            if print_.undated_s > _UNDATED_S
            else all(span.clock_start >= since for span in print_.spans)
            for print_ in capture.voiceprints
        )

    def _fits(self, pcm: Pcm, voice: str, since: float, until: float) -> bool:
        """Whether nine tenths of this audio can have been said between two times."""
        schedule = self.evidence.schedule(voice)
        notes = _notes(pcm, schedule.voice)
        clear = np.flatnonzero(notes >= 0)
        if not len(clear):
            return False
        places = (clear - clear[0]) * _HOP + _WINDOW // 2
        begins = np.arange(schedule.sample_at(since), schedule.sample_at(until), _HOP)
        fits = [np.mean(schedule.letters(begin + places) == notes[clear]) for begin in begins]
        return max(fits, default=0.0) >= _FITS

    def _notice(self, side: Side) -> NoticeHeard:
        return NoticeHeard.of(self.search, self.evidence.heard(side))

    def _said_what_is_missing(self, call: str, dialled: Dialled, captures: list[Capture]) -> None:
        rows = self.by_call[call]
        allowed = any(r["kind"] == "decision" and r["detail"]["status"] == "ALLOWED" for r in rows)
        if dialled.bridged is None or dialled.agent is None or not allowed:
            return
        for channel, speaker, listener in (
            (LEFT, dialled.caller, dialled.agent),
            (RIGHT, dialled.agent, dialled.caller),
        ):
            said_s = self._arrived_s(speaker, listener, dialled.bridged)
            kept = (
                span
                for capture in captures
                for print_ in capture.voiceprints
                if (print_.party, print_.channel) == (speaker.voice, channel)
                for span in print_.spans
            )
            kept_s = _within_s(kept, dialled.bridged)
            lost_s = said_s - kept_s
            if lost_s > GAP_S and not _is_said(rows, lost_s):
                self.report.without_row.append(
                    f"{call}: {lost_s:.2f} of {said_s:.2f} s of {speaker.voice} are missing"
                )

    def _arrived_s(self, speaker: Side, listener: Side, bridged: tuple[float, float]) -> float:
        """How much of a voice went through Asterisk: the other telephone received it."""
        heard = self.evidence.heard(listener)
        return _within_s(
            find_spans(heard.pcm, self.evidence.schedule(speaker.voice), *bridged), bridged
        )


def _within_s(spans: Iterable[Span], bridged: tuple[float, float]) -> float:
    """How much of it was said while both were surely connected."""
    since, until = bridged[0] + EDGE_S, bridged[1] - EDGE_S
    return sum(
        max(0.0, min(span.clock_end, until) - max(span.clock_start, since)) for span in spans
    )


def _is_said(rows: list[Row], lost_s: float) -> bool:
    """Whether a row of the call accounts for so much that is missing."""
    if any(row["kind"] in LOSSES for row in rows):
        return True
    closed = [row["detail"] for row in rows if row["kind"] == "recording_closed"]
    said_s = GAP_S + sum(detail["blanked_ms"] / 1_000 for detail in closed)
    said_s += sum(UNFLUSHED_S for detail in closed if not detail["header_closed"])
    return lost_s <= said_s or any(detail["length"] == "short" for detail in closed)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
