"""The files of a bundle of evidence: which there are, and what each holds.

README.txt  report.html  verify.py     for people
rows.jsonl  keys.jsonl                 the call's rows, and those that name the log's keys
notice/  recording/                    words and audio by digest; the recording, or not
manifest.json                          SHA-256 of all of these, and why something is not there
exported.jsonl                         the row with the SHA-256 of the manifest
proofs.json  checkpoint.txt            that all rows stand in the log, which is signed
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from asterisk_compliance import verify
from asterisk_compliance.app.evidence.audio import (
    NoticeSearch,
    NotLookedAt,
    Sought,
    channels_of,
    outline,
)
from asterisk_compliance.app.evidence.call_evidence import LoggedEvidence
from asterisk_compliance.app.evidence.report import Heard, ReportWords, report
from asterisk_compliance.domain.access.purpose_limitation import Use
from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.errors import StoreError
from asterisk_compliance.storage.content_store import ContentStore
from asterisk_compliance.storage.proofs.prover import Proven
from asterisk_compliance.version import __version__

COLUMNS = 600
_TELLS = (Kind.NOTICE_COMPLETED, Kind.PARTY_TOLD, Kind.RECORDING_ADOPTED)
_MEMBERS = (("text_digest", ".txt"), ("audio_digest", ".wav"))

_README = """\
Evidence of one telephone call: {call}

1. Get the public key of the log, or its fingerprint, from where the site publishes it.
   Not from this bundle: whoever made up a bundle would have put his own key into it.
2. pip install cryptography, and then, here or beside the archive:

       python verify.py --key KEY

   It says what it checked, what is wrong and where, and what nobody can see from here.
   verify.py has fewer than 300 lines, so that you can read it first. A copy that you have from
   elsewhere, or asterisk-compliance evidence verify, tells you more than one that came with this.
3. report.html is for reading and printing. It proves nothing.

