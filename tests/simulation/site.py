"""The whole service in a virtual world: its real code, on a clock and a scheduler of the seed.

Real: everything from ``Service.run`` down to the bytes on the wires, the log in SQLite, and the
WAV files. In its place stand: the clock, chance, the kernel's notices about files, the sockets,
and Asterisk. The JSON Lines, the control socket and FastAGI are left out.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import shutil
from collections import deque
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn, Self
from urllib.parse import unquote

import aiohttp
import msgspec

from asterisk_compliance.app.policy.configuration import Configuration
from asterisk_compliance.app.recordings import sealer
from asterisk_compliance.app.recordings.sealer_pool import SealerPool
from asterisk_compliance.app.service.runner import Service
from asterisk_compliance.errors import AsteriskUnavailable, StoreUnavailable
from asterisk_compliance.storage.log.writer import StoreWriter
from simulation.ari_side import EPOCH_S
from simulation.asterisk import Asterisk, Channel
from simulation.dialplan import Dialplan
from simulation.loop import LIFE, VirtualLoop
from simulation.recorder import Truth
from simulation.threads import Died, Threads
from simulation.wires import AmiTransport, AriSocket, Wire

FASTEST_S, SLOWEST_S = 0.0002, 0.06
"""How long anything is under way on a wire; the rules are built on less than 0.1 s."""


class Watch:
    """The kernel's notices of one watch."""

    def __init__(self, site: Site) -> None:
        self._site, self._context = site, site.loop.in_life(LIFE.get())
        self._inbox: deque[Any] = deque()
        self._more = asyncio.Event()
        self.is_open = True

    def add(self, directory: Path) -> None:
        self._site.watches.append(self)

    def close(self) -> None:
        self.is_open = False

    async def run(self, tell: Callable[[str, int], None]) -> NoReturn:
        while True:
            while self._inbox:
                tell(*self._inbox.popleft())
            self._more.clear()
            await self._more.wait()

    def tell(self, name: str, happened: int) -> None:
        self._site.loop.call_later(0.0005, self._take, (name, happened), context=self._context)

    def _take(self, event: tuple[str, int]) -> None:
        self._inbox.append(event)
        self._more.set()


class HttpSession:
    """What ``aiohttp.ClientSession`` is for ARI over HTTP: where the WebSocket did not answer."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing is left open."""

    @contextlib.asynccontextmanager
    async def request(
        self, method: str, url: str, *, params: Any, data: bytes | None, **_: Any
    ) -> AsyncIterator[Any]:
        site, path = self._site, url.partition("/ari/")[2]
        await asyncio.sleep(site.loop.rng.uniform(FASTEST_S, 0.005))
        if not site.asterisk_lives:
            raise aiohttp.ClientConnectionError
        parts = [unquote(part) for part in path.split("/")]
        body = msgspec.json.decode(data or b"{}")
        status, said = site.asterisk.ari.answer(method, parts, dict(params), body)
        await asyncio.sleep(site.loop.rng.uniform(FASTEST_S, 0.005))
        text = "" if said is None else msgspec.json.encode(said).decode()

        async def read(_: str) -> str:
            return text

        yield SimpleNamespace(status=status, text=read)


