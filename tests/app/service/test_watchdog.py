"""The second process: what it does to whom, and when; and the service's side of the two pipes."""

from __future__ import annotations

import asyncio
import json
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from app.calls.test_overload import calls_in, hear, reason
from app.serving import Serving, write_config
from asterisk_compliance.app.service.heartbeat import Heartbeat
from asterisk_compliance.app.service.watchdog import (
    BEAT,
    GOODBYE,
    READY,
    Playing,
    Watchdog,
    WatchdogRelease,
)
from asterisk_compliance.asterisk.ari.address import AriAddress
from asterisk_compliance.domain.call import machine as rules
from asterisk_compliance.domain.call.decision import Reason
from asterisk_compliance.domain.call.events import EntryWire, LeftStasis
from asterisk_compliance.domain.call.state import Call, CallLimits
from asterisk_compliance.ids import ChannelId, NodeName, PlaybackId
from domain.simulator import CALL, arrival

HUNG_S = 0.3
NODE = NodeName("pbx1")


def channel(name: str, app: str = "Stasis", args: str = "policy=inbound", line: int = 7) -> Any:
    place = {"app_name": app, "app_data": f"compliance,{args}", "context": "c", "exten": "s"}
    return {"name": name, "dialplan": {**place, "priority": line}}


CHANNELS = {
    "1.1": channel("PJSIP/caller-1"),
    "1.2": channel("PJSIP/callee-1", args="policy=out,leg=callee,dialler=1.3", line=5),
    "1.4": channel("PJSIP/bridged-1", app="Dial", args=""),
    "w-1": channel("Snoop/1.4-1", args="whisper"),
    "1.6": channel("PJSIP/stubborn-1"),
}


@dataclass
class Ari:
    """As much of ARI as is asked here, as Asterisk 22 answers it; ``1.5`` is gone already."""

    asked: list[str] = field(default_factory=list)
    down: bool = False

    @property
    def done(self) -> list[str]:
        return [one for one in self.asked if not one.startswith("GET ")]

    def answer(self, method: str, path: str) -> tuple[int, Any]:
        self.asked.append(f"{method} {path}")
        if self.down:
            return 503, None
        words = path.strip("/").split("/")[1:]
        if words[0] == "applications":
            return 200, {"channel_ids": [*CHANNELS, "1.5"]}
        if words[0] == "playbacks":
            return 204, None
        if method == "GET":
            found = CHANNELS.get(words[1])
            return (200, found) if found else (404, {"message": "Channel not found"})
        return (409 if words[1] == "1.6" else 204), None


@pytest.fixture
def ari() -> Iterator[tuple[Ari, AriAddress]]:
    state = Ari()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one(self) -> None:
            assert self.headers["Authorization"].startswith("Basic ")
            status, body = state.answer(self.command, self.path)
            data = b"" if body is None else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_DELETE = handle_one  # noqa: N815 - of http.server

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}/ari"
    yield state, AriAddress(url, "compliance", "us", "secret")
    server.shutdown()
    thread.join()
    server.server_close()


class Dog:
    """A watchdog in a thread, and the service's ends of its pipes."""

    def __init__(self, address: AriAddress) -> None:
        beats, self.beats = os.pipe()
        self.reports, reports = os.pipe()
        self.ends = [beats, self.reports, reports]
        dog = Watchdog([(NODE, address)], HUNG_S, beats=beats, reports=reports)
        self.thread = threading.Thread(target=dog.watch)
        self.thread.start()

    def say(self, *lines: bytes) -> None:
        os.write(self.beats, b"".join(line + b"\n" for line in lines))

    def die(self) -> None:
        os.close(self.beats)
        self.beats = -1

    def reported(self) -> list[ChannelId]:
        os.set_blocking(self.reports, False)
        said = b""
        with suppress(BlockingIOError):
            said = os.read(self.reports, 65_536)
        lines = [line for line in said.splitlines() if line != READY]
        return [msgspec.json.decode(it, type=WatchdogRelease).channel for it in lines]

    def ended(self) -> bool:
        self.thread.join(5)
        return not self.thread.is_alive()

    def close(self) -> None:
        if self.beats >= 0:
            with suppress(OSError):
                self.say(GOODBYE)
            self.die()
        assert self.ended()
        for end in self.ends:
            os.close(end)


@pytest.fixture
def dog(ari: tuple[Ari, AriAddress]) -> Iterator[Dog]:
    dog = Dog(ari[1])
    yield dog
    dog.close()


def soon(holds: Any, within_s: float = 5.0) -> None:
    until = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.005)


RELEASED = ["POST /ari/channels/1.1/continue", "POST /ari/channels/1.2/continue?priority=7"]
REFUSED = "POST /ari/channels/1.6/continue"


