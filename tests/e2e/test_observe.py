"""Another system records by itself, and the service only watches, on a real Asterisk.

There is no policy, no routine and no ARI here: this is all of the configuration.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from asterisk_compliance.cli.main import app
from asterisk_compliance.storage.log.reader import StoreReader
from lab.asterisk import Asterisk
from lab.prompt import write_notice
from lab.proxy import Cable
from lab.rootfs import obtain
from lab.service import SERVICE_UID, ServiceProcess
from lab.sip import Phone, address
from lab.tones import AGENT, CALLER
from lab.wav import read_wav

pytestmark = pytest.mark.asterisk

EXTENSIONS = """
[from-lab]
; before the notice; before it, but only while bridged; after it; and the agent's own leg
exten => told,1,MixMonitor(${ASTSPOOLDIR}/early.wav)
 same => n,MixMonitor(${ASTSPOOLDIR}/bridged.wav,b)
 same => n,Playback(custom/notice)
 same => n,ExecIf($["${EXTEN}"="told"]?MixMonitor(${ASTSPOOLDIR}/late.wav):NoOp())
 same => n,Dial(PJSIP/agent,20,U(agent))
 same => n,Hangup()
; somebody else starts it while the notice plays
exten => during,1,Playback(custom/notice)
 same => n,Wait(5)
; a key cuts the notice short
exten => cut,1,Answer()
 same => n,BackGround(custom/notice)
exten => 9,1,MixMonitor(${ASTSPOOLDIR}/cut.wav)
 same => n,StopMixMonitor()
 same => n,Wait(5)
; the notice is not there
exten => missing,1,Playback(custom/gone)
 same => n,MixMonitor(${ASTSPOOLDIR}/missing.wav)
 same => n,Wait(5)
; no notice at all
exten => untold,1,Answer()
 same => n,Wait(0.1)
 same => n,MixMonitor(${ASTSPOOLDIR}/untold.wav)
 same => n,Wait(5)
; a recorded conference: who comes first is told, the other one is not
exten => first,1,Answer()
 same => n,BackGround(custom/notice)
 same => n,Goto(second,1)
exten => second,1,Answer()
 same => n,Set(CONFBRIDGE(bridge,record_conference)=yes)
 same => n,ConfBridge(room)
[agent]
exten => s,1,MixMonitor(${ASTSPOOLDIR}/agent.wav)
 same => n,Return()
"""
CONFERENCES = "[general]\n[default_user]\ntype=user\nquiet=yes\n[default_bridge]\ntype=bridge\n"
NOTICE_S = 1.0
CONFIG = """
[controller]
name = "Lab"
contact = "privacy@example.invalid"

[[asterisk]]
node = "lab"
spool = "{state}/spool"
sounds = "{state}/sounds"

[asterisk.ami]
port = {port}
user = "watcher"
secret_file = "{state}/secret"

[asterisk.observe.notices]
"custom/notice" = {notice_s}
"custom/gone" = {notice_s}

[audit]
store = "{state}/store"

[vault]
recordings = "{state}/recordings"
encryption = "off"

