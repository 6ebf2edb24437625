"""``init`` as an administrator uses it, beside a real Asterisk whose files he changes as told.

A call is told and recorded with what it wrote, and ``uninstall`` leaves what was there before.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner, Result

from asterisk_compliance.cli.main import app
from asterisk_compliance.storage.log.reader import StoreReader
from lab.asterisk import Asterisk
from lab.prompt import write_notice
from lab.rootfs import AsteriskBuild, obtain
from lab.service import SERVICE_UID, ServiceProcess
from lab.sip import Phone
from lab.tones import AGENT, CALLER

pytestmark = pytest.mark.asterisk

COMMAND = Path(sys.executable).with_name("asterisk-compliance")

DIALPLAN = """
[globals]

[from-lab]
exten => 102,1,NoOp(told, then an extension)
 same => n,Dial(PJSIP/agent,20)
 same => n,Hangup()
"""
GOSUB = " same => n,Gosub(compliance-notice,s,1(direct))\n"

MANAGER = """
[general]
enabled = yes
bindaddr = 127.0.0.1
port = {port}
displayconnects = no
"""
HTTP = """
[general]
bindaddr = 127.0.0.1
bindport = {port}
"""
"""HTTP is off, as Debian ships it."""

SHORT_NOTICE = re.compile(r'prompt = "notice-short"(\ntext = .*)?')
ENGLISH = "To confirm your request and improve our service, we record this call."
JAPANESE = "ご用件の確認と応対品質の向上のため、録音しています。"


class Host:
    """A machine with an Asterisk, before anybody installs anything."""

    def __init__(self, build: AsteriskBuild, agent: int) -> None:
        self.build = build
        self.asterisk = Asterisk(
            build, extensions=DIALPLAN, phones={"agent": agent}, spool_gid=build.gid
        )
        self.conf = self.asterisk.home / "etc"
        ports = self.asterisk.ports
        (self.conf / "manager.conf").write_text(MANAGER.format(port=ports.ami))
        (self.conf / "http.conf").write_text(HTTP.format(port=ports.ari))
        (self.conf / "ari.conf").write_text("[general]\nenabled = yes\n")
        self.directory = Path(tempfile.mkdtemp(prefix="compliance-init-"))
        self.directory.chmod(0o755)
        self.etc, self.state = self.directory / "etc", self.directory / "state"
        self.config = self.etc / "compliance.toml"
        self.key = self.directory / "officer.key"
        self.service = ServiceProcess(
            self.config, gid=build.gid, log=self.directory / "service.log"
        )

    def run(self, *words: str | Path) -> dict[str, Any]:
        """The installed command, in a process of its own; what it prints as JSON."""
        done = subprocess.run(
            [COMMAND, *words, "--json"], capture_output=True, text=True, timeout=60, check=True
        )
        return json.loads(done.stdout)

    def invoke(self, command: str) -> Result:
        """A command without a process of its own, which saves a second."""
        return CliRunner().invoke(app, [command, "--etc", str(self.etc), "--json"])

    def first_init(self) -> dict[str, Any]:
        # Asterisk sees its directory from its own root.
        sounds = self.asterisk.sounds
        return self.run(
            *("init", "--etc", self.etc),
            *("--name", "Lab K.K.", "--contact", "privacy@example.invalid", "--home", "JP"),
            *("--time-zone", "Asia/Tokyo", "--identity", self.key, "--state", self.state),
            *("--asterisk-conf", sounds.parents[1] / "etc/asterisk.conf"),
            *("--asterisk-root", self.build.root or "/", "--sounds", sounds),
            *("--socket", self.state / "run/control.sock", "--units", self.directory / "units"),
            *("--user", str(SERVICE_UID), "--group", str(self.build.gid)),
        )

    def seen(self) -> Mapping[Path, tuple[int, int, int, int, bytes]]:
        """Everything there is on this machine that anybody could have touched."""
        return dict(self._seen())

    def _seen(self) -> Iterator[tuple[Path, tuple[int, int, int, int, bytes]]]:
        home = self.asterisk.home
        for top in (self.conf, home / "data/sounds", home / "spool", self.directory):
            for path in sorted(top.rglob("*")):
                found = path.lstat()
                text = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
                at = 0 if path.is_dir() else found.st_mtime_ns
                yield path, (found.st_mode, found.st_uid, found.st_gid, at, text)

    def rows(self, kind: str) -> list[dict[str, Any]]:
        with StoreReader(self.state / "store") as reader:
            every = [msgspec.json.decode(row.data) for row in reader.rows()]
        return [row["detail"] for row in every if row["kind"] == kind]

    def remove(self) -> None:
        self.asterisk.remove()
        shutil.rmtree(self.directory, ignore_errors=True)


def with_a_short_notice(host: Host) -> None:
    """The notice of the policy ``direct`` is ours, and takes a second."""
    texts = iter([JAPANESE, ENGLISH])
    toml = host.config.read_text()
    host.config.write_text(
        SHORT_NOTICE.sub(lambda _: f'prompt = "notice-test"\ntext = "{next(texts)}"', toml)
    )
    for language in ("ja", "en"):
        write_notice(host.asterisk.sounds_here / language / "notice-test.wav", 1.0, 1)


async def ami(host: Host, *actions: Mapping[str, str]) -> list[str]:
    """What AMI answers to whoever knows the service's secret."""
    reader, writer = await asyncio.open_connection("127.0.0.1", host.asterisk.ami_port)
    secret = (host.etc / "ami.secret").read_text().strip()
    login = {"Action": "Login", "Username": "compliance", "Secret": secret, "Events": "off"}
    answers = []
    await reader.readuntil(b"\r\n")
    for action in (login, *actions):
        text = "".join(f"{name}: {value}\r\n" for name, value in action.items())
        writer.write(f"{text}\r\n".encode())
        async with asyncio.timeout(5):
            answers.append((await reader.readuntil(b"\r\n\r\n")).decode())
    writer.close()
    return answers


