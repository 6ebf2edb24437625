"""Releasing recordings: who and for which purpose is a row before any byte is handed out.

What is handed out is what lies in the vault: sealed bytes, which only an identity opens that is
not here. Whether it may be used so is asked before (``permission.py``); who may not gets a row too.

:func:`find` says what the log knows of a recording, :func:`open_kept` opens its bytes, and
:func:`release_draft` is the row that has to be durable between the two and the first byte.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO

from asterisk_compliance.app.access.permission import (
    UseJudgement,
    judged,
    provision_number,
    reference_of,
    refused,
    refused_draft,
    use_of,
)
from asterisk_compliance.app.shared.audit_port import AuditAppender
from asterisk_compliance.app.shared.control_socket import Handed, SocketPeer, Verb
from asterisk_compliance.app.shared.marks import staff
from asterisk_compliance.clock import unix_ms
from asterisk_compliance.config.settings import Settings
from asterisk_compliance.domain.access.purpose_limitation import Action, Use
from asterisk_compliance.domain.audit.rows import Draft, Kind
from asterisk_compliance.errors import ComplianceError, StoreUnavailable
from asterisk_compliance.ids import CallId, NodeName, RecordingId, is_recording_id
from asterisk_compliance.storage.log.reader import ListedCall, RecordingQuery, StoreReader
from asterisk_compliance.storage.recordings.vault import open_recording

KEPT = frozenset({"closed", "sealed"})


class DrillProblem(StrEnum):
    """Why a drill failed."""

    NO_KEY = "NO_KEY"
    """No identity of the officer opens it."""
    DAMAGED = "DAMAGED"
    """It is not what age wrote."""
    DIFFERS = "DIFFERS"
    """It opens, and holds something else than what was closed."""


class NoSuchRecording(ComplianceError):
    hint = "recordings list names those that are kept"


class NotInVault(StoreUnavailable):
    """The log says that it is kept, and we do not find it, or may not read it.

    That is so of one recording, not of the store.
    """

    exit_code = 1
    hint = "only the service's user may read the vault; is it missing? run reconcile"


@dataclass(frozen=True, slots=True)
class VaultedRecording:
    """A recording that is in the vault, as the log knows it.

    Attributes:
        node: Which Asterisk it is from.
        sealed: It is encrypted.
        sha256: Of the stereo WAV itself, hex.
        kept_sha256: Of the bytes in the vault, hex: of the ciphertext, if it is sealed.
    """

    recording: RecordingId
    call: CallId
    node: NodeName
    sealed: bool
    sha256: str
    kept_sha256: str

    @classmethod
    def of(cls, entry: ListedCall) -> VaultedRecording:
        sealed = entry["level"] == "sealed"
        sha256 = str(entry["sha256"])
        return cls(
            RecordingId(str(entry["recording"])),
            CallId(str(entry["call"])),
            NodeName(str(entry["node"])),
            sealed,
            sha256,
            str(entry["sealed_sha256"]) if sealed else sha256,
        )

    def answer(self, seq: int) -> Mapping[str, str | int | bool]:
        """What goes with the bytes."""
        return {
            "call": self.call,
            "kept_sha256": self.kept_sha256,
            "recording": self.recording,
            "sealed": self.sealed,
            "seq": seq,
            "sha256": self.sha256,
        }


def find(store: Path, recording: str) -> VaultedRecording:
    """What the log knows of a recording that is kept.

    Raises:
        NoSuchRecording: no row speaks of it, or it is not kept, or not any more.
        StoreUnavailable: the log cannot be read.
    """
    if not is_recording_id(recording):
        raise NoSuchRecording("this is no id of a recording: r-…")
    with StoreReader(store) as reader:
        found = reader.every_recording(RecordingQuery(recording=recording))
    if not found:
        raise NoSuchRecording("no row speaks of this recording")
    if found[0]["level"] not in KEPT:
        raise NoSuchRecording(f"this recording is not kept: {found[0]['level']}")
    return VaultedRecording.of(found[0])


def any_sealed(store: Path) -> VaultedRecording:
    """One of all sealed recordings, by chance.

    Raises:
        NoSuchRecording: there is none.
    """
    with StoreReader(store) as reader:
        found = reader.every_recording(RecordingQuery(level="sealed"))
    if not found:
        raise NoSuchRecording("no recording is sealed yet", hint="place a call, and try again")
    return VaultedRecording.of(secrets.choice(found))


def open_kept(vault: Path, kept: VaultedRecording) -> BinaryIO:
    """Its bytes, as they lie in the vault. To be given to nobody before the row is durable.

    Raises:
        NotInVault: the file is not there, or we may not read it.
    """
    try:
        return open_recording(vault, kept.recording, sealed=kept.sealed)
    except OSError as error:
        raise NotInVault(f"{kept.recording}: {error.strerror}") from None


def release_draft(kept: VaultedRecording, use: Use, found: UseJudgement, user: str) -> Draft:
    """The row that says who gets it, and what for; durable before a byte leaves."""
    who = staff(user)
    return Draft(
        Kind.RECORDING_RELEASED,
        unix_ms(),
        kept.node,
        call=kept.call,
        actor=who.actor,
        detail={
            "action": use.action,
            "allowed_by": found.role,
            "ground": use.ground,
            "provision": provision_number(use),
            "purpose": use.purpose,
            "reason": use.reason,
            "recording": kept.recording,
            "request": use.request,
            "sealed": kept.sealed,
            "sha256": kept.kept_sha256,
            "told": found.told,
        },
        party=who.party,
        role="staff",
        facts=(*who.facts, *reference_of(use)),
    )


def drill_draft(kept: VaultedRecording, sha256: str, problem: str, user: str) -> Draft:
    """The row of a drill: whether what the officer decrypted is what was closed.

    Args:
        kept: The recording.
        sha256: Of what was decrypted, hex; empty if nothing was.
        problem: Why nothing was, a value of :class:`DrillProblem`.
        user: Whose drill it is.
    """
    if sha256 == kept.sha256:
        problem = ""
    elif problem not in set(DrillProblem):
        problem = DrillProblem.DIFFERS
    who = staff(user)
    return Draft(
        Kind.RECORDING_DRILLED,
        unix_ms(),
        kept.node,
        call=kept.call,
        actor=who.actor,
        detail={
            "opened": not problem,
            "problem": problem,
            "recording": kept.recording,
        },
        party=who.party,
        role="staff",
        facts=who.facts,
    )


def release_verbs(rows: AuditAppender, settings: Callable[[], Settings]) -> dict[str, Verb]:
    """What the control socket can be asked."""

    async def released(peer: SocketPeer, arguments: Mapping[str, str]) -> Handed:
        return await release(rows, settings(), peer.user, arguments)

    async def drilled(peer: SocketPeer, arguments: Mapping[str, str]) -> Mapping[str, Any]:
        return await report_drill(rows, settings(), peer.user, arguments)

    return {"release": released, "drilled": drilled}


async def release(
    rows: AuditAppender, settings: Settings, user: str, arguments: Mapping[str, str]
) -> Handed:
    """Release a recording on the command line's behalf, if it may be used so.

    Args:
        rows: The log.
        settings: Where store and vault are, which purposes there are, and which roles.
        user: Who asks, as the kernel knows it.
        arguments: ``recording``, and each field of
            :class:`~asterisk_compliance.domain.access.purpose_limitation.Use`.

    Raises:
        UseRefused: behind the row that says so.
        NoSuchRecording, NoSuchUse, StoreUnavailable: nothing is handed out.
    """
    use = use_of(settings, arguments)
    kept = await asyncio.to_thread(find, settings.audit.store, arguments.get("recording", ""))
    if use.action is Action.DRILL and not kept.sealed:
        raise NoSuchRecording("this recording is not sealed: no key opens it")
    found = await asyncio.to_thread(judged, settings, user, use, kept.call, kept.recording)
    if found.refusal is not None:
        await rows.append(refused_draft(use, found, kept.call, kept.node, kept.recording, user))
        raise refused(found)
    file = await asyncio.to_thread(open_kept, settings.vault.recordings, kept)
    try:
        seq = await rows.append(release_draft(kept, use, found, user))
    except BaseException:
        file.close()
        raise
    return Handed(kept.answer(seq), file)


async def report_drill(
    rows: AuditAppender, settings: Settings, user: str, arguments: Mapping[str, str]
) -> Mapping[str, int | bool]:
    """Write down what came of a drill, on the command line's behalf.

    Args:
        rows: The log.
        settings: As of :func:`release`.
        user: As of :func:`release`.
        arguments: ``recording``, ``sha256`` and ``problem``, as of :func:`drill_draft`.
    """
    recording = arguments.get("recording", "")
    kept = await asyncio.to_thread(find, settings.audit.store, recording)
    draft = drill_draft(kept, arguments.get("sha256", ""), arguments.get("problem", ""), user)
    return {"opened": draft.detail["opened"] is True, "seq": await rows.append(draft)}
