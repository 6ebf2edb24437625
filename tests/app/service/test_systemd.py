"""systemd is told what is so: ready, reloading, stopping, and alive only while work goes on."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.serving import Serving, write_config
from asterisk_compliance.app.policy.configuration import load_configuration
from asterisk_compliance.app.service.runner import Service
from asterisk_compliance.app.service.systemd import Systemd
from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.storage.log import schema
from asterisk_compliance.storage.log.writer import StoreWriter

pytestmark = pytest.mark.slow

WATCHDOG_S = 0.4


class Listening:
    """What systemd hears."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self._socket.setblocking(False)

    def close(self) -> None:
        self._socket.close()

    def heard(self) -> list[str]:
        """Every message since the last look."""
        messages = []
        while True:
            try:
                messages.append(self._socket.recv(4096).decode())
            except BlockingIOError:
                return messages

    def environment(self, **more: str) -> dict[str, str]:
        return {"NOTIFY_SOCKET": self.address, **more}


@pytest.fixture(params=["path", "abstract"])
def listening(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Listening]:
    name = str(tmp_path / "notify") if request.param == "path" else f"@notify-{tmp_path.name}"
    it = Listening(name)
    yield it
    it.close()


def watched(listening: Listening, **more: str) -> Systemd:
    return Systemd(listening.environment(WATCHDOG_USEC=str(int(WATCHDOG_S * 1_000_000)), **more))


def pings(messages: list[str]) -> int:
    return messages.count("WATCHDOG=1")


def test_the_words_of_the_protocol(listening: Listening) -> None:
    systemd = Systemd(listening.environment())
    systemd.ready()
    systemd.stopping()
    before = time.monotonic_ns() // 1_000
    systemd.reloading()
    ready, stopping, reloading = listening.heard()
    assert (ready, stopping) == ("READY=1", "STOPPING=1")
    said = dict(line.split("=") for line in reloading.splitlines())
    assert said["RELOADING"] == "1"
    assert before <= int(said["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1_000


@pytest.mark.parametrize(
    "environment", [{}, {"NOTIFY_SOCKET": "/nowhere/notify", "WATCHDOG_USEC": "1000"}]
)
async def test_without_systemd_nothing_is_said_and_nothing_fails(
    environment: dict[str, str],
) -> None:
    systemd = Systemd(environment)
    systemd.ready()
    watch = asyncio.create_task(systemd.watch(lambda: 0.0, str))
    await asyncio.sleep(0.02)
    assert not watch.done()
    watch.cancel()


def test_a_watchdog_that_is_meant_for_another_process_is_not_fed(listening: Listening) -> None:
    assert watched(listening, WATCHDOG_PID=str(os.getpid() + 1)).watchdog_s is None
    assert watched(listening, WATCHDOG_PID=str(os.getpid())).watchdog_s == WATCHDOG_S
    assert Systemd(listening.environment(WATCHDOG_USEC="0")).watchdog_s is None


async def test_a_start_that_brings_the_store_up_to_date_may_take_its_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serving = Serving(write_config(tmp_path))
    async with serving.running():
        pass
    step = "CREATE TABLE later (x TEXT) STRICT;"
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, step))
    listening = Listening(str(tmp_path / "notify"))
    serving = Serving(serving.config)
    serving.service = Service(load_configuration(serving.config), Systemd(listening.environment()))
    async with serving.running():
        first, *others = listening.heard()
    listening.close()
    known = len(schema.MIGRATIONS)
    said = f"STATUS=store: schema {known - 1} to {known}: backup, 100 %"
    assert first == f"EXTEND_TIMEOUT_USEC=120000000\n{said}"
    assert "READY=1" in others


async def test_a_living_service_feeds_the_watchdog_and_says_how_it_is(
    listening: Listening,
) -> None:
    watch = asyncio.create_task(watched(listening).watch(lambda: 0.0, lambda: "3 live calls"))
    await asyncio.sleep(WATCHDOG_S)
    messages = listening.heard()
    assert pings(messages) >= 2
    assert "STATUS=3 live calls" in messages
    watch.cancel()


