"""What is broken, in an order that follows from a seed."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import random
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path

from asterisk_compliance.app.shared.control_socket import ask
from asterisk_compliance.errors import ComplianceError
from chaos.evidence import Fault
from lab.disk import Disk
from lab.proxy import Cable
from lab.service import ServiceFailed
from lab.site import Site

_READY_S, _POLL_S = 20.0, 0.05


class Pipe(Cable):
    """A cable that can also be pinched: nothing comes through, and nobody is told."""

    def __init__(self, to_port: int) -> None:
        super().__init__(to_port)
        self.open = asyncio.Event()
        self.open.set()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await super()._forward(_Pinched(reader, self.open), writer)  # type: ignore[arg-type]
        except OSError:  # nobody is at the other end
            writer.transport.abort()


class _Pinched:
    """A reader whose data waits while the pipe is pinched."""

    def __init__(self, reader: asyncio.StreamReader, open_: asyncio.Event) -> None:
        self._reader, self._open = reader, open_

    async def read(self, size: int) -> bytes:
        data = await self._reader.read(size)
        await self._open.wait()
        return data


class Faults:
    """Breaks one thing after another, and mends it.

    Attributes:
        done: What was broken, and when.
        orders: The file by which the service's process disturbs itself.
    """

    def __init__(
        self,
        site: Site,
        ari: Pipe,
        ami: Pipe,
        rng: random.Random,
        disk: Disk,
        asterisk_died: Callable[[], None],
    ) -> None:
        self.done: list[Fault] = []
        self._site, self._ari, self._ami, self._rng = site, ari, ami, rng
        self._disk, self._asterisk_died = disk, asterisk_died
        self.orders = site.directory / "orders"
        self._socket = site.directory / "state/run/control.sock"
        self._kinds: Mapping[str, Callable[[], Awaitable[None]]] = {
            "service_killed": self._kill_service,
            "service_killed_at_commit": self._kill_at_commit,
            "clock_jumped": self._jump,
            "service_suspended": self._suspend_service,
            "asterisk_killed": self._kill_asterisk,
            "asterisk_restarted": self._restart_asterisk,
            "disk_full": self._fill_disk,
            "ari_cut": lambda: self._cut(self._ari),
            "ami_cut": lambda: self._cut(self._ami),
            "ari_stalled": self._stall,
        }

    def order(self) -> Iterator[str]:
        """Every kind once, in an order by chance, and again."""
        for _ in itertools.count():
            yield from self._rng.sample(sorted(self._kinds), len(self._kinds))

    async def happen(self, count: int, *, pause_s: tuple[float, float]) -> None:
        for kind in itertools.islice(self.order(), count):
            await asyncio.sleep(self._rng.uniform(*pause_s))
            fault = Fault(kind, time.monotonic())
            self.done.append(fault)
            await self._kinds[kind]()
            fault.until = time.monotonic()

    async def _kill_service(self) -> None:
        await self._site.service.kill()
        await asyncio.sleep(self._rng.uniform(0.0, 1.5))
        await self._site.service.start(ready=False)
        await self._connected()

    async def _kill_at_commit(self) -> None:
        """At one of the next rows, before it is written or when it is durable."""
        when, commits = self._rng.choice(("before", "after")), self._rng.randint(0, 30)
        self._order(die=when, commits=commits)
        with contextlib.suppress(ServiceFailed):  # so few commits in that time: kill it so
            await self._site.service.ended()
        self._order()
        await self._site.service.kill()
        await self._site.service.start(ready=False)
        await self._connected()

    async def _jump(self) -> None:
        """The system's clock, back or ahead by up to two hours, and after a while back again."""
        self._order(clock_ms=self._rng.choice((-1, 1)) * self._rng.randint(200, 7_200_000))
        await asyncio.sleep(self._rng.uniform(0.5, 8.0))
        self._order()

    def _order(self, **said: object) -> None:
        """What the service's process does to itself (``disturbed.py``)."""
        new = self.orders.with_suffix(".new")
        new.write_text(json.dumps(said))
        new.chmod(0o644)
        new.rename(self.orders)

    async def _connected(self) -> None:
        """Until the service is. Asked in a thread, so that the telephones lose no packet by it."""
        async with asyncio.timeout(_READY_S):
            while not await asyncio.to_thread(_is_connected, self._socket):  # noqa: ASYNC110
                await asyncio.sleep(_POLL_S)

    async def _suspend_service(self) -> None:
        self._site.service.suspend()
        await asyncio.sleep(self._rng.uniform(0.3, 2.5))
        self._site.service.resume()

    async def _kill_asterisk(self) -> None:
        await self._site.asterisk.kill()
        self._asterisk_died()
        await asyncio.sleep(self._rng.uniform(0.0, 0.5))
        await self._site.asterisk.start()
        await self._connected()

    async def _restart_asterisk(self) -> None:
        await self._site.asterisk.restart_now()
        self._asterisk_died()
        await self._connected()

    async def _fill_disk(self) -> None:
        """The one under the audit log."""
        await asyncio.to_thread(self._disk.fill)
        await asyncio.sleep(self._rng.uniform(0.5, 3.0))
        await asyncio.to_thread(self._disk.empty)

    async def _cut(self, pipe: Pipe) -> None:
        pipe.cut()
        await asyncio.sleep(self._rng.uniform(0.2, 2.0))
        pipe.plug()

    async def _stall(self) -> None:
        self._ari.open.clear()
        await asyncio.sleep(self._rng.uniform(0.3, 2.5))
        self._ari.open.set()


def _is_connected(socket: Path) -> bool:
    try:
        status = ask(socket, "status", {})
    except ComplianceError:
        return False
    return status is not None and all(node["ari"] and node["ami"] for node in status["nodes"])
