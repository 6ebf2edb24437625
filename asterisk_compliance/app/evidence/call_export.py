"""Exporting what the log says of a call: who did that, what for, and what exactly left.

The document is made by the command (``vcon.py``, ``consent_receipt.py``); the row
``call_exported`` has its SHA-256, and is durable before the document is left anywhere. Recordings
in it were released before, each with a row of its own (``app/access/release.py``).
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from asterisk_compliance.app.access.permission import (
    UseJudgement,
    UseRefused,
    judged,
    provision_number,
    reference_of,
    refused,
    refused_draft,
    use_of,
)
from asterisk_compliance.app.access.release import find, open_kept
from asterisk_compliance.app.evidence.call_evidence import LoggedEvidence, logged_evidence
from asterisk_compliance.app.evidence.call_facts import facts_of
from asterisk_compliance.app.shared.audit_port import AuditAppender
from asterisk_compliance.app.shared.control_socket import SocketPeer, Verb
from asterisk_compliance.app.shared.marks import staff
from asterisk_compliance.clock import unix_ms
from asterisk_compliance.config.settings import Settings
from asterisk_compliance.domain.access.purpose_limitation import Action, Use, UseRefusal
from asterisk_compliance.domain.audit.rows import Draft, Kind
from asterisk_compliance.domain.third_parties.provisions import provisions_of
from asterisk_compliance.errors import ComplianceError, SealingFailed
from asterisk_compliance.ids import RecordingId

_SHA256 = re.compile(r"[0-9a-f]{64}")
_CHUNK_BYTES = 1 << 20


class ExportFormat(StrEnum):
    """What a call is exported as. Values stand in rows: never renamed, never reused."""

    VCON = "vcon"
    DPV = "dpv"


class NumbersRefused(UseRefused):
    """Who was there is named only for a purpose that was told."""

    hint = "export it without --numbers, or for a purpose that the caller was told"


class NotExported(ComplianceError):
    """What was asked for is no export."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Exported:
    """What left.

    Attributes:
        sha256: Of the document, hex.
        numbers: Telephone numbers and names are in it.
        opened: The ids of the recordings that can be heard in it.
    """

    format: ExportFormat
    sha256: str
    numbers: bool
    opened: tuple[str, ...]


def export_verbs(rows: AuditAppender, settings: Callable[[], Settings]) -> dict[str, Verb]:
    """What the control socket can be asked."""

    async def exported(peer: SocketPeer, arguments: Mapping[str, str]) -> Mapping[str, Any]:
        return await record_export(rows, settings(), peer.user, arguments)

    async def digested(peer: SocketPeer, arguments: Mapping[str, str]) -> Mapping[str, Any]:
        now, name = settings(), arguments.get("recording", "")
        return {"sha512": await asyncio.to_thread(sha512_of, now, name)}

    return {"export-call": exported, "recording-digest": digested}


async def record_export(
    rows: AuditAppender, settings: Settings, user: str, arguments: Mapping[str, str]
) -> Mapping[str, Any]:
    """Write the row of an export, on the command line's behalf, if there may be one.

    Args:
        rows: The log.
        settings: Where the store is, which purposes there are, and which roles.
        user: Who asks, as the kernel knows it.
        arguments: ``call``, ``format``, ``sha256``, ``numbers`` (not empty: they are in it),
            ``opened``, and each field of
            :class:`~asterisk_compliance.domain.access.purpose_limitation.Use`.

    Raises:
        UseRefused: behind the row that says so.
        NumbersRefused: the purpose was not told, and the document names somebody; behind such a
            row as well.
        NoEvidence: there is no such call, or it is not over.
        NotExported, NoSuchUse: what was asked for is none.
    """
    use, made = use_of(settings, arguments), _exported(arguments)
    if use.action not in {Action.EXPORT, Action.HAND_OVER}:
        raise NotExported("an export is for oneself, or handed over")
    call = arguments.get("call", "")
    found = await asyncio.to_thread(logged_evidence, settings.audit.store, call)
    permitted = await asyncio.to_thread(_judged, settings, user, use, found, made)
    if permitted.refusal is not None:
        await rows.append(refused_draft(use, permitted, found.call, found.node, "", user))
        raise refused(permitted)
    if made.numbers and use.purpose not in facts_of(found).told:
        unnamed = UseJudgement(UseRefusal.NOT_TOLD)
        await rows.append(refused_draft(use, unnamed, found.call, found.node, "", user))
        raise NumbersRefused(f"{UseRefusal.NOT_TOLD}: this purpose was not told to the caller")
    return {"seq": await rows.append(_draft(found, made, use, permitted, user))}


