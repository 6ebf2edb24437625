"""A service that serves nobody: everything is real but Asterisk, which is not there."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec

from asterisk_compliance.app.calls.node import Node
from asterisk_compliance.app.policy.configuration import load_configuration
from asterisk_compliance.app.service.node_assembly import Connect, clients_of
from asterisk_compliance.app.service.runner import Service
from asterisk_compliance.ids import PlaybackId
from asterisk_compliance.shipped import catalogue
from asterisk_compliance.storage.log.reader import StoreReader

WITHIN_S = 10.0

CONFIG = """
[controller]
name = "Example K.K."
contact = "privacy@example.jp"

[[asterisk]]
node = "pbx1"
spool = "{home}/spool"
sounds = "{sounds}"
ari = {{ user = "compliance", secret_file = "{home}/secret", url = "http://127.0.0.1:1/ari" }}

[[notice]]
id = "standard"
version = "1"
purposes = ["SERVICE", "QUALITY"]
wording.ja.prompt = "notice-standard"

[[notice]]
id = "asks"
version = "1"
purposes = ["SERVICE", "QUALITY"]
wording.ja.prompt = "notice-opt-in"

[[policy]]
name = "inbound"
notice = "standard"
notice_opt_in = "asks"
languages = ["ja"]
keys = {{ accept = "1", refuse = "2" }}
{policy}

{rules}

[limits]
dialplan_s = 40
stop_s = 0.1
close_s = 0.1

[audit]
store = "{home}/store"

[vault]
recordings = "{home}/recordings"
{vault}

[service]
socket = "{home}/run/control.sock"
"""


UNSEALED = 'encryption = "off"'


def write_config(home: Path, *, policy: str = "", rules: str = "", vault: str = UNSEALED) -> Path:
    """A configuration below ``home``, with the shipped prompts. Written whole, or not at all."""
    (home / "spool").mkdir(exist_ok=True)
    (home / "secret").write_text("secret")
    sounds = catalogue.sounds()
    text = CONFIG.format(home=home, sounds=sounds, policy=policy, rules=rules, vault=vault)
    return write_whole(home / "compliance.toml", text)


def write_whole(file: Path, text: str) -> Path:
    new = file.with_suffix(".new")
    new.write_text(text, "utf-8")
    return new.replace(file)


class Willing:
    """The line of a channel on which everything succeeds at once."""

    def _done(self) -> asyncio.Future[None]:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done

    def answer(self) -> asyncio.Future[None]:
        return self._done()

    def play(self, playback: PlaybackId, media: str) -> asyncio.Future[None]:
        return self._done()

    def stop_playback(self, playback: PlaybackId) -> None: ...

    def set_variable(self, name: str, value: str) -> asyncio.Future[None]:
        return self._done()

    def hand_over(self, result: str) -> asyncio.Future[None]:
        return self._done()

    def continue_dialplan(self) -> asyncio.Future[None]:
        return self._done()

    def close(self) -> None: ...


class Serving:
    """A service that runs, and its log."""

    def __init__(self, config: Path, connect: Connect = clients_of) -> None:
        self.config = config
        self.service = Service(load_configuration(config), connect=connect)
        self.reload = asyncio.Event()
        self._ready = asyncio.Event()
        self._stop = asyncio.Event()

    @property
    def node(self) -> Node:
        (node,) = self.service._nodes
        return node.registry

    @property
    def policies(self) -> Any:
        return self.node.policies

    def rows(self) -> list[dict[str, Any]]:
        with StoreReader(self.config.parent / "store") as reader:
            return [msgspec.json.decode(row.data) for row in reader.rows()]

    def details(self, kind: str) -> list[dict[str, Any]]:
        return [row["detail"] for row in self.rows() if row["kind"] == kind]

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(WITHIN_S):
            while not holds():  # noqa: ASYNC110 - rows of another thread
                await asyncio.sleep(0.01)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.service.run(self._stop, self._ready.set, self.reload))
        try:
            async with asyncio.timeout(WITHIN_S):
                ready = asyncio.create_task(self._ready.wait())
                await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED)
            ready.cancel()
            assert not task.done(), task
            yield
        finally:
            self._stop.set()
            async with asyncio.timeout(WITHIN_S):
                await task
