"""The one thread of the service, the log's writer, on the virtual loop.

A thread that waits for its queue has nothing in its hands: so it is left there, and entered again
from its beginning when something is in the queue and a moment has passed. Its code is the real one.
"""

from __future__ import annotations

import contextvars
import queue
from collections import deque
from collections.abc import Callable
from typing import Any

from simulation.loop import VirtualLoop


class Died(BaseException):
    """The process of this thread died in the middle of what it did."""


class _Waits(BaseException):
    """The thread has nothing to do."""


class Threads:
    """Stands in for ``threading`` and ``queue`` in a module of the service.

    Attributes:
        pause_s: How long a thread takes from when it is woken to the end of its work.
    """

    def __init__(self, loop: VirtualLoop, pause_s: Callable[[], float]) -> None:
        self.loop = loop
        self.pause_s = pause_s
        self.running: Thread | None = None

    def Thread(self, target: Any, name: str = "", daemon: bool = False) -> Thread:  # noqa: N802
        return Thread(self, target)

    def SimpleQueue(self) -> Queue:  # noqa: N802
        return Queue(self)


class Thread:
    """Belongs to the life in which it was made, and ends with it."""

    def __init__(self, threads: Threads, target: Callable[[], None]) -> None:
        self._threads, self._target = threads, target
        self._context = contextvars.copy_context()
        self.over = False
        self.timed_out = False
        self._timer: Any = None

    def start(self) -> None:
        self.go_on_after(0.0)

    def join(self) -> None:
        """It has said that it is over before anybody joins it."""

    def go_on_after(self, seconds: float, *, timed_out: bool = False) -> None:
        loop = self._threads.loop
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_later(seconds, self._go_on, timed_out, context=self._context)

    def _go_on(self, timed_out: bool) -> None:
        if self.over:
            return
        self._threads.running, self.timed_out = self, timed_out
        try:
            self._target()
        except _Waits:
            return
        except Died:
            pass
        finally:
            self._threads.running = None
        self.over = True


class Queue:
    """``queue.SimpleQueue`` for one reader."""

    def __init__(self, threads: Threads) -> None:
        self._threads = threads
        self._items: deque[Any] = deque()
        self._reader: Thread | None = None

    def put(self, item: Any) -> None:
        self._items.append(item)
        if self._reader is not None:
            self._reader.go_on_after(self._threads.pause_s())
            self._reader = None

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        if self._items:
            return self._items.popleft()
        thread = self._threads.running
        assert thread is not None
        if not block or thread.timed_out:
            thread.timed_out = False
            raise queue.Empty
        if timeout is not None:
            thread.go_on_after(timeout, timed_out=True)
        self._reader = thread
        raise _Waits

    def get_nowait(self) -> Any:
        return self.get(block=False)

    def empty(self) -> bool:
        return not self._items
