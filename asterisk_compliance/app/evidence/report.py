"""The page for people in a bundle of evidence: HTML that needs nothing else, and prints on A4."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment
from markupsafe import Markup

from asterisk_compliance.app.evidence.audio import Sought
from asterisk_compliance.app.evidence.call_evidence import LoggedEvidence
from asterisk_compliance.app.evidence.timeline import Band, Outline, draw
from asterisk_compliance.domain.access.purpose_limitation import Use
from asterisk_compliance.domain.audit.encoding import Row, milliseconds
from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.domain.policy.notice import ToldBy

_PAGE = Path(__file__).with_name("report.html")
_SIDES = ("caller", "other side")


@dataclass(frozen=True, slots=True)
class Heard:
    """What the export found in one recording.

    Attributes:
        outlines: Of each channel, as of :func:`~.evidence_audio.outline`.
        lasts_ms: Its length.
        sought: Of each notice, by its label, in each channel; what could not be looked at, a text.
    """

    recording: str
    lasts_ms: int
    outlines: Sequence[Sequence[float]]
    sought: Mapping[str, Sequence[Sought] | str]

    @property
    def found(self) -> bool:
        said = (one for one in self.sought.values() if not isinstance(one, str))
        return any(channel.found for channels in said for channel in channels)


@dataclass(frozen=True, slots=True)
class ReportWords:
    """A notice that was heard to its end, and what it said; read from the content store."""

    label: str
    seq: int
    text_digest: str
    audio_digest: str
    words: str


def report(
    found: LoggedEvidence,
    use: Use,
    heard: Sequence[Heard],
    words: Sequence[ReportWords],
    absent: Sequence[Mapping[str, str]],
) -> bytes:
    """The page, UTF-8. Whatever stands in rows is escaped.

    Args:
        found: The call.
        use: What the bundle is made for.
        heard: Recordings that were opened.
        words: Notices that were heard to their end.
        absent: ``path`` and ``why`` of what is not in the bundle.
    """
    page = Environment(autoescape=True, trim_blocks=True).from_string(_PAGE.read_text("utf-8"))
    text = page.render(
        call=found.call,
        facts=list(_facts(found, use)),
        order=list(_order(found)),
        picture=Markup(_picture(found, heard)),  # noqa: S704 - made of numbers and ids
        began=found.rows[0].at,
        opened=bool(heard),
        found=any(one.found for one in heard),
        searched=[line for one in heard for line in _searched(one)],
        notices=words,
        absent=absent,
        rows=[_cells(row) for row in found.rows],
    )
    return text.encode()


def _facts(found: LoggedEvidence, use: Use) -> Iterator[tuple[str, str, str]]:
    first = found.rows[0]
    yield "Log, node", "ログ", f"{first.log}, {first.node}"
    if found.key:
        said = f"{found.key}; compare it with the published one"
        yield "Fingerprint of its key", "鍵の指紋", said
    yield "Rows", "行数", f"{len(found.rows)}, {first.at} to {found.rows[-1].at} (UTC)"
    for row in found.of(Kind.CALL_ARRIVED):
        yield (
            "Policy, queue",
            "方針",
            f"{row.detail.get('policy')}, {row.detail.get('queue') or '-'}",
        )
    for row in found.of(Kind.NOTICE_COMPLETED):
        yield "Notice", "告知", f"{row.detail.get('notice')}, for {_joined(row, 'purposes')}"
    for row in found.of(Kind.DECISION):
        yield "Decision", "判定", f"{row.detail.get('status')}, {row.detail.get('reason')}"
        if row.detail.get("told_by") == ToldBy.PUBLICATION:
            said = f"{_joined(row, 'purposes')}, by publication: the notice names the page"
            yield "Purposes told", "利用目的の公表", said
    for entry in found.recordings:
        length = entry.get("length_ms")
        lasts = f", {length / 1000:.1f} s" if isinstance(length, int) else ""
        yield "Recording", "録音", f"{entry['recording']}: {entry['level']}{lasts}"
    for row in found.of(Kind.RECORDING_RELEASED):
        yield "Handed out", "提供", _used(row)
    for row in found.of(Kind.USE_REFUSED):
        yield "Refused", "拒否", f"{_used(row)}: {row.detail.get('refusal')}"
    ground = f", on the ground {use.ground}" if use.ground else ""
    yield "Exported for", "出力目的", f"{use.purpose}, because of {use.reason}{ground}"


def _used(row: Row) -> str:
    """Who it was stands in no row; what for, and on which ground, does."""
    said = [row.detail.get(name) for name in ("recording", "action", "purpose", "ground")]
    return f"{', '.join(str(one) for one in said if one)} ({row.at}, row {row.seq})"


def _order(found: LoggedEvidence) -> Iterator[str]:
    told = found.of(Kind.NOTICE_COMPLETED)
    for row in found.of(Kind.RECORDING_REQUESTED):
        before = [one for one in told if one.seq < row.seq]
        if before:
            at_once = " Both in one millisecond: the rows' numbers say which came first."
            yield (
                f"Caller: notice {before[0].detail.get('notice')} heard to its end at"
                f" {before[0].at} (row {before[0].seq}). Only then, at {row.at} (row {row.seq}),"
                f" could {row.detail.get('recording')} begin: no sample is older."
                f"{at_once if row.at == before[0].at else ''}"
            )
        else:
            yield f"OUT OF ORDER: row {row.seq} lets a recording begin before any notice."
    for row in found.of(Kind.RECORDING_ADOPTED):
        yield f"Row {row.seq}: the dialplan recorded alone; that a notice was heard it says itself."
    for row in found.of(Kind.PARTY_TOLD):
        notice = row.detail.get("notice")
        yield f"A party who joined heard notice {notice} to its end at {row.at} (row {row.seq})."


def _searched(heard: Heard) -> Iterator[str]:
    for label, sought in heard.sought.items():
        if isinstance(sought, str):
            yield f"{heard.recording}, notice {label}: not looked for: {sought}"
            continue
        for side, one in zip(_SIDES, sought, strict=False):
            where = f"{heard.recording}, {side}, notice {label}"
            if one.at_s is not None:
                yield f"{where}: FOUND, from {one.at_s:.2f} s on (similarity {one.best:.2f})"
            else:
                yield (
                    f"{where}: not found; {one.pieces} pieces of 0.4 s looked for,"
                    f" greatest similarity {one.best:.2f} of 1"
                )


def _picture(found: LoggedEvidence, heard: Sequence[Heard]) -> str:
    began, end = (milliseconds(found.rows[at].at) for at in (0, -1))
    ended = found.of(Kind.CALL_ENDED)[-1]
    end = min(end, milliseconds(ended.at))
    bands = [*_notices(found, end), *_captures(found, end)]
    ends = {band.name: band.until_ms for band in bands}
    outlines = [
        Outline(one.recording, ends.get(one.recording, end), one.lasts_ms, one.outlines)
        for one in heard
    ]
    return draw(began, max(end, began + 1), bands, outlines)


def _notices(found: LoggedEvidence, end: int) -> Iterator[Band]:
    over = {Kind.NOTICE_COMPLETED: "notice", Kind.NOTICE_INCOMPLETE: "notice, cut short"}
    begun: int | None = None
    for row in found.rows:
        if row.kind == Kind.NOTICE_STARTED:
            begun = milliseconds(row.at)
        elif row.kind in over and begun is not None:
            yield Band("notice", over[Kind(row.kind)], begun, milliseconds(row.at))
            begun = None


def _captures(found: LoggedEvidence, end: int) -> Iterator[Band]:
    """From the row that lets a recording begin, until it was told to end, or the call ended."""
    for row in found.of(Kind.RECORDING_REQUESTED):
        name = str(row.detail.get("recording"))
        stops = [
            milliseconds(one.at)
            for one in found.of(Kind.CAPTURE_STOPPED)
            if one.detail.get("recording") == name
        ]
        until = min([*stops, end])
        yield Band(name, "may be captured", milliseconds(row.at), max(until, milliseconds(row.at)))


def _cells(row: Row) -> dict[str, object]:
    said = ", ".join(f"{name}={_text(value)}" for name, value in sorted(row.detail.items()))
    return {"seq": row.seq, "at": row.at, "kind": row.kind, "actor": row.actor, "detail": said}


def _joined(row: Row, name: str) -> str:
    return _text(row.detail.get(name))


def _text(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
