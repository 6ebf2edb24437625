"""What must be so when a run is over, judged by who knows what really happened.

It reads the rows as bytes, the files as bytes, and the simulated Asterisk; nothing that the
service computed. It is told of no fault but by their times: what a fault excuses stands here.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections import Counter, defaultdict
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from simulation.ari_side import EPOCH_S
from simulation.recorder import RATE, SHIFT, Truth
from simulation.schedule import NOTICE_S, Fault
from simulation.site import Site
from simulation.story import Played, Story

Row = dict[str, Any]

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
    "recording_stalled",
    "recording_unjudged",
}
GAP_S = 1.2
"""So much of what a caller said in a bridge may be missing without a row."""
MARGIN_S = 1.0
"""``notice_margin_s`` of the settings; then the service gives a caller up."""
STORE_S = 1.0
SLACK_S = 0.7
HEADER = 44
ANSWER_S = 0.1
"""The row of a resume is written when Asterisk's answer is there."""
AT_ONCE_S = 0.3
"""Who has left before ARI confirmed him has no row, and another life does not know of him."""


class Oracle:
    """Asks everything; ``findings`` are sentences, none if all is well."""

    def __init__(self, site: Site, story: Story) -> None:
        self.site, self.story = site, story
        self.findings: list[str] = []
        self.rows = _rows(site.store)
        self.by_call: dict[str, list[Row]] = defaultdict(list)
        for row in self.rows:
            if row["call"]:
                self.by_call[row["call"]].append(row)

    def look(self) -> list[str]:
        self.findings += self.site.defects
        self.findings += [f"an error on the loop: {error}" for error in self.site.loop.errors]
        self._no_defect_is_logged()
        for call, rows in self.by_call.items():
            self._one_decision(call, rows)
            self._every_request_is_concluded(call, rows)
            self._it_is_over(call, rows)
        self._what_was_handed_over_is_logged()
        self._whoever_was_served_is_known()
        self._nobody_is_held()
        self._nobody_is_captured_untold()
        self._nobody_counts_as_told_untold()
        self._vault()
        self._spool()
        self._quarantine()
        for played in self.story.calls:
            self._what_is_missing_is_said(played)
        return self.findings

    @property
    def next_start_mends(self) -> bool:
        """Rows that a disk refused, and what a stranded call was promised, wait for it."""
        codes = {row["detail"].get("code") for row in self.rows if row["kind"] == "anomaly"}
        return self._store_failed or "STRANDED" in codes

    def _say(self, sentence: str) -> None:
        self.findings.append(sentence)

    # -- the log -----------------------------------------------------------------------------

    def _no_defect_is_logged(self) -> None:
        for row in self.rows:
            if row["kind"] == "anomaly" and row["detail"].get("code") == "INTERNAL_ERROR":
                self._say(f"the service has a defect: {row['call']}")

    def _one_decision(self, call: str, rows: list[Row]) -> None:
        if self._store_failed and not any(row["kind"] == "call_arrived" for row in rows):
            return  # its CDR says what became of it
        decisions = [row["detail"]["reason"] for row in rows if row["kind"] == "decision"]
        if len(decisions) != 1:
            self._say(f"{call} has {len(decisions)} decisions: {decisions}")

    def _every_request_is_concluded(self, call: str, rows: list[Row]) -> None:
        said = Counter(row["detail"]["recording"] for row in rows if row["kind"] in CONCLUSIONS)
        for row in rows:
            if row["kind"] == "recording_requested" and not said[row["detail"]["recording"]]:
                self._say(f"{row['detail']['recording']} was asked for, and has no end")

    def _it_is_over(self, call: str, rows: list[Row]) -> None:
        ends = sum(row["kind"] == "call_ended" for row in rows)
        if ends != 1:
            self._say(f"{call} has ended {ends} times")

    def _what_was_handed_over_is_logged(self) -> None:
        for dialplan in self.site.dialplans:
            for channel, said in dialplan.said.items():
                status, reason, call = said.split(":")
                if not call:
                    continue
                decided = [
                    (row["detail"]["status"], row["detail"]["reason"])
                    for row in self.by_call.get(call, [])
                    if row["kind"] == "decision"
                ]
                if status == "ALLOWED" and (status, reason) not in decided:
                    self._say(f"{channel} was told {said}, and the log says {decided}")

    def _whoever_was_served_is_known(self) -> None:
        known = {row["detail"]["channel"] for row in self.rows if row["kind"] == "call_arrived"}
        for dialplan in self.site.dialplans:
            for channel, said in dialplan.said.items():
                _, _, call = said.split(":")
                if call and channel not in known and not self._store_failed:
                    self._say(f"{channel} was served as {call}, and no row says that it arrived")

    @property
    def _store_failed(self) -> bool:
        return Fault.STORE_FAILS in self.story.schedule.kinds

    # -- people ------------------------------------------------------------------------------

    def _nobody_is_held(self) -> None:
        """Whom a fault holds goes on by the routine's own limit; nobody else waits for it."""
        longest_s = NOTICE_S + MARGIN_S + STORE_S + SLACK_S
        if self.story.schedule.kinds & {
            Fault.ARI_DROP,
            Fault.ARI_STALL,
            Fault.CRASHES,
            Fault.FREEZE,
            Fault.KILL,
            Fault.KILL_AT_COMMIT,
            Fault.STOP,
        }:
            longest_s += 5.0
        for dialplan in self.site.dialplans:
            for stay in dialplan.held:
                until_s = self.site.loop.now if stay.until_s is None else stay.until_s
                if until_s - stay.since_s > longest_s:
                    self._say(f"{stay.channel} was held for {until_s - stay.since_s:.1f} s")

    def _nobody_is_captured_untold(self) -> None:
        for dialplan in self.site.dialplans:
            for recording in dialplan.begun_uncovered:
                self._say(f"{recording} was begun before its party was told")

    def _nobody_counts_as_told_untold(self) -> None:
        heard = {played.channel.id for played in self.story.calls if played.heard}
        for call, rows in self.by_call.items():
            arrived = next((r for r in rows if r["kind"] == "call_arrived"), None)
            if arrived is None or arrived["detail"]["channel"] in heard:
                continue
            if any(row["kind"] == "notice_completed" for row in rows):
                self._say(f"{call}: the log says told, and the caller has not heard the notice")

    # -- files -------------------------------------------------------------------------------

    def _of(self, kind: str) -> dict[str, Row]:
        return {r["detail"]["recording"]: r["detail"] for r in self.rows if r["kind"] == kind}

    def _vault(self) -> None:
        closed, removed = self._of("recording_closed"), self._of("recording_removed")
        there = {path.stem: path for path in self.site.vault.glob("r-*.wav")}
        for recording, path in sorted(there.items()):
            if self._store_failed and recording in self._of("recording_unjudged"):
                continue  # what the life before kept, its row was refused
            if recording not in closed or recording in removed:
                self._say(f"{path.name} is in the vault without a row")
            elif hashlib.sha256(path.read_bytes()).hexdigest() != closed[recording]["sha256"]:
                self._say(f"{path.name} is not what its row says")
            self._nothing_of_the_untold(path, self.site.truths[recording])
            self._nothing_of_a_pause(path, self.site.truths[recording])
        for recording in sorted(closed.keys() - removed.keys() - there.keys()):
            self._say(f"{recording} was kept, and is not in the vault")

    def _spool(self) -> None:
        left = self._of("recording_unjudged")
        for path in sorted(self.site.spool.iterdir()):
            recording = path.stem.rpartition("-")[0]
            if recording not in left:
                self._say(f"{path.name} is in the spool without a row")

    def _quarantine(self) -> None:
        known = {
            row["detail"]["file"]: row["detail"]["sha256"]
            for row in self.rows
            if row["kind"] == "file_quarantined"
        }
        for path in sorted((self.site.vault / "quarantine").glob("*")):
            if hashlib.sha256(path.read_bytes()).hexdigest() != known.get(path.name):
                self._say(f"{path.name} is in quarantine without its row")

    def _nothing_of_the_untold(self, path: Path, truth: Truth) -> None:
        kept = _samples(path)
        for stretch in truth.stretches:
            part = kept[stretch.begin : stretch.begin + stretch.samples]
            at_once = self._left_at_once(truth)
            if self._store_failed and self._closed_by_another_life(truth.recording):
                return  # what the rows would have said that were refused, nobody knows
            for side, bits in ((0, stretch.not_kept_rx), (1, stretch.not_kept_tx & ~at_once)):
                bad = np.flatnonzero((part[:, side] >> SHIFT) & bits) if bits else ()
                if len(bad):
                    at_s = stretch.at_s + bad[0] / RATE
                    self._say(
                        f"{path.name} keeps {len(bad) / RATE * 1_000:.0f} ms of somebody"
                        f" untold (party {bits}), from {at_s:.3f} s on"
                    )
                    return

    def _nothing_of_a_pause(self, path: Path, truth: Truth) -> None:
        """What was said between the rows of a pause and of its end."""
        if Fault.CLOCK in self.story.schedule.kinds:
            return  # the rows' times are no moments
        kept = _samples(path)
        for since_s, until_s in self._pauses(truth.recording):
            for stretch in truth.stretches:
                begin = round((since_s - stretch.at_s) * RATE)
                end = round((until_s - stretch.at_s) * RATE)
                first = stretch.begin + min(max(begin, 0), stretch.samples)
                last = stretch.begin + min(max(end, 0), stretch.samples)
                if first < last and kept[first:last].any():
                    at_s = stretch.at_s + (first - stretch.begin) / RATE
                    self._say(f"{path.name} keeps what was said in a pause, at {at_s:.3f} s")
                    return

    def _pauses(self, recording: str) -> list[tuple[float, float]]:
        found, since_s = [], None
        for row in self.rows:
            if row["detail"].get("recording") != recording:
                continue
            everybody = row["detail"].get("mute") == "all"
            if row["kind"] == "capture_paused" and everybody and since_s is None:
                since_s = _at_s(row)
            elif row["kind"] == "capture_resumed" and since_s is not None:
                found.append((since_s, _at_s(row) - ANSWER_S))
                since_s = None
        return found if since_s is None else [*found, (since_s, self.site.loop.now)]

    def _closed_by_another_life(self, recording: str) -> bool:
        seqs = {
            row["kind"]: row["seq"]
            for row in self.rows
            if row["detail"].get("recording") == recording
        }
        asked, closed = seqs["recording_requested"], seqs.get("recording_closed", 0)
        return any(
            row["kind"] == "service_started" and asked < row["seq"] < closed for row in self.rows
        )

    def _left_at_once(self, truth: Truth) -> int:
        """Who left before he was confirmed: another life does not know (docs/testing.md)."""
        if not self._closed_by_another_life(truth.recording):
            return 0
        played = next(one for one in self.story.calls if one.channel.id == truth.channel)
        joined = {r["detail"]["channel"] for r in self.rows if r["kind"] == "party_joined"}
        bits = 0
        for channel, since_s, until_s in played.presences(self.site.loop.now):
            if channel.id not in joined and until_s - since_s < AT_ONCE_S:
                bits |= channel.party.bit
        return bits

    # -- what is lost ------------------------------------------------------------------------

    def _what_is_missing_is_said(self, played: Played) -> None:
        """What the caller said while he was recorded is there, or a row says that it is not."""
        channel = played.channel.id
        for call, rows in self.by_call.items():
            if any(r["kind"] == "call_arrived" and r["detail"]["channel"] == channel for r in rows):
                self._of_call(call, rows, played)

    def _of_call(self, call: str, rows: list[Row], played: Played) -> None:
        allowed = any(r["kind"] == "decision" and r["detail"]["status"] == "ALLOWED" for r in rows)
        if self._store_failed or not allowed or any(row["kind"] in LOSSES for row in rows):
            return
        late = any(r["kind"] == "call_ended" and r["detail"].get("observed_late") for r in rows)
        if late or any(row["kind"] == "anomaly" for row in rows):
            return
        closed = [row["detail"] for row in rows if row["kind"] == "recording_closed"]
        said_s = GAP_S + sum(detail["blanked_ms"] for detail in closed) / 1_000
        said_s += sum(2.2 for detail in closed if not detail["header_closed"])
        if any(detail["length"] == "short" for detail in closed):
            return
        kept_s = sum(
            np.count_nonzero(_samples(path)[:, 0]) / RATE
            for path in self.site.vault.glob(f"r-{call[2:]}-*.wav")
        )
        lost_s = played.bridged_s - kept_s
        if lost_s > said_s:
            self._say(f"{call}: {lost_s:.2f} of {played.bridged_s:.2f} s are missing")


def _rows(store: Path) -> list[Row]:
    with sqlite3.connect(f"file:{store}/audit.sqlite3?mode=ro", uri=True) as db:
        found = [json.loads(text) for (text,) in db.execute("SELECT row FROM rows ORDER BY seq")]
    db.close()
    return found


def _at_s(row: Row) -> float:
    return datetime.fromisoformat(row["at"]).timestamp() - EPOCH_S


def _samples(path: Path) -> np.ndarray[Any, Any]:
    return np.frombuffer(path.read_bytes()[HEADER:], "<i2").reshape(-1, 2)
