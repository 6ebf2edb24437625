"""How long a recording is kept, and why: by what its caller was told, and what holds today. Pure.

1. It is kept for as long as the longest of its purposes needs it, and at least for the minimum,
   counted from the day on which its call ended.
2. It is never kept beyond the maximum, counted from the day on which its call began.
3. Shorter at any time: today's period counts if it ends before the one that was told.
4. Longer only for the future: a period that is longer today changes nothing for what was recorded.
5. A purpose without a period needs it for as long as the maximum lets it; without either of them
   nothing is ever due.
6. What its caller withdrew, where the policy says ``delete``, is due when its call is over, if it
   is not due before. The call itself deletes it; it is left to us only where that failed, or where
   somebody held it.
7. A hold beats all of that.

(APPI Article 22: erased without delay when no longer needed; GDPR Article 5(1)(e).)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from asterisk_compliance.domain.periods import (
    Period,
    day_of,
    days,
    end_of,
    last_event_over,
    read_period,
)
from asterisk_compliance.domain.purposes import PurposeCode
from asterisk_compliance.ids import CallId, RecordingId

AT_LEAST, AT_MOST, NOTICE = "min", "max", "notice"
"""Stand for a purpose in what was told; no purpose has small letters."""
WITHDRAWN_AFTER_MS: Final = 3_600_000
"""So long after its end a call has deleted what it can delete."""


class RetentionGround(StrEnum):
    """Why a recording is disposed of. Values go into stored rows: never renamed, never reused."""

    NOT_NEEDED = "NOT_NEEDED"
    """No purpose needs it any longer."""
    AT_LEAST_OVER = "AT_LEAST_OVER"
    """No purpose needed it; it was kept for the minimum, and that is over."""
    MAXIMUM_TOLD = "MAXIMUM_TOLD"
    """The policy's maximum, as it was then."""
    MAXIMUM_NOW = "MAXIMUM_NOW"
    """The policy's maximum, as it is today."""
    NOTICE_PROMISED = "NOTICE_PROMISED"
    """The notice said so."""
    WITHDRAWN = "WITHDRAWN"
    REQUESTED = "REQUESTED"
    """The person asked for it, and it was granted; the rule is the id of the request."""


@dataclass(frozen=True, slots=True)
class StatedRetention:
    """What held for a recording when it was asked for.

    Attributes:
        purposes: What its caller was told, each with how long that needs it; ``None``: not said.
        at_least, at_most: Of the policy, as the rules made it for this call.
        notice: What the words of the notice promise, at most.
    """

    purposes: Mapping[PurposeCode, Period | None] = field(default_factory=dict)
    at_least: Period | None = None
    at_most: Period | None = None
    notice: Period | None = None

    def texts(self) -> tuple[str, ...]:
        """As it stands in rows, such as ``QUALITY=6 months``; sorted."""
        named: dict[str, Period | None] = {str(code): one for code, one in self.purposes.items()}
        limits = {AT_LEAST: self.at_least, AT_MOST: self.at_most, NOTICE: self.notice}
        named |= {name: period for name, period in limits.items() if period is not None}
        return tuple(sorted(_text(name, period) for name, period in named.items()))


def _text(name: str, period: Period | None) -> str:
    return name if period is None else f"{name}={period}"


def read_told(texts: Iterable[str]) -> StatedRetention:
    """The inverse of :meth:`StatedRetention.texts`.

    Raises:
        ValueError: something in it is no period.
    """
    pairs = (text.partition("=") for text in texts)
    said = {name: read_period(period) if equals else None for name, equals, period in pairs}
    limits = {name: said.pop(name, None) for name in (AT_LEAST, AT_MOST, NOTICE)}
    purposes = {PurposeCode(name): period for name, period in said.items()}
    return StatedRetention(purposes, limits[AT_LEAST], limits[AT_MOST], limits[NOTICE])


def told(
    purposes: Iterable[PurposeCode],
    needed: Mapping[PurposeCode, Period],
    *,
    min_days: int | None,
    max_days: int | None,
    promised: Iterable[Period | None] = (),
) -> StatedRetention:
    """What holds from now on for the recordings of a policy.

    Args:
        purposes: Of the notice.
        needed: How long each purpose needs a recording, where the configuration says it.
        min_days: The policy's minimum.
        max_days: The policy's maximum.
        promised: By each of the notices that its parties can hear; the shortest counts.
    """
    return StatedRetention(
        {code: needed.get(code) for code in purposes},
        None if min_days is None else days(min_days),
        None if max_days is None else days(max_days),
        min(filter(None, promised), key=lambda period: period.shortest_days, default=None),
    )


@dataclass(frozen=True, slots=True)
class RetentionLimits:
    """What one policy says today.

    Attributes:
        at_least: The longest that it can ask for in any call: a rule may have asked for it then.
        at_most: The shortest that it asks for in every call.
    """

    at_least: Period | None = None
    at_most: Period | None = None


@dataclass(frozen=True, slots=True)
class Today:
    """What the configuration says today.

    Attributes:
        needed: By purpose.
        limits: By policy; of one that is not there any more, what was told holds.
        zone: Whose days are counted.
    """

    zone: ZoneInfo
    needed: Mapping[PurposeCode, Period] = field(default_factory=dict)
    limits: Mapping[str, RetentionLimits] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class KeptUntil:
    """A recording that is there, as the log knows it.

    Attributes:
        policy: Its name; empty if no row says it.
        began_ms, ended_ms: Of its call, in Unix milliseconds; ``None``: not over, as far as the
            log knows.
        withdrawn: Its caller withdrew, and the policy says ``delete``.
    """

    recording: RecordingId
    call: CallId
    policy: str
    told: StatedRetention
    began_ms: int
    ended_ms: int | None
    withdrawn: bool = False