[service]
socket = "{state}/control.sock"
"""


@dataclass(slots=True)
class Watched:
    asterisk: Asterisk
    service: ServiceProcess
    cable: Cable
    store: Path

    def rows(self) -> list[dict[str, Any]]:
        with StoreReader(self.store) as reader:
            return [msgspec.json.decode(row.data) for row in reader.rows()]

    def details(self, kind: str) -> list[dict[str, Any]]:
        return [row["detail"] for row in self.rows() if row["kind"] == kind]

    async def until(self, kind: str, count: int) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        try:
            async with asyncio.timeout(8):
                while len(found := self.details(kind)) < count:  # noqa: ASYNC110 - another process's
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"{found}\n{self.service.words}") from None
        return found


def _documented_user(secret: str) -> str:
    """What docs/observing.md says for ``manager.conf``, with another name and the secret."""
    page = (Path(__file__).parents[2] / "docs/observing.md").read_text("utf-8")
    (user,) = re.findall(r"(?ms)^    \[compliance\]\n(.*?)\n\n", page)
    assert "write =\n" in user
    lines = user.replace("secret = …", f"secret = {secret}").replace("    ", "")
    return f"\n[watcher]\n{lines}\n"


@contextmanager
def _directory() -> Iterator[Path]:
    """One that the service, an ordinary user, can reach."""
    with tempfile.TemporaryDirectory(prefix="compliance-observe-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
async def watched(phones: dict[str, Phone]) -> AsyncIterator[Watched]:
    build = await asyncio.to_thread(obtain)
    async with AsyncExitStack() as stack:
        home = stack.enter_context(_directory())
        state = home / "state"
        asterisk = Asterisk(
            build,
            extensions=EXTENSIONS,
            phones={name: phone.port for name, phone in phones.items()},
            extra={"confbridge.conf": CONFERENCES},
        )
        with (asterisk.home / "etc/manager.conf").open("a") as conf:
            conf.write(_documented_user(asterisk.ami_password))
        await stack.enter_async_context(asterisk)
        (asterisk.sounds_here / "en/custom").mkdir()
        write_notice(asterisk.sounds_here / "en/custom/notice.wav", NOTICE_S)
        cable = await stack.enter_async_context(Cable(asterisk.ami_port))
        for name in ("spool", "sounds"):
            (state / name).mkdir(parents=True)
        (state / "secret").write_text(asterisk.ami_password)
        config = home / "compliance.toml"
        config.write_text(CONFIG.format(state=state, port=cable.port, notice_s=NOTICE_S))
        for path in (state, *state.rglob("*")):
            if os.getuid() == 0:
                os.chown(path, SERVICE_UID, build.gid)
        service = ServiceProcess(config, gid=build.gid, log=home / "service.log")
        stack.push_async_callback(service.kill)
        await service.start(ready=False)
        await service.until(lambda status: status["nodes"][0]["ami"], 20)
        yield Watched(asterisk, service, cable, state / "store")


@pytest.fixture
async def phones() -> AsyncIterator[dict[str, Phone]]:
    async with AsyncExitStack() as stack:
        names = ("agent", "told", "during", "cut", "missing", "untold", "first", "second")
        yield {
            name: await stack.enter_async_context(
                await Phone.open(name, AGENT if name == "agent" else CALLER)
            )
            for name in names
        }


async def test_recordings_of_another_system_are_told_apart_by_what_had_been_told(
    watched: Watched, phones: dict[str, Phone]
) -> None:
    port = watched.asterisk.sip_port
    during = await phones["during"].dial("during", port)
    await during.answered()
    legs = {"during": during}
    for name in ("told", "cut", "missing", "untold", "first"):
        legs[name] = await phones[name].dial(name, port)
    await legs["cut"].answered()
    legs["cut"].send_digit("9")
    spool = watched.asterisk.spool
    channels = await _channels(watched)
    await watched.asterisk.cli(f"mixmonitor start {channels['during'][0]} {spool}/during.wav")
    agent = await phones["agent"].next_call()
    await agent.answered()
    await watched.until("recording_observed", 9)
    legs["second"] = await phones["second"].dial("second", port)
    await watched.until("recording_observed", 10)
    channels = await _channels(watched)
    shown = await watched.asterisk.cli(f"core show channel {channels['told'][0]}")
    assert re.search(r"(?m)^MIXMONITOR_FILENAME=", shown)
    assert "COMPLIANCE" not in shown
    await agent.until_heard(0.3)
    await asyncio.gather(*(leg.hang_up() for leg in legs.values()))
    await watched.until("observed_ended", 10)
    names = {channel: name for name, (_, channel) in channels.items()}
    rows = watched.details("recording_observed")
    assert sorted(
        (names[row["channel"]], row["number"], row["by"], row["bridged"], row["told"], row["where"])
        for row in rows
    ) == [
        ("agent", 1, "mixmonitor", False, "told", "call"),
        ("cut", 1, "mixmonitor", False, "incomplete", "channel"),
        ("during", 1, "mixmonitor", False, "during", "channel"),
        ("first", 1, "confbridge", False, "told", "channel"),
        ("missing", 1, "mixmonitor", False, "incomplete", "channel"),
        ("second", 1, "confbridge", False, "untold", None),
        ("told", 1, "mixmonitor", False, "untold", None),
        ("told", 2, "mixmonitor", True, "told", "channel"),
        ("told", 3, "mixmonitor", False, "told", "channel"),
        ("untold", 1, "mixmonitor", False, "untold", None),
    ]
    ends = [(names[row["channel"]], row) for row in watched.details("observed_ended")]
    late = {name: row["told_after_ms"] for name, row in ends if row["told_after_ms"] is not None}
    assert late.keys() == {"told", "during"}
    assert 0 < late["during"] < 1_500
    assert 980 <= late["told"] < 1_500  # both ends are stamped when we hear of them
    stopped = {name for name, row in ends if row["cause"] != "hangup"}
    assert stopped == {"cut", "first", "second"}
    early, bridged = (len(read_wav(_spooled(watched, name))[0]) for name in ("early", "bridged"))
    assert early - bridged > NOTICE_S * 8_000  # the file says too that it waited for the bridge
    _nothing_was_asked(watched)
    _no_number_is_written(watched)
    assert _reported(watched) == (1, 6, 10)
    shown = CliRunner().invoke(app, ["status", "--config", str(watched.service.config)])
    assert (shown.exit_code, shown.stdout.split()[5:9]) == (0, ["lab", "none", "up", "0"])
    await _a_number_forges_a_notice(watched, phones["untold"])


async def _a_number_forges_a_notice(watched: Watched, phone: Phone) -> None:
    """Of his own channel, which Asterisk's own words behind the number name."""
    said = "1\r\n\r\nEvent: Newexten\r\nApplication: Playback\r\nAppData: custom/notice\r\n"
    number = said.replace("\r\n", "%0d%0a").replace(":", "%3a").replace(" ", "%20")
    port = watched.asterisk.sip_port
    leg = await phone.dial("untold", port, from_value=address(number))
    async with asyncio.timeout(8):
        while "MixMonitorStart: no Uniqueid" not in watched.service.words:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    honest = await phone.dial("untold", port)
    told = [row["told"] for row in await watched.until("recording_observed", 11)]
    assert told[10:] == ["untold"]  # the honest one's; of the forger's nothing is said
    assert len(watched.details("event_malformed")) == 1
    await asyncio.gather(leg.hang_up(), honest.hang_up())