async def test_a_loop_that_hangs_misses_the_watchdog(listening: Listening) -> None:
    watch = asyncio.create_task(watched(listening).watch(lambda: 0.0, str))
    await asyncio.sleep(0.01)
    listening.heard()
    time.sleep(WATCHDOG_S)  # noqa: ASYNC251 - the fault itself
    assert pings(listening.heard()) == 0
    watch.cancel()


async def test_a_writer_that_is_stuck_misses_the_watchdog(listening: Listening) -> None:
    stuck = 0.0
    watch = asyncio.create_task(watched(listening).watch(lambda: stuck, str))
    await asyncio.sleep(WATCHDOG_S / 2)
    assert pings(listening.heard()) > 0
    stuck = WATCHDOG_S
    await asyncio.sleep(0)
    listening.heard()
    await asyncio.sleep(WATCHDOG_S)
    assert pings(listening.heard()) == 0
    watch.cancel()


# -- the service ---------------------------------------------------------------------------------


@pytest.fixture
def notified(listening: Listening, tmp_path: Path) -> Serving:
    serving = Serving(write_config(tmp_path))
    serving.service = Service(load_configuration(serving.config), watched(listening))
    return serving


async def test_a_service_is_ready_when_it_serves_and_says_when_it_stops(
    notified: Serving, listening: Listening
) -> None:
    async with notified.running():
        assert [m for m in listening.heard() if "READY" in m] == ["READY=1"]
        notified.reload.set()
        await notified.until(lambda: len(notified.details("config_loaded")) > 1)
        await asyncio.sleep(0.05)
        told = [m.split("\n")[0] for m in listening.heard() if "RE" in m]
        assert told == ["RELOADING=1", "READY=1"]
    assert "STOPPING=1" in listening.heard()


async def test_a_reload_that_is_refused_is_over_too(
    notified: Serving, listening: Listening
) -> None:
    async with notified.running():
        notified.config.write_text("nonsense")
        listening.heard()
        notified.reload.set()
        await notified.until(lambda: bool(notified.details("config_refused")))
        await asyncio.sleep(0.05)
        assert "READY=1" in listening.heard()


async def test_a_disk_that_hangs_is_seen_by_systemd_and_the_loop_lives_on(
    notified: Serving, listening: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    moves = threading.Event()
    commit = StoreWriter.commit_groups

    def hanging(self, groups):
        moves.wait()
        return commit(self, groups)

    async with notified.running():
        await asyncio.sleep(WATCHDOG_S)
        assert pings(listening.heard()) > 0
        monkeypatch.setattr(StoreWriter, "commit_groups", hanging)
        (built,) = notified.service._nodes
        node = built.registry
        node.row(Kind.EVENT_MALFORMED, wire="ari")
        await asyncio.sleep(WATCHDOG_S)
        listening.heard()
        await asyncio.sleep(WATCHDOG_S)
        messages = listening.heard()
        assert pings(messages) == 0
        assert any(message.startswith("STATUS=") for message in messages), "the loop lives"
        moves.set()
        await asyncio.sleep(WATCHDOG_S)
        assert pings(listening.heard()) > 0


async def heard_until(listening: Listening, *words: str) -> None:
    """Each of ``words`` was heard, in their order, whatever came between."""
    wanted = list(words)
    async with asyncio.timeout(20):
        while wanted:
            for message in listening.heard():
                if wanted and message.startswith(wanted[0]):
                    del wanted[0]
            await asyncio.sleep(0.02)


async def test_the_command_itself_tells_systemd(listening: Listening, tmp_path: Path) -> None:
    environment = listening.environment(WATCHDOG_USEC=str(int(WATCHDOG_S * 1_000_000)))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "asterisk_compliance"),
        *("serve", "--config", str(write_config(tmp_path))),
        env={**os.environ, **environment},
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await heard_until(listening, "READY=1")
        process.send_signal(signal.SIGHUP)
        await heard_until(listening, "RELOADING=1", "READY=1", "WATCHDOG=1")
        process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(WATCHDOG_S / 4)
        listening.heard()
        await asyncio.sleep(WATCHDOG_S)
        assert pings(listening.heard()) == 0
        process.send_signal(signal.SIGCONT)
        process.send_signal(signal.SIGTERM)
        await heard_until(listening, "STOPPING=1")
        assert await asyncio.wait_for(process.wait(), 20) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
