"""Evidence about one call: what of it stands in the log, and the row that binds a bundle to it.

A bundle is handed out in this order, so that nothing in it can be exchanged later: rows of what is
released, the files, their manifest, the row ``evidence_exported`` with the manifest's digest, a
checkpoint that covers it, proofs. ``docs/evidence.md`` says what each file shows.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asterisk_compliance.app.access.permission import (
    UseJudgement,
    judged,
    reference_of,
    refused,
    refused_draft,
    use_of,
)
from asterisk_compliance.app.shared.audit_port import AuditAppender
from asterisk_compliance.app.shared.control_socket import SocketPeer, Verb
from asterisk_compliance.app.shared.marks import staff
from asterisk_compliance.clock import unix_ms
from asterisk_compliance.config.settings import Settings
from asterisk_compliance.domain.access.purpose_limitation import Action, Use
from asterisk_compliance.domain.audit.encoding import Row, decode
from asterisk_compliance.domain.audit.key_chain import KEY_KINDS
from asterisk_compliance.domain.audit.rows import Draft, Kind
from asterisk_compliance.domain.audit.signed_note import parse_verifier_key
from asterisk_compliance.errors import ComplianceError
from asterisk_compliance.ids import CallId, NodeName, is_call_id
from asterisk_compliance.storage.log.reader import ListedCall, RowQuery, StoreReader

_SHA256 = re.compile(r"[0-9a-f]{64}")


class NoEvidence(ComplianceError):
    """Nothing can be exported about this call, or not yet."""

    exit_code = 1


@dataclass(frozen=True, slots=True)
class LoggedEvidence:
    """What the log has of one call.

    Attributes:
        lines: The canonical lines of its rows, in order; ``rows`` are the same, read.
        key_lines: Those of the rows that name the log's keys.
        recordings: Entries of its recordings, by segment.
    """

    call: CallId
    lines: tuple[bytes, ...]
    rows: tuple[Row, ...]
    key_lines: tuple[bytes, ...]
    recordings: tuple[ListedCall, ...]

    @property
    def node(self) -> NodeName:
        return NodeName(self.rows[0].node)

    @property
    def key(self) -> str:
        """Fingerprint of the log's key now; empty, if no row names one."""
        named = [decode(line).detail.get("key") for line in self.key_lines]
        return parse_verifier_key(str(named[-1])).fingerprint if named else ""

    @property
    def seqs(self) -> list[int]:
        """Numbers of all these rows."""
        return [decode(line).seq for line in (*self.key_lines, *self.lines)]

    def of(self, kind: Kind) -> list[Row]:
        """Its rows of one kind."""
        return [row for row in self.rows if row.kind == kind]


def logged_evidence(store: Path, call: str) -> LoggedEvidence:
    """Read what the log has of a call that is over.

    Raises:
        NoEvidence: no row speaks of it, or it is not over.
        StoreUnavailable: the log cannot be read.
    """
    if not is_call_id(call):
        raise NoEvidence("this is no id of a call: c-…", hint="calls list names them")
    with StoreReader(store) as reader:
        lines = tuple(stored.data for stored in reader.rows(RowQuery(call=call)))
        keys = (reader.rows(RowQuery(kind=kind)) for kind in KEY_KINDS)
        key_lines = sorted((one.seq, one.data) for found in keys for one in found)
        recordings = tuple(reader.recordings(call))
    rows = tuple(map(decode, lines))
    if not rows:
        raise NoEvidence("no row speaks of this call", hint="calls list names those that are known")
    if all(row.kind != Kind.CALL_ENDED for row in rows):
        raise NoEvidence("the call is not over", hint="export it when it has ended")
    return LoggedEvidence(
        CallId(call), lines, rows, tuple(data for _, data in key_lines), recordings
    )


def exported_draft(
    found: LoggedEvidence, manifest: str, use: Use, permitted: UseJudgement, user: str
) -> Draft:
    """The row that binds a bundle to the log, by the SHA-256 of its manifest."""
    who = staff(user)
    return Draft(
        Kind.EVIDENCE_EXPORTED,
        unix_ms(),
        found.node,
        call=found.call,
        actor=who.actor,
        detail={
            "allowed_by": permitted.role,
            "ground": use.ground,
            "manifest": manifest,
            "purpose": use.purpose,
            "reason": use.reason,
        },
        party=who.party,
        role="staff",
        facts=(*who.facts, *reference_of(use)),
    )


async def export(
    rows: AuditAppender, settings: Settings, user: str, arguments: Mapping[str, str]
) -> Mapping[str, int]:
    """Write the row of a bundle, on the command line's behalf, if there may be one.

    Its recordings were released before, each by itself. Without them nobody's voice is in it, and
    what was told is not asked: that nothing was told, or recorded, is evidence too.

    Args:
        rows: The log.
        settings: Where the store is, which purposes there are, and which roles.
        user: Who asks, as the kernel knows it.
        arguments: ``call``, ``manifest``, and each field of
            :class:`~asterisk_compliance.domain.access.purpose_limitation.Use` but ``action``.

    Raises:
        UseRefused: behind the row that says so.
        NoEvidence: there is no such call, it is not over, or that is no digest.
        NoSuchUse: what was asked for is none.
    """
    use = use_of(settings, {**arguments, "action": Action.EVIDENCE})
    manifest = arguments.get("manifest", "")
    if not _SHA256.fullmatch(manifest):
        raise NoEvidence("the manifest has no SHA-256")
    call = arguments.get("call", "")
    found = await asyncio.to_thread(logged_evidence, settings.audit.store, call)
    permitted = await asyncio.to_thread(judged, settings, user, use, found.call, None)
    if permitted.refusal is not None:
        await rows.append(refused_draft(use, permitted, found.call, found.node, "", user))
        raise refused(permitted)
    return {"seq": await rows.append(exported_draft(found, manifest, use, permitted, user))}


def evidence_verbs(rows: AuditAppender, settings: Callable[[], Settings]) -> dict[str, Verb]:
    """What the control socket can be asked."""

    async def exported(peer: SocketPeer, arguments: Mapping[str, str]) -> Mapping[str, Any]:
        return await export(rows, settings(), peer.user, arguments)

    return {"evidence": exported}
