"""What one call has yet to deal with: events in their order, and in front of them its own.

While its reader sleeps an event goes past the box: it is dealt with where it is put, and the reader
sleeps on, unless something is left for him.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from asterisk_compliance.domain.call.commands import Deadline
from asterisk_compliance.domain.call.events import CallEvent, ChannelGone, DeadlinePassed


class Mailbox:
    """Events for one reader, on one loop; whoever puts one never waits.

    Args:
        most: That wait.
        deal: Deals with an event while the reader sleeps, and says whether nothing is left. What is
            put meanwhile is left for the reader. Must not raise.

    Attributes:
        overflowed: An event found no place since the reader looked last.
        gone: The channel's end, if it was among those: without it the call would never be over.
    """

    __slots__ = (
        "_deal",
        "_deals",
        "_events",
        "_most",
        "_outcomes",
        "_sleeps",
        "gone",
        "overflowed",
    )

    def __init__(self, most: int, deal: Callable[[CallEvent], bool]) -> None:
        self.overflowed = False
        self.gone: ChannelGone | None = None
        self._most = most
        self._deal, self._deals = deal, False
        self._events: deque[CallEvent] = deque()
        self._outcomes: deque[CallEvent] = deque()
        self._sleeps: asyncio.Future[None] | None = None

    def __len__(self) -> int:
        return len(self._events)

    def put(self, event: CallEvent) -> None:
        """What somebody tells: at most so many wait."""
        if self._is_dealt_with(event):
            return
        if len(self._events) < self._most:
            self._events.append(event)
        else:
            self.overflowed = True
            if isinstance(event, ChannelGone):
                self.gone = event
        self._wake()

    def put_always(self, event: CallEvent) -> None:
        """What we began ourselves, or somebody waits for: in its turn, and in a full box too."""
        if not self._is_dealt_with(event):
            self._events.append(event)
            self._wake()

    def put_first(self, event: CallEvent) -> None:
        """What the call itself waited for comes before all others, and needs no place."""
        if not self._is_dealt_with(event):
            self._outcomes.append(event)
            self._wake()

    def outcome(self) -> CallEvent | None:
        """The next of what came out, if there is one."""
        return self._outcomes.popleft() if self._outcomes else None

    def take(self) -> CallEvent | None:
        """The next event, if there is one."""
        for events in (self._outcomes, self._events):
            if events:
                return events.popleft()
        return None

    def overflow_seen(self) -> None:
        """The reader knows that an event found no place."""
        self.overflowed = False

    async def filled(self) -> None:
        """Wait for an event, or until one has left something."""
        if not self._events and not self._outcomes:
            self._sleeps = asyncio.get_running_loop().create_future()
            await self._sleeps

    def drop(self, deadline: Deadline) -> None:
        """Forget that this deadline has passed, where nobody has read it yet."""
        if self._events:
            kept = [
                one
                for one in self._events
                if not (isinstance(one, DeadlinePassed) and one.deadline is deadline)
            ]
            self._events = deque(kept)

    def _is_dealt_with(self, event: CallEvent) -> bool:
        if self._deals or self._sleeps is None or self._sleeps.done():
            return False
        self._deals = True
        try:
            nothing_left = self._deal(event)
        finally:
            self._deals = False
        if not nothing_left or self._events or self._outcomes:
            self._wake()
        return True

    def _wake(self) -> None:
        if self._sleeps is not None and not self._sleeps.done():
            self._sleeps.set_result(None)
