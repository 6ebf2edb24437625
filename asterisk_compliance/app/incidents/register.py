"""Incidents: the rows about a leak, and who minds when something about it is due.

The rules and the state are pure: ``domain/incidents``. A command finds what could have been
reached, in its own process (``app/incidents/assessment.py``): a large log takes seconds to read,
and the service has calls. The command hands over its numbers, and the row names it as their source.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from asterisk_compliance.app.incidents import rows
from asterisk_compliance.app.incidents.rows import (
    BadIncident,
    moment,
    read_found,
    read_window,
    truth,
    word,
    words,
)
from asterisk_compliance.app.shared.audit_port import AuditAppender
from asterisk_compliance.app.shared.control_socket import SocketPeer, Verb
from asterisk_compliance.app.shared.marks import staff
from asterisk_compliance.app.shared.metrics import Metrics
from asterisk_compliance.clock import unix_ms
from asterisk_compliance.config.settings import Settings
from asterisk_compliance.domain.deadlines import Regime
from asterisk_compliance.domain.incidents.notification_duties import (
    HOUR_MS,
    Category,
    NotificationDuty,
    ReportStep,
)
from asterisk_compliance.domain.incidents.state import (
    Incident,
    IncidentOutcome,
    ReportItem,
    counts_by_standing,
    hinders,
    unsaid,
)
from asterisk_compliance.domain.retention.erasure import authority_problem
from asterisk_compliance.errors import ComplianceError, StoreError
from asterisk_compliance.shipped.presets import shipped_leak_rules
from asterisk_compliance.storage.log.reader import StoreReader
from asterisk_compliance.storage.queries import incidents as leaks

LOOK_S = 60.0
"""So often it is looked whether something became overdue."""
LONGEST_TEXT = 8_000
"""Of a note, in characters."""

_AMENDABLE = ("known", "categories", "regimes", "contractor", "key_affected", "not_sent")
_DIGEST = re.compile(r"[0-9a-f]{64}|")

log = structlog.get_logger()


class NoSuchIncident(ComplianceError):
    hint = "incidents list --all names every one"


class NotClosable(ComplianceError):
    """Something is still to be done, or it is closed."""


@dataclass(frozen=True, slots=True)
class Known:
    """An incident with its duties, as they are at one moment."""

    incident: Incident
    duties: tuple[NotificationDuty, ...]


def known(settings: Settings) -> dict[int, Known]:
    """Every incident, by its number.

    Raises:
        StoreError: the log cannot be read.
    """
    with StoreReader(settings.audit.store) as reader:
        found = leaks.incidents(reader)
    rules = shipped_leak_rules()
    return {number: Known(one, one.duties(rules)) for number, one in found.items()}


def the(found: Mapping[int, Known], number: str) -> Known:
    """One of them by its number as somebody typed it.

    Raises:
        NoSuchIncident: there is none.
    """
    one = found.get(int(number)) if re.fullmatch(r"[0-9]{1,15}", number) else None
    if one is None:
        raise NoSuchIncident("there is no such incident")
    return one


def notes(settings: Settings, one: Incident) -> dict[int, str]:
    """The texts of an incident's notes, by the number of the row; not those that were erased.

    Raises:
        StoreError: the store cannot be read.
    """
    with StoreReader(settings.audit.store) as reader:
        return leaks.texts(reader, [note.seq for note in one.notes])


def remind_ms(settings: Settings) -> int:
    return settings.incidents.remind_hours * HOUR_MS


class Incidents:
    """Answers the verbs about incidents, and minds the time.

    Args:
        log: Where rows go.
        settings: What holds at the moment of asking.
        now_ms: The clock, in Unix milliseconds.
    """

    def __init__(
        self,
        log: AuditAppender,
        settings: Callable[[], Settings],
        now_ms: Callable[[], int] = unix_ms,
    ) -> None:
        self._rows = log
        self._settings = settings
        self._now_ms = now_ms
        self._one_at_a_time = asyncio.Lock()
        self._standing: Mapping[str, int] = {}

    @property
    def standing(self) -> Mapping[str, int]:
        """How many are not closed, by their most urgent step, when somebody looked last."""
        return self._standing

    def verbs(self) -> dict[str, Verb]:
        return {
            "incident-open": self.open,
            "incident-amend": self.amend,
            "incident-assess": self.assess,
            "incident-report": self.report,
            "incident-note": self.note,
            "incident-close": self.close,
        }

    async def open(self, peer: SocketPeer, arguments: Mapping[str, str]) -> Mapping[str, Any]:
        """Write down that something leaked, or may have.

        Args:
            peer: In whose name.
            arguments: ``known``, ``since`` and ``until``, times as in rows (``known`` empty:
                now); ``categories`` and ``regimes``, joined by commas (empty: ``OTHER``, and as
                configured); ``contractor`` (empty: as configured) and ``key_affected``, ``yes``
                or ``no``.

        Returns:
            ``incident``: its number.

        Raises:
            BadIncident: there is no such word, or the times make no sense.
        """
        settings, now_ms = self._settings().incidents, self._now_ms()
        known_ms = moment(arguments, "known") or now_ms
        if known_ms > now_ms:
            raise BadIncident("nobody knows today what becomes known tomorrow")
        window = read_window(arguments)
        regimes = words(Regime, arguments, "regimes") or settings.regimes
        draft = rows.opened(
            staff(peer.user),
            now_ms,
            known_ms=known_ms,
            window=window,
            categories=words(Category, arguments, "categories") or (Category.OTHER,),
            regimes=tuple(sorted(regimes)),
            contractor=truth(arguments, "contractor", otherwise=settings.contractor),
            key_affected=truth(arguments, "key_affected"),
        )
        number = await self._rows.append(draft)
        return {"incident": number}

    async def amend(self, peer: SocketPeer, arguments: Mapping[str, str]) -> Mapping[str, Any]:
        """Write down that something about it is otherwise than it was said.

        Args:
            peer: In whose name.
            arguments: ``incident``; as of :meth:`open`, each empty for as before, ``known``,
                ``categories``, ``regimes``, ``contractor`` and ``key_affected``; ``not_sent``, a
                step that was written down and not taken.

        Returns:
            ``seq`` of the row.

        Raises:
            BadIncident, NoSuchIncident, NotClosable: nothing is written.
        """
        if not any(arguments.get(name) for name in _AMENDABLE):
            raise BadIncident("say what is otherwise", hint="incidents amend --help")
        known_ms, not_sent = moment(arguments, "known"), word(ReportStep, arguments, "not_sent")
        if known_ms is not None and known_ms > self._now_ms():
            raise BadIncident("nobody knows today what becomes known tomorrow")
        async with self._one_at_a_time:
            one = await self._open_one(arguments)
            if not_sent is not None and not_sent not in {told.step for told in one.reported}:
                raise BadIncident(f"no row says that {not_sent} was done")
            draft = rows.amended(
                staff(peer.user),
                self._now_ms(),
                one.number,
                known_ms=one.known_ms if known_ms is None else known_ms,
                categories=words(Category, arguments, "categories")
                or tuple(sorted(one.categories)),
                regimes=words(Regime, arguments, "regimes") or tuple(sorted(one.regimes)),
                contractor=truth(arguments, "contractor", otherwise=one.contractor),
                key_affected=truth(arguments, "key_affected", otherwise=one.key_affected),
                not_sent=not_sent or "",
            )
            return {"seq": await self._rows.append(draft)}

    async def assess(self, peer: SocketPeer, arguments: Mapping[str, str]) -> Mapping[str, Any]:
        """Write down what a command found.

        Args:
            peer: In whose name.
            arguments: ``incident``; ``found``, JSON as :func:`handed_over` makes it;
                ``categories`` (empty: as before) and ``key_affected`` (empty: as before).

        Returns:
            ``seq`` of the row.

        Raises:
            BadIncident, NoSuchIncident, NotClosable: nothing is written.
        """
        found = read_found(arguments.get("found", ""))
        async with self._one_at_a_time:
            one = await self._open_one(arguments)
            categories = words(Category, arguments, "categories") or tuple(sorted(one.categories))
            affected = truth(arguments, "key_affected", otherwise=one.key_affected)
            draft = rows.assessed(
                staff(peer.user), self._now_ms(), one.number, found, categories, affected
            )
            return {"seq": await self._rows.append(draft)}

    async def report(self, peer: SocketPeer, arguments: Mapping[str, str]) -> Mapping[str, Any]:
        """Write down that somebody was told.

        Args:
            peer: In whose name.
            arguments: ``incident``; ``step``; ``sent``, when (empty: now); ``sha256`` of what
                was sent, and ``reference`` of the receipt, where there are any.

        Returns:
            ``seq`` of the row, and whether a rule asks for this step at all (``asked``).

        Raises:
            BadIncident, NoSuchIncident, NotClosable: nothing is written.
        """
        step = word(ReportStep, arguments, "step")
        digest, reference = arguments.get("sha256", ""), arguments.get("reference", "")
        sent_ms = moment(arguments, "sent") or self._now_ms()
        if step is None or not _DIGEST.fullmatch(digest) or sent_ms > self._now_ms():
            raise BadIncident("say what was sent, and when: not tomorrow")
        if reference and (problem := authority_problem(reference)):
            raise BadIncident(f"this is no reference: {problem}", hint="PPC-2026-17")
        async with self._one_at_a_time:
            one = await self._open_one(arguments)
            if sent_ms < one.known_ms:
                hint = "incidents amend --known says when it became known"
                raise BadIncident("nobody is told of what nobody knows yet", hint=hint)
            draft = rows.reported(
                staff(peer.user), self._now_ms(), one.number, step, sent_ms, digest, reference
            )
            seq = await self._rows.append(draft)
        steps = {duty.step for duty in one.duties(shipped_leak_rules())}
        return {"seq": seq, "asked": step in steps}

    async def note(self, peer: SocketPeer, arguments: Mapping[str, str]) -> Mapping[str, Any]:
        """Write down something for the report; the text stands beside the row.

        Args:
            peer: In whose name.
            arguments: ``incident``; ``item``, one of the nine; ``text``.

        Returns:
            ``seq`` of the row.

        Raises:
            BadIncident, NoSuchIncident, NotClosable: nothing is written.
        """
        item = word(ReportItem, arguments, "item") or ReportItem.OTHER
        text = arguments.get("text", "").strip()
        if not 0 < len(text) <= LONGEST_TEXT:
            raise BadIncident(f"a note has one to {LONGEST_TEXT:,} characters")
        async with self._one_at_a_time:
            one = await self._open_one(arguments)
            draft = rows.noted(staff(peer.user), self._now_ms(), one.number, item, text)
            seq = await self._rows.append(draft)
        return {"seq": seq}

    async def close(self, peer: SocketPeer, arguments: Mapping[str, str]) -> Mapping[str, Any]:
        """Close an incident.

        Args:
            peer: In whose name.
            arguments: ``incident``, and ``outcome``, one of the closed list.

        Returns:
            ``seq`` of the row.

        Raises:
            BadIncident, NoSuchIncident: nothing is written.
            NotClosable: a duty stands in the way, or it is closed already.
        """
        outcome = word(IncidentOutcome, arguments, "outcome")
        if outcome is None:
            raise BadIncident("say how it ended", hint=f"one of {', '.join(IncidentOutcome)}")
        async with self._one_at_a_time:
            one = await self._open_one(arguments)
            if left := hinders(outcome, one.duties(shipped_leak_rules())):
                steps = ", ".join(sorted({f"{duty.regime} {duty.step}" for duty in left}))
                hint = "incidents report --sent says that a step was taken"
                raise NotClosable(f"this is still to be done: {steps}", hint=hint)
            draft = rows.closed(staff(peer.user), self._now_ms(), one.number, outcome)
            seq = await self._rows.append(draft)
        return {"seq": seq}

    async def watch(self, metrics: Metrics) -> None:
        """Say once of each duty that it became overdue, and count; until cancelled."""
        while True:
            try:
                await self.look(metrics)
            except StoreError as error:
                log.error("incidents_not_read", why=str(error))
            await asyncio.sleep(LOOK_S)

    async def look(self, metrics: Metrics) -> None:
        """Once of :meth:`watch`; also what passed while nobody looked.

        Raises:
            StoreError: the log cannot be read or written.
        """
        settings = self._settings()
        async with self._one_at_a_time:
            found = await asyncio.to_thread(known, settings)
            now_ms, rules = self._now_ms(), shipped_leak_rules()
            incidents = [one.incident for one in found.values()]
            for one in incidents:
                for duty in unsaid(one, rules, now_ms):
                    log.warning("incident_overdue", incident=one.number, step=duty.step)
                    await self._rows.append(rows.overdue(one.number, duty, now_ms))
        counted = counts_by_standing(incidents, rules, now_ms, remind_ms(settings))
        self._standing = counted
        for state, count in counted.items():
            metrics.incidents.labels(state).set(count)

    async def _open_one(self, arguments: Mapping[str, str]) -> Incident:
        found = await asyncio.to_thread(known, self._settings())
        one = the(found, arguments.get("incident", "")).incident
        if one.closed is not None:
            raise NotClosable(f"this incident is closed: {one.closed}", hint="open a new one")
        return one
