"""An event loop without a clock, a socket or a thread: the same seed, the same run.

Time is a number that jumps to the next timer when nothing is ready. Callbacks run in the order in
which they became ready, as asyncio promises; what differs from run to run is when things arrive,
and that comes from the seed. A *life* is a process: everything that was started in it carries its
name (in its context), and :meth:`VirtualLoop.kill` drops all of it between two callbacks.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
import inspect
import itertools
import random
import sys
import warnings
from collections import deque
from collections.abc import Callable
from typing import Any

LIFE: contextvars.ContextVar[str] = contextvars.ContextVar("life", default="world")

Finish = Callable[[], None]


class Stuck(Exception):
    """So many callbacks ran without the clock moving that something spins."""


_SPINS = 20_000


class VirtualLoop(asyncio.AbstractEventLoop):
    """Runs callbacks until nothing is left, or until a moment.

    Attributes:
        connect: What a TCP connection leads to; set by the site.
        ran: How many callbacks each life has run.
    """

    def __init__(self, seed: int = 0) -> None:
        self.rng = random.Random(seed)
        self.now = 0.0
        self.ran: dict[str, int] = {}
        self.dead: set[str] = set()
        self.errors: list[str] = []
        self.connect: Callable[[Any, str, int], Any] | None = None
        self._ready: deque[asyncio.Handle] = deque()
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._number = itertools.count()
        self._frozen: dict[str, float] = {}
        self._kept: dict[str, list[asyncio.Handle]] = {}
        self._tasks: dict[str, set[asyncio.Task[Any]]] = {}
        self._executor_s = (0.0002, 0.003)
        self._kill_at: dict[str, tuple[int, Finish]] = {}

    # -- what asyncio asks for ---------------------------------------------------------------

    def time(self) -> float:
        return self.now

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(
        self, coro: Any, *, name: Any = None, context: contextvars.Context | None = None
    ) -> asyncio.Task[Any]:
        task = asyncio.Task(coro, loop=self, name=name, context=context)
        life = LIFE.get() if context is None else context.get(LIFE, "world")
        alive = self._tasks.setdefault(life, set())
        alive.add(task)
        task.add_done_callback(alive.discard)
        return task

    def call_soon(
        self, callback: Any, *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    call_soon_threadsafe = call_soon

    def call_later(
        self, delay: float, callback: Any, *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self.now + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Any, *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._timers, (when, next(self._number), timer))
        return timer

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """It is thrown away when its time comes."""

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> asyncio.Future[Any]:
        """A worker thread: it works at a later moment, and is heard of at one after that."""
        future = self.create_future()

        def settle(result: Any, error: BaseException | None) -> None:
            if future.done():
                return
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)

        def work() -> None:
            result, error = None, None
            try:
                result = func(*args)
            except Exception as raised:  # noqa: BLE001 - whoever awaits it shall see it
                error = raised
            self.call_later(self._latency_s(), settle, result, error)

        self.call_later(self._latency_s(), work)
        return future

    async def create_connection(self, factory: Any, host: Any = None, port: Any = None, **_: Any):  # type: ignore[override]
        assert self.connect is not None
        return await self.connect(factory, host, port)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if self.dead and "never retrieved" in context.get("message", ""):
            return  # whoever would have looked at it is dead
        self.errors.append(f"{context.get('message')}: {error!r}")

    # -- running -----------------------------------------------------------------------------

    def run(self, coroutine: Any, until: float) -> Any:
        """Run the world's coroutine; :class:`TimeoutError` if it is not done by then."""
        asyncio.events._set_running_loop(self)
        hooks = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(finalizer=lambda _: None)  # those of a dead life are left alone
        try:
            main = self.create_task(coroutine)
            spins = 0
            while not main.done():
                if not self._ready:
                    spins = 0
                    if not self._timers or self._timers[0][0] > until:
                        raise TimeoutError(f"not over at {self.now:.3f} s")
                    self._advance()
                    continue
                spins += 1
                if spins > _SPINS:
                    raise Stuck(repr(self._ready[0]))
                self._run_one(self._ready.popleft())
            return main.result()
        finally:
            sys.set_asyncgen_hooks(*hooks)
            asyncio.events._set_running_loop(None)

    def _advance(self) -> None:
        when = self._timers[0][0]
        self.now = max(self.now, when)
        while self._timers and self._timers[0][0] <= self.now:
            timer = heapq.heappop(self._timers)[2]
            if not timer._cancelled:
                self._ready.append(timer)

    def _run_one(self, handle: asyncio.Handle) -> None:
        life = handle._context.get(LIFE, "world")  # type: ignore[attr-defined]
        if handle._cancelled or life in self.dead:  # type: ignore[attr-defined]
            return
        if life in self._frozen:
            self._kept[life].append(handle)
            return
        self.ran[life] = ran = self.ran.get(life, 0) + 1
        handle._run()  # type: ignore[attr-defined]
        if life in self._kill_at and ran >= self._kill_at[life][0]:
            _, finish = self._kill_at.pop(life)
            finish()

    def _latency_s(self) -> float:
        return self.rng.uniform(*self._executor_s)

    # -- lives -------------------------------------------------------------------------------

    def in_life(self, life: str) -> contextvars.Context:
        """A context whose work belongs to this life."""
        context = contextvars.copy_context()
        context.run(LIFE.set, life)
        return context

    def freeze(self, life: str, for_s: float) -> None:
        """The process gets no processor for so long: everything of it is late."""
        if life in self._frozen or life in self.dead:
            return
        self._frozen[life] = self.now + for_s
        self._kept[life] = []
        self.call_later(for_s, self._thaw, life, context=self.in_life("world"))

    def _thaw(self, life: str) -> None:
        del self._frozen[life]
        self._ready.extendleft(reversed(self._kept.pop(life)))

    def kill_after(self, life: str, callbacks: int, finish: Finish) -> None:
        """``finish`` is called when the life has run so many callbacks more."""
        self._kill_at[life] = (self.ran.get(life, 0) + callbacks, finish)

    def kill(self, life: str) -> None:
        """Nothing of this life happens any more; its tasks are taken apart without effect."""
        self.dead.add(life)
        self._kill_at.pop(life, None)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            for task in sorted(self._tasks.pop(life, ()), key=lambda task: task.get_name()):
                task._log_destroy_pending = False  # type: ignore[attr-defined]
                self.in_life(life).run(_take_apart, task)


def _take_apart(task: asyncio.Task[Any]) -> None:
    coroutine: Any = task.get_coro()
    if inspect.getcoroutinestate(coroutine) == inspect.CORO_CREATED:
        # What it was given to await is taken apart as well; until Python 3.12 ``close`` did that.
        for given in coroutine.cr_frame.f_locals.values():
            if inspect.iscoroutine(given):
                given.close()
    for _ in range(50):
        try:
            coroutine.close()
        except RuntimeError:  # it awaits something in its ``finally``; nothing comes of that
            continue
        except BaseException:  # noqa: BLE001 - the dead do not speak
            continue
        return
