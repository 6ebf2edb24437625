"""The notices that callers hear now: how many there may be, and how long callers wait around them.

Time is taken from the events of a call, not from the clock: what it waits in our queue counts.
"""

from __future__ import annotations

from asterisk_compliance.app.shared.metrics import Metrics
from asterisk_compliance.domain.call.events import CallEvent, Continued, PlaybackStarted
from asterisk_compliance.domain.call.state import Call, CallPhase, Undecided
from asterisk_compliance.ids import CallId


def _has_started(call: Call, event: PlaybackStarted) -> bool:
    return isinstance(call.stage, Undecided) and call.stage.started is event


class NoticeSlots:
    """Calls of all Asterisks that are told, or asked, at this moment.

    ``most``: so many at once; a call that needs one more goes on without.
    """

    def __init__(self, most: int, metrics: Metrics) -> None:
        self._most = most
        self._metrics = metrics
        self._told: set[CallId] = set()
        self._decided_ms: dict[CallId, int] = {}

    @property
    def full(self) -> bool:
        return len(self._told) >= self._most

    def __len__(self) -> int:
        return len(self._told)

    def begun(self, call: Call) -> None:
        if call.undecided:
            self._told.add(call.id)

    def stepped(self, before: Call, event: CallEvent, after: Call) -> None:
        """A call has gone on from ``before`` to ``after``."""
        if before.undecided:
            self._in_notice(before, event, after)
        elif isinstance(event, Continued) and before.id in self._decided_ms:
            waited_ms = event.at_ms - self._decided_ms.pop(before.id)
            if before.synthetic:
                return
            self._metrics.way_back_s.observe(waited_ms / 1_000)

    def over(self, call: Call) -> None:
        self._told.discard(call.id)
        self._decided_ms.pop(call.id, None)

    def _in_notice(self, before: Call, event: CallEvent, after: Call) -> None:
        first = before.playbacks == 1 and not before.synthetic
        if isinstance(event, PlaybackStarted) and first and _has_started(after, event):
            waited_ms = event.at_ms - before.arrived_at_ms
            self._metrics.notice_start_s.observe(waited_ms / 1_000)
        if after.undecided:
            return
        self._told.discard(after.id)
        at_ms = getattr(event, "at_ms", None)
        if at_ms is not None and after.phase is CallPhase.CONTINUING:
            self._decided_ms[after.id] = at_ms
