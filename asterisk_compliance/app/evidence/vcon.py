"""A call as a vCon: the container for conversations of the IETF's working group.

Written by the drafts that :data:`DRAFTS` names, for the same rows and configuration byte for byte
the same. Who was there stands as an id that means nothing elsewhere; telephone numbers only where
somebody asked for them. ``docs/export.md`` says what each part holds and what it cannot say;
``docs/decisions/0015-vcon-without-a-library.md`` why no library writes it.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

from asterisk_compliance.app.evidence.call_facts import (
    ExportedCall,
    ExportNotice,
    Recording,
    lasted_ms,
)
from asterisk_compliance.app.evidence.consent_receipt import purposes_as_jsonld
from asterisk_compliance.config.settings import Settings
from asterisk_compliance.version import __version__

SYNTAX: Final = "0.4.0"
DRAFTS: Final = (
    "draft-ietf-vcon-vcon-core-03",
    "draft-howe-vcon-consent-00",
    "draft-howe-vcon-lawful-basis-02",
)
CONSENT_DRAFT: Final = "draft-howe-vcon-consent-00"
CONTROLLER: Final = 1
"""Index of the party that the site itself is."""
_STATUSES: Final[Mapping[str, str]] = {
    "given": "granted",
    "not_refused": "granted",
    "refused": "denied",
    "expired": "denied",
    "withdrawn": "revoked",
}
"""States of rows ``consent`` in the words of draft-howe-vcon-consent."""
_HUNG_UP: Final = frozenset({"HANGUP_IN_NOTICE", "DIALLER_GONE"})
_MEDIA_TYPE: Final = "audio/x-wav"
_BITS_62: Final = (1 << 62) - 1


@dataclass(frozen=True, slots=True)
class Audio:
    """What of a recording goes into the vCon.

    Attributes:
        body: The opened recording; empty: it is only referred to.
        sha512: Of the bytes in the vault, where they are only referred to.
    """

    body: bytes = b""
    sha512: bytes = b""


@dataclass(frozen=True, slots=True)
class Material:
    """What a vCon is made of beside the rows.

    Attributes:
        words: The wording of notices, by digest; what the store does not have is not in it.
        audio: By recording.
        numbers: Personal values by party id, then field; empty: nobody is named.
    """

    words: Mapping[str, str] = field(default_factory=dict)
    audio: Mapping[str, Audio] = field(default_factory=dict)
    numbers: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def vcon(settings: Settings, facts: ExportedCall, material: Material) -> dict[str, Any]:
    """The unsigned form (core draft, section 4)."""
    attachments = list(_attachments(settings, facts, material))
    made: dict[str, Any] = {
        "vcon": SYNTAX,
        "uuid": uuid_of(facts),
        "created_at": date_time(facts.ended_at),
        "updated_at": date_time(facts.changed_at),
        "parties": _parties(settings, facts, material),
        "dialog": _dialogs(settings, facts, material),
        "attachments": attachments,
        "analysis": [],
    }
    if any(one["purpose"] == "consent" for one in attachments):
        made["extensions"] = ["consent"]
    if any(one["purpose"] == "lawful_basis" for one in attachments):
        made["extensions"] = [*made.get("extensions", []), "lawful_basis"]
    if missing := _redactions(settings, facts, material):
        made["redacted"] = {"type": " ".join(missing)}
    return made


def uuid_of(facts: ExportedCall) -> str:
    """Version 8 (RFC 9562): the milliseconds of the call's id, then a digest of log and call.

    The draft would take the digest of a host's name, so that only 12 bits told two calls of one
    millisecond apart.
    """
    digest = int.from_bytes(sha256(f"{facts.log} {facts.call}".encode()).digest())
    high = int(facts.call[2:14], 16) << 16 | 0x8000 | (digest >> 62) & 0xFFF
    low = 0b10 << 62 | digest & _BITS_62
    text = f"{high << 64 | low:032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def date_time(at: str) -> str:
    """As the draft wants it: without a fraction that is zero (RFC 8620, 1.4)."""
    return at.replace(".000Z", "Z")


def token(algorithm: str, digest: bytes) -> str:
    """A ``ContentHash``."""
    return f"{algorithm}-{urlsafe_b64encode(digest).rstrip(b'=').decode()}"


# -- who ------------------------------------------------------------------------------------------


def _parties(settings: Settings, facts: ExportedCall, material: Material) -> list[dict[str, Any]]:
    told, *joined = facts.parties
    organisation = {"name": settings.controller.name, "type": "organization", "validation": "none"}
    return [
        _person(told.id, material),
        organisation,
        *(_person(party.id, material) for party in joined),
    ]


def _person(party: str, material: Material) -> dict[str, Any]:
    known = material.numbers.get(party, {})
    said: dict[str, Any] = {"uuid": party} if party else {}
    if number := known.get("number"):
        said["tel"] = number
    if name := known.get("name"):
        return {**said, "name": name, "validation": "none"}
    return {**said, "name": "anonymous"}


def _index(party: int) -> int:
    """The site itself stands between the told party and those who joined."""
    return party if party == 0 else party + 1


# -- what was said --------------------------------------------------------------------------------


def _dialogs(settings: Settings, facts: ExportedCall, material: Material) -> list[dict[str, Any]]:
    found = [
        _recorded(settings, facts, one, material.audio.get(one.id))
        for one in facts.recordings
        if one.is_kept
    ]
    if found:
        found[0]["party_history"] = list(_history(facts))
        return found
    if facts.reason in _HUNG_UP:
        return [{**_whole(facts), "type": "incomplete", "disposition": "hung-up"}]
    return [{**_whole(facts), "type": "recording-set", "recordings": []}]


def _whole(facts: ExportedCall) -> dict[str, Any]:
    """The call itself, where nothing of it is kept."""
    everybody = [0, CONTROLLER, *range(2, len(facts.parties) + 1)]
    return {
        "start": date_time(facts.arrived_at),
        "duration": _seconds(lasted_ms(facts)),
        "parties": everybody,
        **_originator(facts),
        "party_history": list(_history(facts)),
    }


def _recorded(
    settings: Settings, facts: ExportedCall, one: Recording, audio: Audio | None
) -> dict[str, Any]:
    """One recording: left is the told party, right everybody else."""
    said: dict[str, Any] = {
        "type": "recording",
        "start": date_time(one.start),
        "parties": [0, _right(facts, one)],
        **_originator(facts),
        "mediatype": _MEDIA_TYPE,
    }
    if one.length_ms is not None:
        said["duration"] = _seconds(one.length_ms)
    if audio is not None and audio.body:
        body = urlsafe_b64encode(audio.body).rstrip(b"=").decode()
        return {**said, "filename": f"{one.id}.wav", "encoding": "base64url", "body": body}
    return {**said, **_referred(settings, one, audio)}


def _referred(settings: Settings, one: Recording, audio: Audio | None) -> dict[str, Any]:
    """Where the bytes of the vault can be fetched, and what they must be."""
    said: dict[str, Any] = {"filename": f"{one.id}.wav{'.age' if one.sealed else ''}"}
    if one.sealed:
        said["mediatype"] = "application/octet-stream"
    hashes = [token("sha256", bytes.fromhex(one.kept_sha256))]
    if audio is not None and audio.sha512:
        hashes.insert(0, token("sha512", audio.sha512))
    said["content_hash"] = hashes
    if template := settings.export.recording_url:
        said["url"] = template.replace("{recording}", one.id)
    return said


def _right(facts: ExportedCall, one: Recording) -> Any:
    """Who is captured beside the told party (core draft, ``parties``); ``None``: nobody.

    Where no row knows of anybody, whoever spoke there spoke for the site.
    """
    heard = [_index(number) for number in one.heard]
    if not one.others:
        return None
    if len(facts.parties) == 1:
        return CONTROLLER
    return heard if len(heard) > 1 else next(iter(heard), None)


def _originator(facts: ExportedCall) -> dict[str, int]:
    """Who called, where that is not whoever stands first (core draft, ``originator``)."""
    return {"originator": CONTROLLER} if facts.leg == "callee" else {}


def _history(facts: ExportedCall) -> Iterator[dict[str, Any]]:
    for number, party in enumerate(facts.parties):
        if party.joined_at:
            yield {"party": _index(number), "time": date_time(party.joined_at), "event": "join"}


def _seconds(ms: int) -> int | float:
    return ms // 1_000 if ms % 1_000 == 0 else ms / 1_000


# -- what goes with it ----------------------------------------------------------------------------


def _attachments(
    settings: Settings, facts: ExportedCall, material: Material
) -> Iterator[dict[str, Any]]:
    for notice in facts.notices:
        yield _attached("notice", notice.at, _notice(notice, material), _index(notice.party))
    if consent := _consent(facts):
        yield {**_attached("consent", facts.answers[-1].at, consent, 0), **consent}
    for basis, body in sorted(_bases(settings, facts).items()):
        yield _attached("lawful_basis", facts.decided_at, {"lawful_basis": basis, **body}, 0)
    if facts.told:
        body = purposes_as_jsonld(settings, facts)
        yield {
            **_attached("dpv", facts.decided_at or facts.ended_at, body, CONTROLLER),
            "mediatype": "application/ld+json",
        }
    yield _attached("audit_log", facts.changed_at, _audit(facts), CONTROLLER)


def _attached(purpose: str, at: str, body: Mapping[str, Any], party: int) -> dict[str, Any]:
    return {
        "purpose": purpose,
        "start": date_time(at),
        "party": party,
        "dialog": 0,
        "mediatype": "application/json",
        "encoding": "json",
        "body": body,
    }


def _notice(notice: ExportNotice, material: Material) -> dict[str, Any]:
    name, version, language = [*notice.label.split("/"), "", ""][:3]
    return {
        "id": name,
        "version": version,
        "language": language,
        "purposes": list(notice.purposes),
        "wording": material.words.get(notice.text_digest),
        "wording_sha256": notice.text_digest,
        "audio_sha256": notice.audio_digest,
        "length_ms": notice.length_ms,
        "lasted_ms": notice.lasted_ms,
        "completed_at": date_time(notice.at),
        "proven_by": "dialplan" if notice.by_dialplan else "service",
        "row": notice.row,
    }


def _consent(facts: ExportedCall) -> dict[str, Any] | None:
    """The fields that draft-howe-vcon-consent asks for, where somebody was asked or withdrew."""
    if not facts.answers:
        return None
    answer = facts.answers[-1]
    status, at = _STATUSES[answer.state], date_time(answer.at)
    return {
        "type": "consent",
        "version": CONSENT_DRAFT,
        "expiration": None,
        "party": 0,
        "dialog": 0,
        "consents": [
            {"purpose": purpose, "status": status, "timestamp": at}
            for purpose in ("recording", *facts.told)
        ],
        "proof": [
            {"type": "audit_row", "timestamp": date_time(one.at), "value": f"{facts.log}/{one.row}"}
            for one in facts.answers
        ],
    }


def _bases(settings: Settings, facts: ExportedCall) -> dict[str, dict[str, Any]]:
    """By lawful basis: what it covers. A purpose whose basis nobody configured is in none."""
    answered = facts.answers[-1].at if facts.answers else ""
    at = date_time(answered or facts.decided_at or facts.ended_at)
    named = settings.publication.basis
    found: dict[str, dict[str, Any]] = {}
    for purpose in facts.told:
        asked = _STATUSES.get(facts.state)
        basis = "consent" if asked else str(named.get(purpose, "")).replace("-", "_")
        if not basis:
            continue
        granted = asked == "granted" if basis == "consent" else facts.status == "ALLOWED"
        body = found.setdefault(
            basis,
            {"expiration": None, "purpose_grants": [], "proof_mechanisms": list(_proofs(facts))},
        )
        grant = {"purpose": purpose, "granted": granted, "granted_at": at}
        body["purpose_grants"].append(grant)
    return found


def _proofs(facts: ExportedCall) -> Iterator[dict[str, Any]]:
    said = [(one.at, one.row) for one in facts.notices]
    said += [(one.at, one.row) for one in facts.answers]
    for at, row in said:
        yield {
            "proof_type": "external_system",
            "timestamp": date_time(at),
            "proof_data": {"log": facts.log, "row": row},
        }


def _audit(facts: ExportedCall) -> dict[str, Any]:
    """Where all of it stands, for whoever wants proofs: ``audit prove``, ``evidence export``."""
    return {
        "call": facts.call,
        "log": facts.log,
        "rows": list(facts.rows),
        "decision": {
            "status": facts.status,
            "reason": facts.reason,
            "purposes_told_by": facts.told_by,
        },
        "drafts": list(DRAFTS),
        "written_by": f"asterisk-compliance {__version__}",
        "recordings": [{"recording": one.id, "level": one.level} for one in facts.recordings],
    }


def _redactions(settings: Settings, facts: ExportedCall, material: Material) -> list[str]:
    """What is known and not in it."""
    left_out = []
    if not material.numbers:
        left_out.append("parties")
    kept = [one for one in facts.recordings if one.is_kept]
    in_it = [one for one in kept if (audio := material.audio.get(one.id)) and audio.body]
    if len(in_it) < len(kept) and not settings.export.recording_url:
        left_out.append("recordings")
    return left_out
