"""The row of a package: what was made for whom is in the log before the file is there."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from typing import Any

from asterisk_compliance.app.shared.audit_port import AuditAppender
from asterisk_compliance.app.shared.control_socket import SocketPeer, Verb
from asterisk_compliance.app.shared.marks import staff
from asterisk_compliance.app.subject_requests.answer import Answerable, answerable
from asterisk_compliance.clock import unix_ms
from asterisk_compliance.config.consistency import SERVICE_NODE
from asterisk_compliance.config.settings import Settings
from asterisk_compliance.domain.audit.rows import Draft, Kind
from asterisk_compliance.errors import ComplianceError
from asterisk_compliance.ids import NodeName

_SHA256 = re.compile(r"[0-9a-f]{64}")


class NoPackage(ComplianceError):
    exit_code = 2


def packaged_draft(
    what: Answerable, recordings: tuple[str, ...], directions: str, sha256: str, user: str
) -> Draft:
    """The row that says what was made: the SHA-256 of the file, and what is in it."""
    who = staff(user)
    return Draft(
        Kind.ANSWER_PACKAGED,
        unix_ms(),
        NodeName(SERVICE_NODE),
        actor=who.actor,
        detail={
            "directions": directions,
            "recordings": recordings,
            "request": what.request.request,
            "sha256": sha256,
        },
        party=who.party,
        role="staff",
        facts=who.facts,
    )


def answering_verbs(rows: AuditAppender, settings: Callable[[], Settings]) -> dict[str, Verb]:
    """What the control socket can be asked."""

    async def packaged(peer: SocketPeer, arguments: Mapping[str, str]) -> Mapping[str, Any]:
        """Have the row written, and answer its ``seq``.

        Args:
            peer: Who made it.
            arguments: ``request``, ``sha256``, ``recordings`` with spaces between, and
                ``directions``: whose voices the officer's command put in; what the service's own
                configuration says, or there is no row.
        """
        digest, now = arguments.get("sha256", ""), settings()
        if not _SHA256.fullmatch(digest):
            raise NoPackage("this is no SHA-256")
        if arguments.get("directions") != now.answers.directions:
            hint = "is it another configuration, or was it changed? reload the service"
            raise NoPackage(f"the service gives {now.answers.directions!s} directions", hint=hint)
        what = await asyncio.to_thread(answerable, now, arguments.get("request", ""))
        names = tuple(arguments.get("recordings", "").split())
        if not set(names) <= {recording for recording, _ in what.recordings}:
            raise NoPackage("a recording is not what this request opens")
        draft = packaged_draft(what, names, now.answers.directions, digest, peer.user)
        return {"seq": await rows.append(draft)}

    return {"answer-packaged": packaged}