def _spooled(watched: Watched, name: str) -> Path:
    return watched.asterisk.spool_here / f"{name}.wav"


async def _channels(watched: Watched) -> dict[str, tuple[str, str]]:
    """Name and id of each channel, by its telephone."""
    shown = await watched.asterisk.cli("core show channels concise")
    lines = [line.split("!") for line in shown.splitlines() if line.startswith("PJSIP/")]
    return {re.split("[/-]", line[0])[1]: (line[0], line[-1]) for line in lines}


def _nothing_was_asked(watched: Watched) -> None:
    actions = re.findall(rb"(?m)^Action: (\w+)", bytes(watched.cable.sent))
    assert set(actions) <= {b"Login", b"Ping"}
    assert actions[0] == b"Login"


def _no_number_is_written(watched: Watched) -> None:
    """Nor what an application was given, nor the name of a channel."""
    written = str(watched.rows()) + watched.service.words
    for trace in ("PJSIP", "MixMonitor(", ".wav", "from-lab"):
        assert trace not in written


def _reported(watched: Watched) -> tuple[int, int, int]:
    """Exit status, how many were untold, and how many there are, as the report says."""
    command = ["observed", "report", "--json", "--store", str(watched.store)]
    result = CliRunner().invoke(app, command)
    found = json.loads(result.stdout)["all"]
    untold = sum(found[told] for told in ("untold", "during", "incomplete", "refused"))
    return result.exit_code, untold, found["recordings"]