def test_as_long_as_somebody_beats_nothing_is_asked(ari: tuple[Ari, AriAddress], dog: Dog) -> None:
    until = time.monotonic() + 3 * HUNG_S
    while time.monotonic() < until:
        dog.say(BEAT)
        time.sleep(HUNG_S / 5)
    assert ari[0].asked == []


def test_who_waits_goes_on_when_nobody_beats_and_nobody_else_does(
    ari: tuple[Ari, AriAddress], dog: Dog
) -> None:
    dog.say(BEAT)
    began = time.monotonic()
    soon(lambda: len(ari[0].done) == 3)
    assert HUNG_S * 0.9 < time.monotonic() - began < HUNG_S + 1.0
    assert ari[0].done == [*RELEASED, REFUSED]
    assert dog.reported() == ["1.1", "1.2"], "what was refused, was not done"


def test_who_goes_on_waiting_is_asked_to_go_again_and_reported_once(
    ari: tuple[Ari, AriAddress], dog: Dog
) -> None:
    soon(lambda: len(ari[0].done) >= 6)
    assert dog.reported() == ["1.1", "1.2"]
    dog.say(BEAT)
    soon(lambda: len(ari[0].done) >= 9)
    soon(lambda: dog.reported() == ["1.1", "1.2"])


def test_what_plays_is_stopped_first(ari: tuple[Ari, AriAddress], dog: Dog) -> None:
    playing = [
        Playing(NODE, ChannelId("1.1"), PlaybackId("p-one")),
        Playing(NODE, ChannelId("1.2"), PlaybackId("p-old")),
        Playing(NODE, ChannelId("1.2"), PlaybackId("p-two")),
        Playing(NodeName("pbx2"), ChannelId("1.6"), PlaybackId("p-other")),
        Playing(NODE, ChannelId("1.1")),
    ]
    lines = b"".join(msgspec.json.encode(one) + b"\n" for one in playing)
    os.write(dog.beats, lines[:100])  # lines are cut anywhere
    os.write(dog.beats, lines[100:])
    soon(lambda: len(ari[0].done) >= 4)
    assert ari[0].done[:4] == [
        RELEASED[0],
        "DELETE /ari/playbacks/p-two",
        RELEASED[1],
        REFUSED,
    ]


def test_a_service_that_died_leaves_nobody_waiting(ari: tuple[Ari, AriAddress], dog: Dog) -> None:
    """At once, and not when it has been silent for long enough."""
    with capture_logs() as said:
        dog.say(BEAT)
        dog.die()
        assert dog.ended()
    assert [one["event"] for one in said if one["log_level"] == "error"] == ["service_died"]
    assert ari[0].done == [*RELEASED, REFUSED]


def test_after_a_goodbye_nothing_is_done(ari: tuple[Ari, AriAddress], dog: Dog) -> None:
    dog.say(BEAT, GOODBYE)
    assert dog.ended()
    assert ari[0].asked == []


def test_an_asterisk_that_is_away_is_asked_again(ari: tuple[Ari, AriAddress], dog: Dog) -> None:
    ari[0].down = True
    soon(lambda: len(ari[0].asked) >= 2)
    assert ari[0].done == []
    ari[0].down = False
    soon(lambda: len(ari[0].done) >= 3)