def _exported(arguments: Mapping[str, str]) -> Exported:
    sha256, kind = arguments.get("sha256", ""), arguments.get("format", "")
    if not _SHA256.fullmatch(sha256):
        raise NotExported("the document has no SHA-256")
    if kind not in set(ExportFormat):
        raise NotExported("there is no such format", hint=f"one of {', '.join(ExportFormat)}")
    opened = tuple(arguments.get("opened", "").split())
    return Exported(ExportFormat(kind), sha256, bool(arguments.get("numbers", "")), opened)


def _judged(
    settings: Settings, user: str, use: Use, found: LoggedEvidence, made: Exported
) -> UseJudgement:
    """As of a use of every recording that the document is about, in it or only referred to.

    A receipt is about what was told and answered; of a call of which nothing is kept, a vCon says
    no more than that. Then it is not asked what was told: that nothing was is worth exporting too.
    """
    about: list[RecordingId | None] = []
    if made.format is ExportFormat.VCON:
        about += [RecordingId(one.id) for one in facts_of(found).recordings if one.is_kept]
    each = [_judged_of(settings, user, use, found, made, one) for one in about or [None]]
    return next((one for one in each if one.refusal is not None), each[0])


def _judged_of(
    settings: Settings,
    user: str,
    use: Use,
    found: LoggedEvidence,
    made: Exported,
    recording: RecordingId | None,
) -> UseJudgement:
    """What is handed over without a voice needs no provision of the recording.

    Any provision that names the call is enough then, and nobody's voice is handed out.
    """
    asked = judged(settings, user, use, found.call, recording)
    given = provisions_of(found.rows).get(provision_number(use) or -1)
    if asked.refusal is UseRefusal.NO_PROVISION and given is not None and not made.opened:
        return judged(settings, user, replace(use, action=Action.EXPORT), found.call, recording)
    return asked


def _draft(
    found: LoggedEvidence, made: Exported, use: Use, permitted: UseJudgement, user: str
) -> Draft:
    who = staff(user)
    return Draft(
        Kind.CALL_EXPORTED,
        unix_ms(),
        found.node,
        call=found.call,
        actor=who.actor,
        detail={
            "action": use.action,
            "allowed_by": permitted.role,
            "format": made.format,
            "ground": use.ground,
            "numbers": made.numbers,
            "opened": made.opened,
            "provision": provision_number(use),
            "purpose": use.purpose,
            "reason": use.reason,
            "sha256": made.sha256,
        },
        party=who.party,
        role="staff",
        facts=(*who.facts, *reference_of(use)),
    )


def sha512_of(settings: Settings, recording: str) -> str:
    """SHA-512 of a recording's bytes in the vault, hex. Nothing of them is handed out.

    Raises:
        SealingFailed: they are not what the log says.
        NoSuchRecording, NotInVault: there are none.
    """
    kept = find(settings.audit.store, recording)
    known, wanted = hashlib.sha256(), hashlib.sha512()
    with open_kept(settings.vault.recordings, kept) as file:
        while chunk := file.read(_CHUNK_BYTES):
            known.update(chunk)
            wanted.update(chunk)
    if known.hexdigest() != kept.kept_sha256:
        raise SealingFailed("it is not what the log says", hint="run reconcile with --digests")
    return wanted.hexdigest()