@dataclass(frozen=True, slots=True)
class DisposalDue:
    """When a recording has to go, and why.

    Attributes:
        at_ms: In Unix milliseconds: from this moment on it is due.
        rule: Who said so: a purpose, ``min``, the policy's name, or ``notice``.
        period: As it was told or is configured; empty if it was withdrawn.
    """

    at_ms: int
    ground: RetentionGround
    rule: str
    period: str = ""


class RecordingFate(StrEnum):
    """What becomes of a recording at some moment."""

    KEPT = "kept"
    HELD = "held"
    """It would be due, and somebody holds it."""
    DUE = "due"


class _End(NamedTuple):
    """The last day of a period, and whose it is."""

    day: date
    ground: RetentionGround
    rule: str
    period: str


def due(kept: KeptUntil, today: Today) -> DisposalDue | None:
    """When and why ``kept`` has to go; ``None``: nothing says when."""
    ends = list(_maxima(kept.policy, kept.told, today, day_of(kept.began_ms, today.zone)))
    every: list[DisposalDue] = []
    if kept.ended_ms is not None:
        needed = _needed(kept.policy, kept.told, today, day_of(kept.ended_ms, today.zone))
        ends += [needed] if needed else []
        if kept.withdrawn:
            gone_ms = kept.ended_ms + WITHDRAWN_AFTER_MS
            every.append(DisposalDue(gone_ms, RetentionGround.WITHDRAWN, kept.policy))
    if ends:
        first = min(ends, key=lambda end: end.day)
        every.append(
            DisposalDue(end_of(first.day, today.zone), first.ground, first.rule, first.period)
        )
    return min(every, key=lambda one: one.at_ms, default=None)


def is_dated(policy: str, said: StatedRetention, today: Today) -> bool:
    """Whether anything ever makes the recordings due that were told this."""
    some = date(2000, 1, 1)
    needed = _needed(policy, said, today, some)
    return needed is not None or any(_maxima(policy, said, today, some))


def fate(due_at: DisposalDue | None, held_by: Iterable[str], at_ms: int) -> RecordingFate:
    """What becomes at ``at_ms`` of a recording that is due then, and held by these matters."""
    if due_at is None or at_ms < due_at.at_ms:
        return RecordingFate.KEPT
    return RecordingFate.HELD if any(held_by) else RecordingFate.DUE


@dataclass(frozen=True, slots=True)
class Before:
    """Which recordings can be due; all others are not.

    Attributes:
        began_ms: Those of calls that began before; ``None``: none for this reason.
        ended_ms: Those of calls that ended before; likewise.
    """

    began_ms: int | None
    ended_ms: int | None


def due_before(policy: str, said: StatedRetention, today: Today, at_ms: int) -> Before:
    """Which recordings of one policy, and of what one was told, can be due at ``at_ms``.

    It may name those of one day too many, and never one too few.
    """
    at = day_of(at_ms, today.zone)

    def longest(day: date) -> date:
        end = _needed(policy, said, today, day)
        return date.max if end is None else end.day

    def shortest(day: date) -> date:
        return min((end.day for end in _maxima(policy, said, today, day)), default=date.max)

    began, ended = last_event_over(shortest, at), last_event_over(longest, at)
    return Before(
        None if began is None else end_of(began, today.zone),
        None if ended is None else end_of(ended, today.zone),
    )


def _needed(policy: str, said: StatedRetention, today: Today, ended: date) -> _End | None:
    """The end of what the longest purpose needs, or of the minimum; ``None``: without end."""
    ends: list[_End] = []
    for code, then in said.purposes.items():
        end = _sooner(ended, then, today.needed.get(code), RetentionGround.NOT_NEEDED, code)
        if end is None:
            return None
        ends.append(end)
    limits = today.limits.get(policy)
    if said.at_least is not None and (limits is None or limits.at_least is not None):
        now = None if limits is None else limits.at_least
        least = _sooner(ended, said.at_least, now, RetentionGround.AT_LEAST_OVER, AT_LEAST)
        ends += [least] if least and ends else []
    return max(ends, key=lambda end: end.day, default=None)


def _maxima(policy: str, said: StatedRetention, today: Today, began: date) -> Iterator[_End]:
    now = today.limits.get(policy, RetentionLimits()).at_most
    for period, ground, rule in (
        (said.at_most, RetentionGround.MAXIMUM_TOLD, policy),
        (now, RetentionGround.MAXIMUM_NOW, policy),
        (said.notice, RetentionGround.NOTICE_PROMISED, NOTICE),
    ):
        if period is not None:
            yield _End(period.last_day(began), ground, rule, str(period))


def _sooner(
    event: date, then: Period | None, now: Period | None, ground: RetentionGround, rule: str
) -> _End | None:
    periods = [period for period in (then, now) if period is not None]
    ends = [_End(period.last_day(event), ground, rule, str(period)) for period in periods]
    return min(ends, key=lambda end: end.day, default=None)
