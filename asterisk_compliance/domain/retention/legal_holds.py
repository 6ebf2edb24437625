"""Legal holds: what a matter needs is not disposed of, nor erased, until it is released. Pure.

A hold says what it is about, by call, number, queue, and time; a call must be as it says in
everything that it says. So it holds calls that do not exist yet. Many can be on one call, and each
of them holds it. In doubt it holds: a call of which the queue is not known may have been in any.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from asterisk_compliance.ids import CallId


class HoldProblem(StrEnum):
    """Why a hold cannot be about what was asked for."""

    EMPTY = "EMPTY"
    """It would hold everything there is."""
    ORDER = "ORDER"
    """Its time ends before it begins."""


@dataclass(frozen=True, slots=True)
class Criteria:
    """What a hold is about; what it does not say is free.

    Attributes:
        call: One call.
        numbered: It is about a number, which stands nowhere but as keyed digests in the store.
        queue: As the dialplan names it.
        since_ms, until_ms: Calls that began from then on, and before then, in Unix milliseconds.
    """

    call: CallId | None = None
    numbered: bool = False
    queue: str = ""
    since_ms: int | None = None
    until_ms: int | None = None

    def problem(self) -> HoldProblem | None:
        """What is wrong with it; ``None`` if nothing is."""
        if self == Criteria():
            return HoldProblem.EMPTY
        if self.since_ms is not None and self.until_ms is not None:
            return HoldProblem.ORDER if self.since_ms >= self.until_ms else None
        return None


@dataclass(frozen=True, slots=True)
class Hold:
    """A hold that is not released.

    Attributes:
        number: That of its row.
        matter: A reference to the case, such as ``CASE-2026-17``.
    """

    number: int
    matter: str
    criteria: Criteria


@dataclass(frozen=True, slots=True)
class CallAsHeld:
    """What holds ask about a call.

    Attributes:
        queue: Empty if none; ``None`` if no row says it.
        numbered: The holds (by number) whose telephone number a party of it has.
    """

    call: CallId
    began_ms: int
    queue: str | None
    numbered: frozenset[int] = frozenset()


def holds_it(hold: Hold, call: CallAsHeld) -> bool:
    said = hold.criteria
    return (
        said.call in {None, call.call}
        and (not said.numbered or hold.number in call.numbered)
        and (not said.queue or call.queue is None or said.queue == call.queue)
        and (said.since_ms is None or said.since_ms <= call.began_ms)
        and (said.until_ms is None or call.began_ms < said.until_ms)
    )


def matters_of(holds: Iterable[Hold], call: CallAsHeld) -> tuple[str, ...]:
    """The matters that hold ``call``, sorted; empty: nobody does."""
    return tuple(sorted({hold.matter for hold in holds if holds_it(hold, call)}))
