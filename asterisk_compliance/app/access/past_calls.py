"""Earlier calls of the number that is on the line, for whoever serves its caller: never audio.

Only calls whose callers were told the purpose ``SERVICE``, and nothing of whoever withdrew or had
that use stopped. Who is shown them leaves a row before he is, without the number.

On the channel of a live call (:class:`PastCalls`) it costs the call nothing: the log is asked
beside the notice, on a thread of its own, and what comes late is shown late.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import structlog

from asterisk_compliance.app.access.permission import UseJudgement, asker, refused, refused_draft
from asterisk_compliance.app.calls.agent_display import AgentDisplay
from asterisk_compliance.app.dialplan.variables import LAST_CALL_VARIABLE, PAST_CALLS_VARIABLE
from asterisk_compliance.app.shared.control_socket import SocketPeer, Verb
from asterisk_compliance.app.shared.marks import staff
from asterisk_compliance.clock import unix_ms
from asterisk_compliance.config.access import PastCallsSettings
from asterisk_compliance.config.consistency import SERVICE_NODE
from asterisk_compliance.config.settings import Settings
from asterisk_compliance.domain.access.audibility import is_stopped
from asterisk_compliance.domain.access.purpose_limitation import (
    SERVICE,
    Action,
    Use,
    UseReason,
    UseRefusal,
)
from asterisk_compliance.domain.access.roles import queues_for
from asterisk_compliance.domain.audit.call_record import minted_ms
from asterisk_compliance.domain.audit.encoding import timestamp
from asterisk_compliance.domain.audit.rows import Actor, Draft, Kind
from asterisk_compliance.domain.call.state import Call, CallPhase
from asterisk_compliance.domain.phone_numbers import notations
from asterisk_compliance.errors import ComplianceError, StoreError
from asterisk_compliance.ids import CallId, NodeName, is_call_id
from asterisk_compliance.storage.log.reader import CallQuery, ListedCall, StoreReader
from asterisk_compliance.storage.queries.audibility import rows_of
from asterisk_compliance.storage.queries.persons import number_of
from asterisk_compliance.storage.search.finder import CallFinder, CallSearch

if TYPE_CHECKING:
    from asterisk_compliance.app.calls.call_task import CallTask
    from asterisk_compliance.app.calls.node_view import NodeView
    from asterisk_compliance.app.shared.audit_port import AuditAppender

USE: Final = Use(Action.PAST_CALLS, SERVICE, UseReason.CALL)
MOST = 100
"""More calls of one number are not looked through."""
LINE_S = 2.0
"""So long a line may take, which may be about to be let go."""
WAITING_MAX = 16
"""Of a store that is slow so many are asked at once, and no more."""

_DAY_MS = 86_400_000
_OURS = NodeName(SERVICE_NODE)

log = structlog.get_logger()


class BadQuestion(ComplianceError):
    """What was asked for makes no sense."""

    exit_code = 2


class NobodyCalls(ComplianceError):
    hint = "asterisk-compliance calls list names those that there are"


@dataclass(frozen=True, slots=True)
class Past:
    """Past calls of one number.

    Attributes:
        calls: Newest first, not more than :data:`MOST`.
        more: There are older ones.
    """

    calls: tuple[ListedCall, ...]
    more: bool = False


def past_calls(
    store: Path, number: str, home: str | None, days: int, before: CallId | None = None
) -> Past:
    """The past calls of a number that may be shown for :data:`SERVICE`.

    Args:
        store: The log.
        number: In any notation; one without a digit has no past.
        home: Country of the site, if it is known.
        days: How far back.
        before: The call that is on the line.

    Raises:
        StoreUnavailable: the log cannot be read.
    """
    keys = notations(number, home)
    if not keys:
        return Past(())
    since_ms = unix_ms() - days * _DAY_MS
    with StoreReader(store) as reader:
        search = CallSearch(number=keys, purpose=SERVICE, since_ms=max(0, since_ms))
        page = CallFinder(reader).page(search, MOST, before)
        shown = tuple(call for call in page.calls if _may_be_shown(reader, call))
    return Past(shown, page.more)


def _may_be_shown(reader: StoreReader, call: ListedCall) -> bool:
    if call["consent"] == "withdrawn":
        return False
    return not is_stopped(rows_of(reader, str(call["call"])), SERVICE)


class PastCalls:
    """Shows them on the channels of one Asterisk.

    Args:
        node: Whose channels.
        rows: The log.
        settings: What holds now; nothing is shown unless it is set.
    """

    def __init__(
        self, node: NodeView, rows: AuditAppender, settings: Callable[[], PastCallsSettings]
    ) -> None:
        self._settings = settings
        self._node = node
        self._rows = rows
        self._display = AgentDisplay(node)
        self._sought: dict[CallId, asyncio.Future[Past]] = {}
        self._asked = 0
        self._thread = ThreadPoolExecutor(1, "past-calls")

    def stepped(self, before: Call, after: Call) -> None:
        """A call has gone on from ``before`` to ``after``."""
        if not before.undecided:
            return
        if not after.undecided:
            self._decided(after)
        elif before.id not in self._sought and self._is_wanted(after):
            self._seek(after)

    def _is_wanted(self, call: Call) -> bool:
        return (
            self._settings().shown
            and call.policy is not None
            and SERVICE in call.policy.notice.purposes
            and bool(call.outside)
            and not call.synthetic
            and not call.joins
            and self._asked < WAITING_MAX
        )

    def _seek(self, call: Call) -> None:
        ask = partial(
            past_calls,
            self._node.store,
            f"+{call.outside}" if self._node.policies.home else call.outside,
            self._node.policies.home,
            self._settings().days,
            call.id,
        )
        sought = asyncio.get_running_loop().run_in_executor(self._thread, ask)
        self._sought[call.id] = sought
        self._asked += 1
        sought.add_done_callback(self._answered)

    def _answered(self, sought: asyncio.Future[Past]) -> None:
        self._asked -= 1

    def _decided(self, call: Call) -> None:
        """Its row goes in front of those of the decision, so that it is durable with them."""
        sought = self._sought.get(call.id)
        if sought is None:
            return
        decision = call.decision
        allowed = decision is not None and decision.allowed and SERVICE in decision.purposes
        if sought.done():
            self._found(call, sought, allowed=allowed)
        else:
            sought.add_done_callback(partial(self._found, call, allowed=allowed))

    def _found(self, call: Call, sought: asyncio.Future[Past], *, allowed: bool) -> None:
        del self._sought[call.id]
        live = self._node.live_call(call.id)
        if sought.cancelled() or not allowed or live is None or live.call.consent.withdrawn:
            return
        if error := sought.exception():
            log.warning("past_calls_not_read", call=call.id, why=str(error))
            return
        past = sought.result()
        row = shown_draft(len(past.calls), self._node.node, call.id)
        try:
            stored = self._rows.append(row)
        except StoreError as refused:
            log.warning("row_refused", kind=row.kind, why=str(refused))
            return
        self._node.spawn(self._show(live, past, stored))

    async def _show(self, live: CallTask, past: Past, stored: Awaitable[int]) -> None:
        """On the line while the call waits for us there, in front of its result; else over AMI."""
        try:
            await stored
        except StoreError:
            return
        values = variables(past)
        if live.call.phase is CallPhase.CONTINUING:
            sent = [live.caller_channel.set_variable(*one) for one in values.items()]
            await asyncio.wait(sent, timeout=LINE_S)
            if all(map(_was_done, sent)):
                return
        for name, value in values.items():
            self._display.set(live.call.channel, name, value)


def _was_done(asked: asyncio.Future[None]) -> bool:
    if asked.done():
        return not asked.cancelled() and asked.exception() is None
    asked.cancel()
    return False


def variables(past: Past) -> dict[str, str]:
    """What stands on the channel: how many, and when the last one began, in Unix seconds."""
    values = {PAST_CALLS_VARIABLE: str(len(past.calls))}
    if past.calls:
        values[LAST_CALL_VARIABLE] = str(minted_ms(str(past.calls[0]["call"])) // 1_000)
    return values


def shown_draft(calls: int, node: NodeName, call: CallId | None, user: str = "") -> Draft:
    """The row of whoever is shown past calls.

    Args:
        calls: How many.
        node: Of the call that is on the line, or the service's.
        call: That call, if there is one.
        user: Who asked, of the operating system; nobody, where it is shown on the channel.
    """
    who = staff(user) if user else None
    return Draft(
        Kind.PAST_CALLS_SHOWN,
        unix_ms(),
        node,
        call=call,
        actor=who.actor if who else Actor.SERVICE,
        detail={
            "calls": calls,
            "on": "command" if who else "channel",
            "purpose": SERVICE,
        },
        party=who.party if who else None,
        role="staff" if who else None,
        facts=who.facts if who else (),
    )


def past_calls_verbs(rows: AuditAppender, settings: Callable[[], Settings]) -> dict[str, Verb]:
    """What the control socket can be asked."""

    async def show(peer: SocketPeer, arguments: Mapping[str, str]) -> Mapping[str, Any]:
        return await show_past_calls(rows, settings(), peer.user, arguments)

    return {"past-calls": show}


async def show_past_calls(
    rows: AuditAppender, settings: Settings, user: str, arguments: Mapping[str, str]
) -> Mapping[str, Any]:
    """Show them on the command line's behalf, behind a row.

    Args:
        rows: The log.
        settings: Where it is, how far back, and which roles there are.
        user: Who asks, as the kernel knows it.
        arguments: One of ``call``, ``channel`` (of a live call, perhaps with its ``node``) and
            ``number``.

    Returns:
        ``known``: there is a number to look for; ``calls``, ``more``, and ``seq`` of the row.

    Raises:
        BadQuestion: not just one of the three, or one that is none, or of two calls.
        NobodyCalls: there is no such call.
        UseRefused: no role permits it; behind the row that says so.
        StoreUnavailable: the log cannot be read.
    """
    sought = await asyncio.to_thread(_sought, settings, arguments)
    queues = await asyncio.to_thread(_queues, settings, user)
    if queues is not None and not queues:
        found = UseJudgement(UseRefusal.NOT_IN_ROLE)
        await rows.append(refused_draft(USE, found, sought.call, sought.node, "", user))
        raise refused(found)
    if not sought.number:
        return {"known": False, "calls": [], "more": False, "seq": None}
    past = await asyncio.to_thread(
        past_calls,
        settings.audit.store,
        sought.number,
        settings.rules.home,
        settings.past_calls.days,
        sought.call,
    )
    calls = [one for one in past.calls if queues is None or one["queue"] in queues]
    seq = await rows.append(shown_draft(len(calls), sought.node, sought.call, user))
    return {"known": True, "calls": list(map(_facts, calls)), "more": past.more, "seq": seq}


@dataclass(frozen=True, slots=True)
class _Sought:
    """Whose past: a number (empty: none is known), and the call that it is from."""

    number: str
    call: CallId | None = None
    node: NodeName = _OURS


def _sought(settings: Settings, arguments: Mapping[str, str]) -> _Sought:
    given = {name: arguments.get(name, "") for name in ("call", "channel", "number")}
    if sum(map(bool, given.values())) != 1:
        raise BadQuestion("say one of --call, --channel and --number")
    if number := given["number"]:
        if not notations(number, settings.rules.home):
            raise BadQuestion("there is no digit in this number")
        return _Sought(number)
    with StoreReader(settings.audit.store) as reader:
        nodes = [one.node for one in settings.asterisk]
        if node := arguments.get("node", ""):
            nodes = [one for one in nodes if one == node]
        entry = _entry(reader, nodes, given["call"], given["channel"])
        if entry is None:
            raise NobodyCalls("there is no such call")
        call = CallId(str(entry["call"]))
        number = number_of(reader, call, callee=entry["leg"] == "callee")
        known = number if notations(number, settings.rules.home) else ""
        return _Sought(known, call, NodeName(str(entry["node"])))


def _entry(reader: StoreReader, nodes: Sequence[str], call: str, channel: str) -> ListedCall | None:
    if channel:
        live = [one for node in nodes if (one := reader.standing(node, channel)) is not None]
        if len(live) > 1:
            where = " and ".join(str(one["node"]) for one in live)
            hint = "say which one with --node, or name the call"
            raise BadQuestion(f"there is such a channel on {where}", hint=hint)
        return live[0] if live else None
    found = reader.calls(CallQuery(call=call)) if is_call_id(call) else []
    return found[0] if found else None


def _queues(settings: Settings, user: str) -> frozenset[str] | None:
    """The queues whose calls a user may be shown; ``None``: of any."""
    if not settings.role:
        return None
    return queues_for([one.role for one in settings.role], asker(user), USE)


def _facts(call: ListedCall) -> dict[str, Any]:
    """What is shown of a past call."""
    named = ("call", "queue", "policy", "decision", "reason", "lasted_ms")
    return {"began_at": timestamp(minted_ms(str(call["call"])))} | {one: call[one] for one in named}
