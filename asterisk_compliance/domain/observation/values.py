"""Values about recordings of another recorder; the rules are in ``tracker.py``."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias

from asterisk_compliance.ids import ChannelId


class InformedState(StrEnum):
    """What whoever is recorded had heard when it began."""

    TOLD = "told"
    DURING = "during"
    """A notice was being played."""
    INCOMPLETE = "incomplete"
    """A notice had begun, and was cut short or failed."""
    UNTOLD = "untold"
    REFUSED = "refused"
    """The service's own notice asked, and the answer was no."""
    UNKNOWN = "unknown"


NOT_TOLD: Final = frozenset(
    {InformedState.DURING, InformedState.INCOMPLETE, InformedState.UNTOLD, InformedState.REFUSED}
)


class Where(StrEnum):
    """Who told."""

    CHANNEL = "channel"
    CALL = "call"
    """The notice was played on another channel of the call."""
    SERVICE = "service"
    """The service's own notice."""


class Recorder(StrEnum):
    MIXMONITOR = "mixmonitor"
    MONITOR = "monitor"
    CONFBRIDGE = "confbridge"


class End(StrEnum):
    STOPPED = "stopped"
    LEFT = "left"
    """The conference goes on without this channel."""
    HANGUP = "hangup"


@dataclass(frozen=True, slots=True)
class Began:
    """A recording of others began.

    Attributes:
        number: Which one of its channel, from 1 on.
        bridged: It waited for the bridge.
        where, notice: Of the notice that ``told`` is about; ``None`` and empty if there is none.
    """

    channel: ChannelId
    linkedid: str
    number: int
    by: Recorder
    bridged: bool
    told: InformedState
    where: Where | None
    notice: str


@dataclass(frozen=True, slots=True)
class Ended:
    """It is over.

    Attributes:
        told_after_ms: After so long a notice was completed; ``None``: none was, or it was before.
    """

    channel: ChannelId
    number: int
    cause: End
    ran_ms: int
    told_after_ms: int | None


Fact: TypeAlias = Began | Ended
