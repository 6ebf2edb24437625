"""Errors that a judge must find, planted into what a run left."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from chaos.checker import LOSSES, Report
from chaos.evidence import Evidence
from lab.tones import RATE
from lab.wav import read_wav, write_wav

Row = dict[str, Any]


def first_kept(directory: Path) -> Path:
    """The longest recording of a call to which nothing happened that explains an error."""
    evidence = Evidence.read(directory)
    told = {channel for channel, _ in evidence.cdrs().values()}
    died = {evidence.channel_of(call) for call in evidence.calls if evidence.died_under(call)}

    def is_plain(path: Path) -> bool:
        rows = {row["kind"]: row["detail"] for row in evidence.rows if _is_of(row, path)}
        channel, closed = rows["call_arrived"]["channel"], rows["recording_closed"]
        untouched = (
            closed["header_closed"] and not closed["blanked_ms"] and not rows.keys() & LOSSES
        )
        return bool(untouched and channel in told - died)

    kept = filter(is_plain, (directory / "vault").glob("r-*.wav"))
    return max(kept, key=lambda path: path.stat().st_size)


def _rewrite(directory: Path, change: Callable[[list[Row]], list[Row]]) -> None:
    file = directory / "rows.jsonl"
    rows = change([json.loads(line) for line in file.read_text().splitlines()])
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))


def _is_of(row: Row, path: Path) -> bool:
    return bool(row["call"] == f"c-{path.stem[2:30]}")


def no_decision(directory: Path) -> None:
    kept = first_kept(directory)
    _rewrite(
        directory,
        lambda rows: [r for r in rows if not (_is_of(r, kept) and r["kind"] == "decision")],
    )


def two_decisions(directory: Path) -> None:
    _rewrite(
        directory, lambda rows: [*rows, next(row for row in rows if row["kind"] == "decision")]
    )


def no_call_at_all(directory: Path) -> None:
    """As if the service had never seen a call that it decided."""
    kept = first_kept(directory)
    _rewrite(directory, lambda rows: [row for row in rows if not _is_of(row, kept)])
    kept.unlink()


def a_file_that_nobody_knows(directory: Path) -> None:
    (directory / "spool" / f"r-{'0' * 28}-1-rx.wav").write_bytes(b"sound")


def a_file_that_moved(directory: Path) -> None:
    first_kept(directory).rename(directory / "elsewhere.wav")


def a_file_that_changed(directory: Path) -> None:
    kept = first_kept(directory)
    data = bytearray(kept.read_bytes())
    data[-1] ^= 1
    kept.write_bytes(data)


def a_file_without_its_row(directory: Path) -> None:
    kept = first_kept(directory)
    _rewrite(
        directory,
        lambda rows: [r for r in rows if not (_is_of(r, kept) and r["kind"] == "recording_closed")],
    )


def a_strange_file_in_quarantine(directory: Path) -> None:
    aside = directory / "vault/quarantine"
    aside.mkdir(exist_ok=True)
    (aside / f"r-{'0' * 28}-1-rx.wav").write_bytes(b"sound")


def _replace_audio(directory: Path, change: Callable[[Path], None]) -> None:
    """Change a recording, and its row with it."""
    kept = first_kept(directory)
    change(kept)
    digest = hashlib.sha256(kept.read_bytes()).hexdigest()

    def with_digest(rows: list[Row]) -> list[Row]:
        for row in rows:
            if row["kind"] == "recording_closed" and row["detail"]["recording"] == kept.stem:
                row["detail"]["sha256"] = digest
        return rows

    _rewrite(directory, with_digest)


def audio_before_the_notice(directory: Path) -> None:
    """Half a second of the caller from before the end of the notice stands at the beginning."""
    evidence = Evidence.read(directory)
    kept = first_kept(directory)
    channels = {
        row["call"]: row["detail"]["channel"]
        for row in evidence.rows
        if row["kind"] == "call_arrived"
    }
    numbers = {channel: number for number, (channel, _) in evidence.cdrs().items()}
    channel = channels[f"c-{kept.stem[2:30]}"]
    (dialled,) = (
        one
        for one in evidence.calls
        if one.channel == channel or one.number == numbers.get(channel)
    )
    schedule = evidence.schedule(dialled.caller.voice)
    early = schedule.pcm(schedule.sample_at(dialled.since + 0.2), RATE)

    def before(path: Path) -> None:
        left, right = read_wav(path)
        write_wav(
            path, np.concatenate((early, left)), np.concatenate((np.zeros_like(early), right))
        )

    _replace_audio(directory, before)


def a_second_and_a_half_of_silence(directory: Path) -> None:
    def silent(path: Path) -> None:
        channels = read_wav(path)
        for pcm in channels:
            pcm[: RATE * 3 // 2] = 0
        write_wav(path, *channels)

    _replace_audio(directory, silent)


PLANTED: dict[str, tuple[Callable[[Path], None], Callable[[Report], list[str]]]] = {
    "no decision": (no_decision, lambda report: report.without_decision),
    "two decisions": (two_decisions, lambda report: report.two_decisions),
    "no call at all": (no_call_at_all, lambda report: report.without_decision),
    "unknown in the spool": (a_file_that_nobody_knows, lambda report: report.unaccounted),
    "moved": (a_file_that_moved, lambda report: report.unaccounted),
    "changed": (a_file_that_changed, lambda report: report.unaccounted),
    "no row of it": (a_file_without_its_row, lambda report: report.unaccounted),
    "quarantine": (a_strange_file_in_quarantine, lambda report: report.unaccounted),
    "before the notice": (audio_before_the_notice, lambda report: report.without_notice),
    "silence": (a_second_and_a_half_of_silence, lambda report: report.without_row),
}
"""What is planted, and where it must be found."""