def wire(host: Host, additions: list[dict[str, Any]]) -> None:
    """What an administrator does who reads what ``init`` says."""
    for one in additions:
        file = Path(one["file"])
        text, lines = file.read_text(), "\n".join(one["lines"])
        if one["where"] == "at its end":
            file.write_text(f"{text}\n{lines}\n")
        else:
            assert one["where"] in text
            file.write_text(text.replace(one["where"], f"{one['where']}\n{lines}", 1))
    extensions = host.conf / "extensions.conf"
    extensions.write_text(
        extensions.read_text().replace(" same => n,Dial", f"{GOSUB} same => n,Dial")
    )


async def a_call_is_told_and_recorded(host: Host, caller: Phone, agent: Phone) -> None:
    leg = await caller.dial("102", host.asterisk.sip_port)
    other = await agent.next_call()
    await other.until_heard(2)
    await leg.hang_up()
    async with asyncio.timeout(15):
        while not host.rows("spool_removed"):  # noqa: ASYNC110 - of another process
            await asyncio.sleep(0.02)
    assert [row["status"] for row in host.rows("decision")] == ["ALLOWED"]
    assert [row["whole"] for row in host.rows("recording_closed")] == [True]
    assert len(host.rows("recording_sealed")) == 1


async def its_user_of_ami_may_act_on_calls_alone(host: Host) -> None:
    command = {"Action": "Command", "Command": "core show version"}
    originate = {"Action": "Originate", "Channel": "Local/102@from-lab", "Application": "Wait"}
    login, *denied, ping = await ami(host, command, originate, {"Action": "Ping"})
    assert "Success" in login
    assert ["Permission denied" in answer for answer in denied] == [True, True]
    assert "Pong" in ping


async def a_second_run_changes_nothing_and_nothing_is_taken_away(host: Host) -> None:
    before = host.seen()
    findings = await asyncio.to_thread(host.run, "check", "-c", host.config)
    again = json.loads(host.invoke("init").stdout)
    refused = host.invoke("uninstall")
    assert [one for one in findings if one["severity"] == "error"] == []
    assert again["additions"] == again["commands"] == []
    kept = {one["path"]: one["is"] for one in again["paths"] if one["is"] != "same"}
    assert kept == {str(host.config): "kept"}
    assert refused.exit_code == 1
    for words in ("the service runs", "#include compliance-ari.conf", "calls our routine"):
        assert words in refused.stderr
    after = host.seen()
    ours = {path for path in before if not path.is_relative_to(host.state)} - {host.service.log}
    assert {path: after[path] for path in ours} == {path: before[path] for path in ours}


async def test_from_nothing_to_a_recorded_call_and_back_to_nothing() -> None:
    async with AsyncExitStack() as stack:
        agent = await stack.enter_async_context(await Phone.open("agent", AGENT))
        caller = await stack.enter_async_context(await Phone.open("caller", CALLER))
        agent.answer_after = 0.05
        host = Host(await asyncio.to_thread(obtain), agent.port)
        stack.callback(host.remove)
        before = host.seen()

        said = await asyncio.to_thread(host.first_init)
        assert said["asterisk"]["version"] == host.build.version
        assert {one["is"] for one in said["paths"]} == {"new"}
        assert not any("modules" in one for one in said["warnings"])
        made = host.seen()
        assert {path: made[path] for path in before} == before, "a file of Asterisk's was touched"
        wire(host, said["additions"])
        with_a_short_notice(host)

        stack.push_async_callback(host.service.kill)
        stack.push_async_callback(host.asterisk.kill)
        await host.asterisk.start()
        await host.service.start()
        await a_call_is_told_and_recorded(host, caller, agent)
        await its_user_of_ami_may_act_on_calls_alone(host)
        await a_second_run_changes_nothing_and_nothing_is_taken_away(host)

        assert await host.service.stop() == 0
        for path, (mode, *_, text) in before.items():
            if stat.S_ISREG(mode):
                path.write_bytes(text)
        await host.asterisk.cli("core reload")
        gone = host.invoke("uninstall")
        assert gone.exit_code == 0, gone.output
        left = {path: text for path, (*_, text) in host.seen().items()}
        assert {path: left[path] for path in before} == {
            path: text for path, (*_, text) in before.items()
        }
        more = left.keys() - before.keys()
        evidence = {path for path in more if path.is_relative_to(host.state)}
        assert any(path.suffix == ".age" for path in evidence)
        mine = {host.config, host.etc, host.key, host.service.log}
        prompts = {path for path in more if path.name == "notice-test.wav"}
        assert more - evidence - mine == prompts | {path.parent for path in prompts} & more
