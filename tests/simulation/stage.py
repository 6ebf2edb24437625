"""Where sites are played: exchanges what reaches out of the process in the service's modules."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import random
import secrets
import sys
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any
from unittest import mock

import structlog
from prometheus_client import CollectorRegistry

from asterisk_compliance.app.recordings.sealer_pool import SealerPool
from asterisk_compliance.app.shared.control_socket import ControlSocket
from asterisk_compliance.app.shared.metrics import Metrics
from asterisk_compliance.asterisk.ari.address import AriAddress, open_websocket
from asterisk_compliance.storage.feeds.jsonl import JsonLines
from asterisk_compliance.storage.log import audit_log
from asterisk_compliance.storage.log.writer import StoreWriter
from asterisk_compliance.storage.recordings.inotify import Watch
from simulation.site import Site


class NoLines:
    """The JSON Lines follow the log; nothing depends on them."""

    def __init__(self, *_: Any, **__: Any) -> None:
        self._closed = asyncio.Event()

    async def run(self) -> None:
        await self._closed.wait()

    def close(self) -> None:
        self._closed.set()


class NoControl:
    def __init__(self, *_: Any) -> None:
        """Nobody asks."""

    async def run(self) -> None:
        await asyncio.Event().wait()


class Stage:
    """Where sites are played, one after the other: patches what reaches out of the process."""

    def __init__(self) -> None:
        self.site: Site | None = None

    @property
    def now(self) -> Site:
        assert self.site is not None
        return self.site

    @contextlib.contextmanager
    def set_up(self) -> Iterator[None]:
        """Exchange clocks, chance, sockets and threads in the modules of the service."""
        late = self._late
        wall_ns, now_ns = late("wall_ns"), late("monotonic_ns")
        clock = SimpleNamespace(
            monotonic=late("monotonic"), monotonic_ns=now_ns, time=late("wall"), time_ns=wall_ns
        )
        secret = SimpleNamespace(token_bytes=late("token_bytes"), token_hex=late("token_hex"))
        back_off = SimpleNamespace(uniform=late("chance", "uniform"))
        threading = SimpleNamespace(Thread=late("threads", "Thread"))
        queues = SimpleNamespace(
            SimpleQueue=late("threads", "SimpleQueue"), Empty=audit_log.queue.Empty
        )
        before = structlog.get_config()
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
        with contextlib.ExitStack() as patches:
            for what, instead in (
                (time, clock),
                (secrets, secret),
                (random, back_off),
                (Watch, late("watch")),
                (JsonLines, NoLines),
                (ControlSocket, NoControl),
                (Metrics, _new_metrics),
                (open_websocket, late("open_websocket")),
            ):
                for module, name in _uses(what):
                    patches.enter_context(mock.patch.object(module, name, instead))
            for target, name, instead in (
                (audit_log, "threading", threading),
                (audit_log, "queue", queues),
                (SealerPool, "_ask", late("take_in")),
                (AriAddress, "session", late("http_session")),
                (StoreWriter, "commit_groups", late("commit_groups")),
                (StoreWriter, "open", late("open_writer")),
            ):
                patches.enter_context(mock.patch.object(target, name, instead))
            try:
                yield
            finally:
                structlog.configure(**before)

    def _late(self, *path: str) -> Callable[..., Any]:
        """What the site has by this name that is on the stage when it is called."""

        def call(*given: Any, **more: Any) -> Any:
            found: Any = self.now
            for name in path:
                found = getattr(found, name)
            return found(*given, **more)

        return call


_metrics = Metrics()


def _new_metrics() -> Metrics:
    """To make them anew costs more than all the rest of a start, and nobody reads them."""
    made = copy.copy(_metrics)
    made.registry = CollectorRegistry()
    return made


def _uses(what: Any) -> list[tuple[Any, str]]:
    """Where the service's modules have it, under which name."""
    named = sorted(name for name in sys.modules if name.startswith("asterisk_compliance."))
    return [
        (sys.modules[module], name)
        for module in named
        for name, value in vars(sys.modules[module]).items()
        if value is what
    ]
