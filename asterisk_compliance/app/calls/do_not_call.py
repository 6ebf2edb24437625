"""The list of numbers that are not called again: asked before a call, changed by the staff.

Whoever refuses comes onto it by the rules of a call (``domain/call/transitions/notice.py``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog
from msgspec.structs import replace

from asterisk_compliance.app.dialplan.variables import MAY_CALL_VARIABLE
from asterisk_compliance.app.shared.marks import staff
from asterisk_compliance.asterisk.ari.client import AriClient
from asterisk_compliance.clock import unix_ms
from asterisk_compliance.config.consistency import SERVICE_NODE
from asterisk_compliance.domain.audit.rows import Draft, Kind
from asterisk_compliance.domain.phone_numbers import comparable
from asterisk_compliance.errors import AsteriskError, ComplianceError, StoreError
from asterisk_compliance.ids import ChannelId, NodeName
from asterisk_compliance.storage.log.do_not_call import is_listed

if TYPE_CHECKING:
    from asterisk_compliance.app.calls.node import Node
    from asterisk_compliance.app.shared.audit_port import AuditAppender

ARGUMENT = "may-call="
"""How the argument of ``Stasis()`` begins with which the dialplan asks."""
ROUTINE = "compliance-may-call"

YES, NO, UNKNOWN = "yes", "no", "unknown"

log = structlog.get_logger()


class NoNumber(ComplianceError):
    exit_code = 2
    hint = "write it as it is dialled, or with a plus: +81312345678"


async def answer_may_call(node: Node, ari: AriClient, channel: ChannelId, argument: str) -> None:
    """Say in the channel's variable whether a number may be called, and let it go on."""
    number = node.policies.comparable(argument.removeprefix(ARGUMENT))
    answer = await asyncio.to_thread(_may_call, node.store, number)
    if answer == NO:
        node.row(Kind.CALL_BLOCKED, channel=channel)
    said = ari.set_variable(channel, MAY_CALL_VARIABLE, answer)
    gone_on = ari.continue_in_dialplan(channel)
    for outcome in (said, gone_on):
        try:
            await outcome
        except AsteriskError as error:
            log.info("may_call_not_answered", channel=channel, why=str(error))


def _may_call(store: Path, number: str) -> str:
    if not number:
        return UNKNOWN
    try:
        return NO if is_listed(store, number) else YES
    except StoreError as error:
        log.error("list_not_read", why=str(error))
        return UNKNOWN


def list_draft(what: str, number: str, home: str | None, user: str) -> Draft:
    """A row by which a member of the staff changes the list.

    Args:
        what: ``add`` or ``remove``.
        number: As somebody typed it.
        home: Country of the site, if it is known.
        user: The operating system's; it stands only in the table of persons.

    Raises:
        NoNumber: it holds no digit, or ``what`` is neither.
    """
    known = comparable(number, home)
    if not known:
        raise NoNumber("there is no digit in this number")
    now, node = unix_ms(), NodeName(SERVICE_NODE)
    match what:
        case "add":
            row = Draft(Kind.DO_NOT_CALL_ADDED, now, node, detail={"by": "staff"})
        case "remove":
            row = Draft(Kind.DO_NOT_CALL_REMOVED, now, node, detail={"by": "staff"})
        case _:
            hint = "is the service older than you?"
            raise NoNumber("a number can be added or removed", hint=hint)
    who = staff(user)
    return replace(
        row, actor=who.actor, party=who.party, role="staff", facts=who.facts, listed=known
    )


async def change_list(
    rows: AuditAppender, store: Path, home: str | None, user: str, arguments: Mapping[str, str]
) -> Mapping[str, Any]:
    """Add or remove a number on the command line's behalf.

    Args:
        rows: The log.
        store: Its directory.
        home: As of :func:`list_draft`.
        user: As of :func:`list_draft`.
        arguments: ``what``, ``add`` or ``remove``, and ``number``.

    Returns:
        ``seq`` of the row, or ``None`` where the list was as wanted already.

    Raises:
        NoNumber: as :func:`list_draft`.
        StoreError: it cannot be read or written.
    """
    what = arguments.get("what", "")
    draft = list_draft(what, arguments.get("number", ""), home, user)
    there = await asyncio.to_thread(is_listed, store, draft.listed)
    if there is (what == "add"):
        return {"seq": None}
    return {"seq": await rows.append(draft)}
