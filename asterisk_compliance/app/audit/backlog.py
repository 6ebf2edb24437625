"""Rows of calls that the store refused, and that nothing waits for: kept until it takes rows again.

What depends on a row does not happen without it, and such rows are not kept. The others tell what
happened all the same: that a call came, and why it was not recorded. They are kept in memory, in
the order of their call, with the time at which they were made; a service that dies meanwhile loses
them, and ``reconcile`` finds those calls in Asterisk's own record.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from typing import NoReturn, Protocol

import structlog

from asterisk_compliance.domain.audit.rows import Draft
from asterisk_compliance.errors import StoreError
from asterisk_compliance.ids import CallId

BACKLOG_ROWS = 20_000
"""About a thousand calls; what comes beyond is lost, and the journal says so."""
TRY_AGAIN_S = 0.5

log = structlog.get_logger()


class Store(Protocol):
    """The audit log, as the backlog needs it.

    Attributes:
        refuses: The last rows were not stored.
    """

    refuses: bool

    def append(self, *drafts: Draft) -> asyncio.Future[int]: ...


class Backlog:
    """What the store owes. Make it, then :meth:`run` it in a task."""

    def __init__(self, store: Store, *, most: int = BACKLOG_ROWS) -> None:
        self._store = store
        self._most = most
        self._kept: deque[tuple[CallId, tuple[Draft, ...]]] = deque()
        self._of: Counter[CallId] = Counter()
        self._awaited: Counter[CallId] = Counter()
        self._asked = asyncio.Event()
        self._storing = asyncio.Lock()

    @property
    def size(self) -> int:
        """Rows that are not stored yet."""
        return self._of.total()

    def holds(self, call: CallId) -> bool:
        """Whether rows of this call are not stored yet; whatever follows them has to wait."""
        return call in self._of

    @property
    def owed(self) -> frozenset[CallId]:
        """Calls of which the log does not have every row yet, though they may be over."""
        return frozenset((*self._of, *self._awaited))

    def awaits(self, call: CallId, last: asyncio.Future[int]) -> None:
        """A call is over, and nobody knows yet whether a slow store takes its last rows."""

        def settled(_: asyncio.Future[int]) -> None:
            self._awaited[call] -= 1
            if not self._awaited[call]:
                del self._awaited[call]

        self._awaited[call] += 1
        last.add_done_callback(settled)

    def keep(self, call: CallId, *drafts: Draft) -> None:
        """Keep rows that belong together; all are stored later, or none."""
        if self.size + len(drafts) > self._most:
            log.error("rows_lost", call=call, kinds=[draft.kind for draft in drafts])
            return
        self._kept.append((call, drafts))
        self._of[call] += len(drafts)
        self._asked.set()

    def refused(self) -> None:
        """Rows were refused that are not kept: say when the store has taken some again."""
        self._asked.set()

    async def stored(self) -> bool:
        """Try to store all of them now, in order; whether nothing is left."""
        async with self._storing:
            while self._kept:
                call, drafts = self._kept.popleft()
                try:
                    await self._store.append(*drafts)
                except StoreError:
                    self._kept.appendleft((call, drafts))
                    return False
                except ValueError as error:
                    log.error("rows_lost", call=call, why=str(error))
                self._of[call] -= len(drafts)
                if not self._of[call]:
                    del self._of[call]
        return True

    async def run(self, mended: Callable[[], None]) -> NoReturn:
        """Store what is kept as soon as that can be done; call ``mended`` each time it was."""
        while True:
            await self._asked.wait()
            await asyncio.sleep(TRY_AGAIN_S)
            if await self.stored() and not self._store.refuses:
                self._asked.clear()
                log.warning("store_takes_rows_again")
                mended()