class Site:
    """One service and one Asterisk, from the first start to the last row.

    Attributes:
        wall_offset_s: What somebody did to the clock on the wall.
        store_fails, store_slow_s: What the disk does with the next commits.
        store_has_failed: It has refused one; then the service may end, and be started again.
        defects: What must never happen, as sentences.
    """

    def __init__(
        self,
        configuration: Configuration | None,
        prompts: dict[str, float],
        seed: int,
        spool: Path | None = None,
    ) -> None:
        self.loop = VirtualLoop(seed)
        self.chance = random.Random(seed ^ 0x5EED)
        if configuration is not None:
            settings = configuration.settings
            self.store = settings.audit.store
            self.vault = settings.vault.recordings
            spool = settings.asterisk[0].spool_path
        assert spool is not None
        self.configuration, self.spool = configuration, spool
        self.threads = Threads(self.loop, self._commit_s)
        self.watches: list[Watch] = []
        self.truths: dict[str, Truth] = {}
        self.asterisks: list[Asterisk] = []
        self.dialplans: list[Dialplan] = []
        self.service: Service | None = None
        self.life = ""
        self.lives = 0
        self.wall_offset_s = 0.0
        self.store_fails, self.store_slow_s = False, 0.0
        self.store_has_failed = False
        self.kill_at_commit: tuple[int, bool] | None = None
        self.defects: list[str] = []
        self.away: list[tuple[float, float]] = []
        self.ari_refused_until_s = self.ami_refused_until_s = 0.0
        self.told: Callable[[Any, str], None] = lambda *_: None
        self._prompts = prompts
        self._writers: dict[str, StoreWriter] = {}
        self._task: asyncio.Task[None] | None = None
        self._stop: asyncio.Event | None = None
        self._numbers = iter(range(1, 1_000_000))
        self.loop.connect = self._connect_ami

    @classmethod
    def without_service(cls, spool: Path, prompts: dict[str, float], seed: int) -> Self:
        """An Asterisk alone, for who talks to it himself."""
        return cls(None, prompts, seed, spool)

    # -- Asterisk ----------------------------------------------------------------------------

    @property
    def asterisk(self) -> Asterisk:
        return self.asterisks[-1]

    @property
    def dialplan(self) -> Dialplan:
        return self.dialplans[-1]

    def start_asterisk(self) -> None:
        asterisk = Asterisk(
            self.loop,
            f"asterisk-{len(self.asterisks)}",
            self.spool,
            self._prompts,
            notify=self._notify,
            truths=self.truths,
            told=self._heard,
            wall=self.wall,
            numbers=self._numbers,
        )
        self.asterisks.append(asterisk)
        self.dialplans.append(Dialplan(asterisk))

    def _heard(self, channel: Channel, media: str) -> None:
        self.told(channel, media)

    def kill_asterisk(self) -> None:
        self.asterisk.die()

    @property
    def asterisk_lives(self) -> bool:
        return bool(self.asterisks) and self.asterisk.life not in self.loop.dead

    def _notify(self, name: str, happened: int) -> None:
        for watch in self.watches:
            if watch.is_open:
                watch.tell(name, happened)

    # -- the service -------------------------------------------------------------------------

    @property
    def serves(self) -> bool:
        return self._task is not None

    @property
    def stopping(self) -> bool:
        """It was told to stop, and has not ended yet: a slow store may keep it for long."""
        return self._task is not None and self._stop is not None and self._stop.is_set()

    def start_service(self) -> None:
        assert self.configuration is not None
        self.lives += 1
        self.life = f"service-{self.lives}"
        context = self.loop.in_life(self.life)
        self._stop = context.run(asyncio.Event)
        self.service = context.run(Service, self.configuration)
        self._task = self.loop.create_task(self.service.run(self._stop), context=context)
        self._task.add_done_callback(self._ended, context=self.loop.in_life("world"))

    def _ended(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or task is not self._task:
            return
        if task.exception() is not None and not self.store_has_failed:
            self.defects.append(f"the service ended: {task.exception()!r}")
        self._over()

    async def stop_service(self) -> None:
        """SIGTERM, and wait for the end of this life; the next one may have begun by then."""
        assert self._stop is not None
        stopped = self._task
        self._stop.set()
        while stopped is not None and self._task is stopped:  # noqa: ASYNC110 - virtual
            await asyncio.sleep(0.05)

    def kill_service(self) -> None:
        """``kill -9``."""
        if self._task is None:
            return
        life = self.life
        self.loop.kill(life)
        writer = self._writers.pop(life, None)
        if writer is not None:
            writer.close()
        self._over()

    def _over(self) -> None:
        self._task = self.service = None
        self.watches.clear()
        self.asterisk.ari.drop()
        self.asterisk.ami.drop()

    def end(self) -> None:
        """The world is over, and leaves nothing behind in this process."""
        self.kill_service()
        for life in ["world", *(asterisk.life for asterisk in self.asterisks)]:
            self.loop.kill(life)
        for writer in self._writers.values():
            writer.close()

    # -- what the service's modules find in the place of the world -----------------------------

    async def open_websocket(self, session: Any, address: Any, limits: Any) -> AriSocket:
        await asyncio.sleep(self.loop.rng.uniform(FASTEST_S, 0.005))
        if not self.asterisk_lives or self.loop.now < self.ari_refused_until_s:
            raise AsteriskUnavailable("nothing answers")
        wire = Wire(self.loop, FASTEST_S, self._slowest_s)
        socket = AriSocket(wire, self.asterisk.ari.on_message)
        self.asterisk.ari.connected(socket)
        return socket

    def http_session(self, *_: Any) -> HttpSession:
        return HttpSession(self)

    async def _connect_ami(self, factory: Any, host: str, port: int) -> tuple[Any, Any]:
        await asyncio.sleep(self.loop.rng.uniform(FASTEST_S, 0.005))
        if not self.asterisk_lives or self.loop.now < self.ami_refused_until_s:
            raise ConnectionRefusedError
        protocol = factory()
        wire = Wire(self.loop, FASTEST_S, self._slowest_s)
        transport = AmiTransport(wire, protocol, self.asterisk.ami.on_data)
        protocol.connection_made(transport)
        self.asterisk.ami.connected(transport)
        return transport, protocol

    @property
    def _slowest_s(self) -> float:
        return self.chance.choice((0.002, 0.002, 0.02, SLOWEST_S))

    def commit_groups(self, writer: StoreWriter, groups: Any) -> Any:
        """On the writer's thread, instead of ``StoreWriter.commit_groups``."""
        if self.store_fails:
            self.store_has_failed = True
            raise StoreUnavailable("the disk is full")
        dies = self._dies_at_this_commit()
        if dies == "before":
            self._die_here()
        stored = _commit_groups(writer, groups)
        if dies == "behind":
            self._die_here()
        return stored

    def _dies_at_this_commit(self) -> str:
        if self.kill_at_commit is None:
            return ""
        left, before = self.kill_at_commit
        self.kill_at_commit = (left - 1, before) if left else None
        return "" if left else "before" if before else "behind"

    def _die_here(self) -> NoReturn:
        self.loop.call_soon(self.kill_service, context=self.loop.in_life("world"))
        raise Died

    def _commit_s(self) -> float:
        return self.store_slow_s + self.loop.rng.uniform(0.0002, 0.002)

    async def take_in(self, _: SealerPool, job: sealer.Job) -> sealer.SealerAnswer:
        """The process that takes recordings in; it dies with the service."""
        sent = msgspec.json.decode(msgspec.json.encode(job), type=sealer.Job)
        answer = await asyncio.to_thread(sealer.perform_job, sent)
        return msgspec.json.decode(msgspec.json.encode(answer), type=sealer.SealerAnswer)

    def open_writer(self, *given: Any, **more: Any) -> StoreWriter:
        writer = self._writers[LIFE.get()] = _open_writer(*given, **more)
        return writer

    def watch(self) -> Watch:
        return Watch(self)

    def token_bytes(self, count: int) -> bytes:
        return self.chance.randbytes(count)

    def token_hex(self, count: int) -> str:
        return self.chance.randbytes(count).hex()

    # -- time --------------------------------------------------------------------------------

    def monotonic(self) -> float:
        return self.loop.now + 1_000.0

    def monotonic_ns(self) -> int:
        return round(self.monotonic() * 1e9)

    def wall(self) -> float:
        return EPOCH_S + self.loop.now + self.wall_offset_s

    def wall_ns(self) -> int:
        return round(self.wall() * 1e9)


_commit_groups = StoreWriter.commit_groups
_open_writer = StoreWriter.open


def emptied(directory: Path) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(mode=0o700, parents=True)
