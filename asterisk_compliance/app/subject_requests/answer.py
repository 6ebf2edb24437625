"""The package for a person who asked for a recording: what the log says, and the recording itself.

    answer.html  answer.json  receipt.txt     for reading, for programs, to be kept
    recording-1.wav …                         the person's own direction, or both
    notice-1.wav …                            what was said before, as it was played

Who asked to whom something was handed over gets the first three, with the records of provision.

Everything in it but the audio is made of rows, of the content store, and of the configuration. It
names nobody but those who received something: who listened is told by role, purpose and time. What
can be said of a recording that is gone is said without it. ``docs/hearing.md`` explains it to the
compliance officer.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from asterisk_compliance import verify
from asterisk_compliance.app.access.release import KEPT
from asterisk_compliance.app.policy.prompts import purposes_of
from asterisk_compliance.app.retention.kept_until import kept_until
from asterisk_compliance.app.retention.plan import today_of
from asterisk_compliance.app.subject_requests.answer_page import page
from asterisk_compliance.app.subject_requests.receipts import receipt
from asterisk_compliance.app.subject_requests.steps import NotPossible, find
from asterisk_compliance.app.third_parties.provisions import shown
from asterisk_compliance.config.settings import Settings
from asterisk_compliance.domain.audit.call_record import minted_ms
from asterisk_compliance.domain.audit.encoding import Row, decode, timestamp
from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.domain.deadlines import Regime
from asterisk_compliance.domain.purposes import PurposeCode
from asterisk_compliance.domain.recording.assurance_words import Recorded, recorded
from asterisk_compliance.domain.retention.schedule import Today
from asterisk_compliance.domain.subject_requests.codes import Right
from asterisk_compliance.domain.subject_requests.requests import SubjectRequest
from asterisk_compliance.errors import StoreError
from asterisk_compliance.ids import CallId, RecordingId
from asterisk_compliance.storage.content_store import ContentStore
from asterisk_compliance.storage.log.reader import ListedCall, RowQuery, StoreReader
from asterisk_compliance.storage.queries.subject_requests import corrections

FORMAT = "asterisk-compliance answer 1"
LANGUAGES = ("ja", "en")
_TELLS = (Kind.NOTICE_COMPLETED, Kind.RECORDING_ADOPTED)
_PACKED = frozenset({Right.HEAR, Right.COPY, Right.PROVISIONS})
"""What people ask for that can be put into a package."""
_PROVIDED = ("provision", "day", "country", "abroad", "ground", "items")
_RECIPIENT = ("name", "address", "representative")


@dataclass(frozen=True, slots=True)
class Answerable:
    """What a request opens.

    Attributes:
        calls: The granted ones, the oldest first.
        recordings: Those of them that can be opened, in order, each with its call.
        unfinished: How many there are of which nobody knows yet what comes of them.
        language: In which the first notice was heard, if it is one of ours; else English.
    """

    request: SubjectRequest
    calls: tuple[CallId, ...]
    recordings: tuple[tuple[RecordingId, CallId], ...]
    unfinished: int
    language: str

    @property
    def has_audio(self) -> bool:
        return self.request.right is not Right.PROVISIONS

    @property
    def has_provisions(self) -> bool:
        """GDPR Article 15(1)(c): who asks for his data hears of the recipients too."""
        copied = self.request.right is Right.COPY and self.request.regime == Regime.EU
        return copied or self.request.right is Right.PROVISIONS


@dataclass(slots=True)
class _Files:
    """What goes beside the page, by name."""

    files: dict[str, bytes] = field(default_factory=dict)
    notices: dict[str, str] = field(default_factory=dict)


def answerable(settings: Settings, request: str) -> Answerable:
    """What a package for this request would hold.

    Raises:
        BadRequest, NoSuchRequest: there is none.
        NotPossible: it is not granted, or asks for nothing that can be packed.
        StoreUnavailable: the log cannot be read.
    """
    with StoreReader(settings.audit.store) as reader:
        known = find(reader, request)
        calls = tuple(sorted(known.granted)) if known.right in _PACKED else ()
        if not calls:
            hint = f"for {', '.join(sorted(_PACKED))}, when it is granted: requests show"
            raise NotPossible("there is no package for this request", hint=hint)
        opened = [call for call in calls if known.opens(call)]
        found = [(one, call) for call in opened for one in reader.recordings(call)]
        recordings = tuple(
            (RecordingId(str(one["recording"])), call)
            for one, call in found
            if one["level"] in KEPT
        )
        unfinished = sum(recorded(str(one["level"])) is Recorded.OPEN for one, _ in found)
        said = (_language(row) for call in calls for row in _told(_rows(reader, call)))
        language = next(said, "")
    chosen = language if language in LANGUAGES else "en"
    return Answerable(known, calls, recordings, unfinished, chosen)


def package(
    settings: Settings,
    what: Answerable,
    audio: Mapping[RecordingId, bytes],
    language: str,
    made_ms: int,
) -> dict[str, bytes]:
    """The files of the package, by name.

    Args:
        settings: Whose company it is, and for how long it keeps what.
        what: As of :func:`answerable`.
        audio: The WAV of each recording, as the person gets it. Its release is a row by now.
        language: Of the page: one of :data:`LANGUAGES`.
        made_ms: When, in Unix milliseconds.

    Raises:
        StoreUnavailable: the log cannot be read.
    """
    beside = _Files()
    with StoreReader(settings.audit.store) as reader:
        calls = [
            {
                "began_at": timestamp(minted_ms(call)),
                "call": call,
                **(
                    _call(reader, settings, call, audio, beside, language) if what.has_audio else {}
                ),
                **(_provided(reader, settings, call) if what.has_provisions else {}),
            }
            for call in what.calls
        ]
        kept = receipt(reader, what.request, settings, language)
    facts = {
        "calls": calls,
        "controller": _controller(settings),
        "directions": str(settings.answers.directions) if what.has_audio else None,
        "format": FORMAT,
        "language": language,
        "made_at": timestamp(made_ms),
        "request": what.request.request,
    }
    written = json.dumps(facts, indent=1, sort_keys=True, ensure_ascii=False)
    zone = settings.rules.time_zone
    return {
        **beside.files,
        "answer.html": page(facts, language, zone),
        "answer.json": written.encode() + b"\n",
        "receipt.txt": kept.encode(),
    }


def archived(files: Mapping[str, bytes]) -> bytes:
    """The package as one file, a zip; the same files always make the same bytes."""
    return b"".join(piece for _, piece in verify.archive(dict(files)))


def package_digest(archive: bytes) -> str:
    """How rows name a package: the SHA-256 of the zip, in hex."""
    return sha256(archive).hexdigest()


def _controller(settings: Settings) -> Mapping[str, str]:
    who = settings.controller
    return {"contact": who.contact, "name": who.name, "page": who.page}


def _rows(reader: StoreReader, call: CallId) -> list[Row]:
    return [decode(one.data) for one in reader.rows(RowQuery(call=call))]


def _told(rows: list[Row]) -> Iterator[Row]:
    return (row for row in rows if row.kind in _TELLS)


def _language(row: Row) -> str:
    return str(row.detail.get("notice")).rpartition("/")[2]


def _call(
    reader: StoreReader,
    settings: Settings,
    call: CallId,
    audio: Mapping[RecordingId, bytes],
    beside: _Files,
    language: str,
) -> Mapping[str, Any]:
    rows = _rows(reader, call)
    ended = [row.at for row in rows if row.kind == Kind.CALL_ENDED]
    entries = reader.recordings(call)
    decided = next((row.detail for row in rows if row.kind == Kind.DECISION), {})
    content, today = ContentStore(settings.audit.store), today_of(settings)
    return {
        "corrections": [{"at": one.at, "text": one.text} for one in corrections(reader, call)],
        "decision": {"reason": decided.get("reason"), "status": decided.get("status")},
        "ended_at": ended[-1] if ended else None,
        "notices": [_notice(row, content, beside) for row in _told(rows)],
        "purposes": _purposes(rows, settings, language),
        "recordings": [_recording(one, rows, today, audio, beside) for one in entries],
        "uses": [
            _use(row, settings, language) for row in rows if row.kind == Kind.RECORDING_RELEASED
        ],
    }


def _provided(reader: StoreReader, settings: Settings, call: CallId) -> Mapping[str, Any]:
    """To whom something of a call was handed over, as the records say."""
    found = [one.as_json() for one in
             shown(reader, settings.provisions.keep, call=call, names=True)]  # fmt: skip
    return {
        "provisions": [
            {name: one[name] for name in _PROVIDED}
            | {"recipient": {name: one.get("recipient", {}).get(name, "") for name in _RECIPIENT}}
            for one in found
        ],
    }


def _notice(row: Row, content: ContentStore, beside: _Files) -> Mapping[str, Any]:
    """What was heard; its audio is in the package once, however often it was heard."""
    digest = str(row.detail.get("audio_digest"))
    if digest not in beside.notices:
        sound = _content(content, digest)
        name = f"notice-{len(beside.notices) + 1}.wav" if sound is not None else ""
        beside.notices[digest] = name
        if sound is not None:
            beside.files[name] = sound
    words = _content(content, str(row.detail.get("text_digest")))
    return {
        "audio_sha256": digest,
        "file": beside.notices[digest],
        "heard_at": row.at,
        "notice": row.detail.get("notice"),
        "words": None if words is None else words.decode("utf-8", "replace"),
    }


def _content(kept: ContentStore, digest: str) -> bytes | None:
    try:
        return kept.get(digest)
    except StoreError:
        return None


def _purposes(rows: list[Row], settings: Settings, language: str) -> list[Mapping[str, str]]:
    """What the person was told that a recording may serve, in the order of the codes."""
    said = {code for row in _told(rows) for code in _codes(row.detail.get("purposes"))}
    return [{"code": code, "label": _label(code, settings, language)} for code in sorted(said)]


def _codes(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, tuple) else ()


def _recording(
    entry: ListedCall,
    rows: list[Row],
    today: Today,
    audio: Mapping[RecordingId, bytes],
    beside: _Files,
) -> Mapping[str, Any]:
    recording = RecordingId(str(entry["recording"]))
    level = str(entry["level"])
    name = ""
    if recording in audio:
        name = f"recording-{1 + sum(one.startswith('recording-') for one in beside.files)}.wav"
        beside.files[name] = audio[recording]
    became = recorded(level)
    goes = kept_until(recording, rows, today) if became is Recorded.KEPT else None
    return {
        "became": became,
        "file": name,
        "gone_at": entry["level_at"] if became is Recorded.GONE else None,
        "kept_until": None if goes is None else timestamp(goes.at_ms),
        "length_ms": entry["length_ms"],
        "recording": recording,
        "sha256": sha256(audio[recording]).hexdigest() if recording in audio else None,
    }


def _use(row: Row, settings: Settings, language: str) -> Mapping[str, Any]:
    """Who had it: by role, never by name."""
    said = row.detail
    purpose = str(said.get("purpose"))
    return {
        "action": said.get("action"),
        "at": row.at,
        "ground": said.get("ground") or None,
        "purpose": purpose,
        "purpose_label": _label(purpose, settings, language),
        "reason": said.get("reason"),
        "role": said.get("allowed_by") or None,
    }


def _label(code: str, settings: Settings, language: str) -> str:
    known = purposes_of(settings).get(PurposeCode(code))
    return known.label.get(language, code) if known is not None else code