def test_who_stood_still_himself_begins_to_count_anew(
    ari: tuple[Ari, AriAddress], dog: Dog, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, ahead = time.monotonic, [0.0]
    monkeypatch.setattr(
        "asterisk_compliance.app.service.watchdog.time.monotonic", lambda: clock() + ahead[0]
    )
    dog.say(BEAT)
    soon(dog.thread.is_alive)
    time.sleep(HUNG_S / 3)  # it waits
    ahead[0] = 10.0
    time.sleep(HUNG_S)
    asked = len(ari[0].asked)
    soon(lambda: len(ari[0].done) >= 3)
    assert asked == 0


def test_a_report_that_nobody_reads_holds_nothing_up(ari: tuple[Ari, AriAddress], dog: Dog) -> None:
    ready = select.poll()
    ready.register(dog.reports, select.POLLIN)
    assert ready.poll(5_000), "from here on it has nothing to say that it would wait with"
    with suppress(BlockingIOError):
        while True:
            os.write(dog.ends[2], bytes(4_096))
    soon(lambda: len(ari[0].done) >= 3)


# -- the service's side ------------------------------------------------------------------------

_PARROT = """
import sys
print("ready", flush=True)
for line in sys.stdin:
    if line == "!\\n":
        sys.exit(0)
    if line != ".\\n":
        print('{"node":"pbx1","channel":"1.1"}', "?", sep="\\n", flush=True)
"""
PARROT = (sys.executable, "-c", _PARROT)
DEAF = (sys.executable, "-c", "import signal\nprint('ready', flush=True)\nsignal.pause()")


async def until(holds: Any, within_s: float = 10.0) -> None:
    async with asyncio.timeout(within_s):
        while not holds():  # noqa: ASYNC110 - of another process
            await asyncio.sleep(0.01)


async def stopped(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def call(**changed: object) -> Call:
    return rules.arrive(CALL, arrival(**changed), CallLimits())[0]


async def test_what_the_watchdog_did_is_heard_and_what_it_babbles_is_not() -> None:
    heard: list[WatchdogRelease] = []
    heart = Heartbeat(HUNG_S, PARROT)
    task = asyncio.create_task(heart.run(heard.append))
    await until(lambda: not heart.missing)
    heart.plays(NODE, call())
    await until(lambda: heard)
    assert heard == [WatchdogRelease(NODE, ChannelId("1.1"))]
    assert heart._dog is not None
    await stopped(task)
    assert heart._dog.returncode == 0, "it was told goodbye"


async def test_a_watchdog_that_dies_is_missed_and_comes_again() -> None:
    heart = Heartbeat(HUNG_S, PARROT)
    task = asyncio.create_task(heart.run(lambda _: None))
    await until(lambda: not heart.missing)
    assert heart._dog is not None
    first = heart._dog.pid
    os.kill(first, signal.SIGKILL)
    await until(lambda: heart.missing)
    await until(lambda: not heart.missing and heart._dog.pid != first)
    assert heart.gaps == 0
    await stopped(task)


async def test_a_watchdog_that_does_not_go_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asterisk_compliance.app.service.heartbeat._STOP_S", 0.2)
    heart = Heartbeat(HUNG_S, DEAF)
    task = asyncio.create_task(heart.run(lambda _: None))
    await until(lambda: not heart.missing)
    assert heart._dog is not None
    await stopped(task)
    assert heart._dog.returncode == -signal.SIGKILL


async def test_a_loop_that_stands_still_is_a_gap_for_whoever_runs_first() -> None:
    heart = Heartbeat(HUNG_S, PARROT)
    task = asyncio.create_task(heart.run(lambda _: None))
    await until(lambda: heart._beat_s is not None)
    time.sleep(HUNG_S / 2)  # noqa: ASYNC251 - it stands still
    assert heart.gaps == 0, "nobody acted yet"
    await asyncio.sleep(0)
    time.sleep(HUNG_S)  # noqa: ASYNC251 - it stands still
    assert heart.gaps == 1
    assert heart.gaps == 1
    await asyncio.sleep(HUNG_S / 5)
    assert heart.gaps == 1
    time.sleep(HUNG_S)  # noqa: ASYNC251 - and now the next beat comes first
    await asyncio.sleep(HUNG_S / 2)
    assert heart.gaps == 2
    await stopped(task)


@pytest.mark.parametrize(
    ("entry", "expected"),
    [(EntryWire.ARI, Reason.SERVICE_HUNG), (EntryWire.AGI, Reason.NOTICE_COMPLETED)],
    ids=["may have been let go", "cannot have been"],
)
async def test_a_notice_that_ended_while_we_stood_still_counts_only_where_nobody_let_it_go(
    tmp_path: Path, entry: EntryWire, expected: Reason
) -> None:
    serving = Serving(write_config(tmp_path))
    async with serving.running():
        (task,) = calls_in(serving, 1, 1, entry=entry)
        serving.service._heartbeat._gaps += 1
        await hear(serving, task)
        assert reason(task) is expected
        (later,) = calls_in(serving, 2, 2, entry=entry)
        await hear(serving, later)
        assert reason(later) is Reason.NOTICE_COMPLETED, "who came after it was not let go"


async def test_without_a_watchdog_there_is_no_gap_and_nothing_is_missing() -> None:
    heart = Heartbeat(0.0)
    await heart.run(lambda _: None)
    heart.plays(NODE, call())
    assert (heart.gaps, heart.missing) == (0, False)


@pytest.mark.parametrize(
    ("later", "told"),
    [
        (call(), ["p"]),
        (rules.step(call(), LeftStasis())[0], ["p", None]),
        (call(entry=EntryWire.AGI), ["p", None]),
    ],
    ids=["the same", "it left", "not ours to let go"],
)
def test_what_plays_is_told_where_it_changes(
    later: Call, told: list[str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    heart, lines = Heartbeat(HUNG_S, PARROT), []
    monkeypatch.setattr(heart, "_write", lines.append)
    heart.plays(NODE, call())
    heart.plays(NODE, later)
    said = [msgspec.json.decode(line, type=Playing) for line in lines]
    assert [one.playback and "p" for one in said] == told
    assert {one.channel for one in said} == {call().channel}
    heart.over(NODE, later)
    heart.over(NODE, later)
    assert len(lines) == 2