A recording that ends in .wav.age is sealed: age -d -i KEY opens it, and rows.jsonl has the SHA-256
of what must be in it (recording_closed).
"""


@dataclass(slots=True)
class Content:
    """A bundle in the making: its files by path, and what is not in it."""

    files: dict[str, bytes] = field(default_factory=dict)
    absent: list[dict[str, str]] = field(default_factory=list)

    def lacks(self, path: str, why: str) -> None:
        self.absent.append({"path": path, "why": why})


@dataclass(frozen=True, slots=True)
class ListedContent:
    """A recording as it was handed out: opened, or as it is sealed."""

    recording: str
    data: bytes
    opened: bool


@dataclass(frozen=True, slots=True)
class Made:
    """Everything that the manifest covers, and the manifest.

    Attributes:
        heard: What was found in the recordings that were opened.
    """

    files: Mapping[str, bytes]
    heard: tuple[Heard, ...]

    @property
    def digest(self) -> str:
        """SHA-256 of the manifest, hex: what binds all of it."""
        return sha256(self.files["manifest.json"]).hexdigest()


def make(
    store: Path,
    found: LoggedEvidence,
    taken: Sequence[ListedContent],
    use: Use,
    tell: Callable[[str], None],
) -> Made:
    """Everything but the row of the export and its proofs.

    Args:
        store: Where the words and the audio of notices are.
        found: The call, with the rows of what was released.
        taken: Its recordings, as far as they are handed out.
        use: What for.
        tell: Told what takes long.
    """
    content = Content()
    _add_notices(content, ContentStore(store), found)
    _add_recordings(content, found, taken)
    heard = tuple(_listened(content, found, taken, tell))
    content.files |= {
        "README.txt": _README.format(call=found.call).encode(),
        "keys.jsonl": _lines(found.key_lines),
        "report.html": report(found, use, heard, _words(content, found), content.absent),
        "rows.jsonl": _lines(found.lines),
        "verify.py": Path(verify.__file__).read_bytes(),
    }
    content.files["manifest.json"] = _manifest(content, found, heard)
    return Made(content.files, heard)


def complete(made: Made, proven: Proven, exported: int) -> dict[str, bytes]:
    """The whole bundle: with the row of the export, proofs and the checkpoint."""
    paths = {
        str(seq): [b64encode(step).decode() for step in proof.path]
        for seq, proof in proven.proofs.items()
    }
    return {
        **made.files,
        "checkpoint.txt": proven.checkpoint.note.encode(),
        "exported.jsonl": _lines([proven.proofs[exported].row]),
        "proofs.json": verify.canonical(paths) + b"\n",
    }


def _add_notices(content: Content, kept: ContentStore, found: LoggedEvidence) -> None:
    named = {
        f"notice/{digest}{suffix}": str(digest)
        for row in found.rows
        for member, suffix in _MEMBERS
        if (digest := row.detail.get(member))
    }
    for path, digest in sorted(named.items()):
        try:
            content.files[path] = kept.get(digest)
        except StoreError as error:
            content.lacks(path, f"the store does not give it: {error}")


def _add_recordings(
    content: Content, found: LoggedEvidence, taken: Sequence[ListedContent]
) -> None:
    handed = {one.recording: one for one in taken}
    for entry in found.recordings:
        recording, level = str(entry["recording"]), str(entry["level"])
        path = f"recording/{recording}.wav"
        one = handed.get(recording)
        if one is None:
            kept = level in {"closed", "sealed"}
            content.lacks(path, "it was not asked for" if kept else f"the log says: {level}")
        elif one.opened:
            content.files[path] = one.data
        else:
            content.files[path + ".age"] = one.data
            content.lacks(path, "it is sealed, and was not opened by the export")
        sealed = any(
            row.detail.get("recording") == recording for row in found.of(Kind.RECORDING_SEALED)
        )
        if sealed and path + ".age" not in content.files:
            opened = path in content.files
            content.lacks(path + ".age", "it was opened" if opened else "as of the .wav")


def _listened(
    content: Content,
    found: LoggedEvidence,
    taken: Sequence[ListedContent],
    tell: Callable[[str], None],
) -> Iterator[Heard]:
    for one in taken:
        if not one.opened:
            continue
        tell(f"looking for the notice in {one.recording}")
        try:
            channels = channels_of(one.data)
        except NotLookedAt as error:
            yield Heard(one.recording, 0, (), {"any": str(error)})
            continue
        sought: dict[str, list[Sought] | str] = {}
        for label, digest in _notices(found):
            audio = content.files.get(f"notice/{digest}.wav")
            try:
                if audio is None:
                    raise NotLookedAt("its audio is not in the store any more")  # noqa: TRY301
                search = NoticeSearch(channels_of(audio)[0])
                sought[label] = [search.look(channel) for channel in channels]
            except NotLookedAt as error:
                sought[label] = str(error)
        lasts_ms = max(map(len, channels)) // 8
        outlines = [outline(channel, COLUMNS) for channel in channels]
        yield Heard(one.recording, lasts_ms, outlines, sought)


def _notices(found: LoggedEvidence) -> list[tuple[str, str]]:
    """Label and audio of every notice that was heard to its end, each once."""
    rows = (row for row in found.rows if row.kind in _TELLS)
    named = {str(row.detail.get("notice")): str(row.detail.get("audio_digest")) for row in rows}
    return sorted(named.items())


def _words(content: Content, found: LoggedEvidence) -> list[ReportWords]:
    said = []
    for row in found.rows:
        if row.kind in _TELLS:
            text, audio = (str(row.detail.get(member)) for member, _ in _MEMBERS)
            words = content.files.get(f"notice/{text}.txt", b"(not in the store any more)")
            label = str(row.detail.get("notice"))
            said.append(ReportWords(label, row.seq, text, audio, words.decode("utf-8", "replace")))
    return said


def _manifest(content: Content, found: LoggedEvidence, heard: Sequence[Heard]) -> bytes:
    files = [
        {"path": path, "sha256": sha256(data).hexdigest(), "bytes": len(data)}
        for path, data in sorted(content.files.items())
    ]
    said = {
        "absent": content.absent,
        "call": found.call,
        "files": files,
        "format": verify.FORMAT,
        "made_by": f"asterisk-compliance {__version__}",
        "notice_in_recording": {one.recording: one.found for one in heard},
    }
    return json.dumps(said, indent=1, sort_keys=True, ensure_ascii=False).encode() + b"\n"


def _lines(lines: Sequence[bytes]) -> bytes:
    return b"".join(line + b"\n" for line in lines)
