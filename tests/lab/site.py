"""A whole site under test: a real Asterisk, our dialplan, and the service as an ordinary user.

::

    async with await Site.open(phones) as site:
        leg = await caller.dial("100", site.asterisk.sip_port)

The service is the installed command, in a process of its own, without root's rights: as in the
field it shares only a group and the spool with Asterisk.
"""

from __future__ import annotations

import asyncio
import csv
import os
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from asterisk_compliance.app.dialplan.rendering import render_for
from asterisk_compliance.config.settings import load
from asterisk_compliance.shipped.catalogue import dialplan
from asterisk_compliance.storage.log.reader import StoreReader
from lab.asterisk import Asterisk
from lab.memory import Memory
from lab.prompt import write_notice
from lab.rootfs import obtain
from lab.service import SERVICE_UID, ServiceProcess

TEST_WORDING = "ご用件の確認と応対品質の向上のため、録音しています。"
TEST_NOTICE_S = 1.0

EXTENSIONS = """
[globals]

[from-lab]
; inbound: told, then a queue, then recorded while bridged
exten => 100,1,Gosub(compliance-notice,s,1(inbound))
 same => n,Set(CHANNEL(musicclass)=default)
 same => n,Queue(support,r,,,30)
 same => n,Hangup()
; the same over FastAGI
exten => 101,1,Gosub(compliance-notice-agi,s,1(inbound))
 same => n,Queue(support,r,,,30)
 same => n,Hangup()
; a direct extension
exten => 102,1,Gosub(compliance-notice,s,1(inbound))
 same => n,Dial(PJSIP/agent,20)
 same => n,Hangup()
; from the notice on
exten => 103,1,Gosub(compliance-notice,s,1(whole))
 same => n,Dial(PJSIP/agent,20)
 same => n,Hangup()
"""

FEATURES = """
[general]

[featuremap]
blindxfer = ##
atxfer = *2

[applicationmap]
"""

QUEUES = """
[support]
strategy = ringall
ringinuse = no
timeout = 20
retry = 1
wrapuptime = 0
member => PJSIP/agent
"""

UNSEALED = 'encryption = "off"'
"""Most tests look at the audio."""

_CONFIG = """
[controller]
name = "Lab"
contact = "privacy@example.invalid"

[[asterisk]]
node = "lab"
spool = "{spool}"
spool_here = "{spool_here}"
sounds = "{sounds}"
sounds_here = "{sounds_here}"
{wiring}

[asterisk.ari]
url = "http://127.0.0.1:{ari_port}/ari"
user = "compliance"
secret_file = "{secrets}/ari"
reconnect_max_s = 1.0

[asterisk.ami]
port = {ami_port}
user = "compliance"
secret_file = "{secrets}/ami"
reconnect_max_s = 1.0

[asterisk.agi]
port = {agi_port}

{policies}

[limits]
dialplan_s = {dialplan_s}
{limits}

[audit]
store = "{state}/store"

[vault]
recordings = "{state}/recordings"
{vault}

[service]
socket = "{state}/run/control.sock"
"""

TEST_POLICIES = f"""
[[notice]]
id = "test"
version = "1"
purposes = ["SERVICE", "QUALITY"]
[notice.wording.en]
prompt = "notice-test"
text = "To confirm your request and improve our service, we record this call."
[notice.wording.ja]
prompt = "notice-test"
text = "{TEST_WORDING}"

[[policy]]
name = "inbound"
notice = "test"
languages = ["en", "ja"]

[[policy]]
name = "whole"
notice = "test"
languages = ["en", "ja"]
capture = "from-notice"
"""

_POLL_S = 0.02
_INCLUDED = "#include compliance.conf"


@dataclass(slots=True)
class Site:
    """Asterisk and service, in one directory, for one test or for the demo.

    Attributes:
        dialplan: Our routines as they were rendered for this site.
        memory: Where recordings are lent from, if any are.
    """

    asterisk: Asterisk
    service: ServiceProcess
    directory: Path
    dialplan: str
    keep: bool
    memory: Memory | None = None

    @classmethod
    async def open(
        cls,
        phones: Mapping[str, int],
        *,
        extensions: str = EXTENSIONS,
        policies: str = TEST_POLICIES,
        dialplan_s: float = 5.0,
        limits: str = "",
        wiring: str = "",
        install_prompts: Callable[[Path], None] | None = None,
        directory: Path | None = None,
        serve: bool = True,
        extra: Mapping[str, str] | None = None,
        vault: str = UNSEALED,
        through: Callable[[Asterisk], Awaitable[Mapping[str, int]]] | None = None,
        hearing: str | None = None,
        contexts: Mapping[str, str] | None = None,
    ) -> Self:
        """Write everything, start Asterisk, and the service unless ``serve`` is false.

        ``limits`` are further settings of that table, ``wiring`` of ``[[asterisk]]``, ``vault`` of
        ``[vault]``: recordings are not encrypted unless it says so. ``through`` may answer other
        ports for ``ari`` and ``ami``, such as those of cables. ``hearing`` are settings of that
        table, beside its directory. ``contexts`` are as of :class:`Asterisk`. Our routines follow
        the ``extensions``, unless a file includes them as ``compliance.conf``.
        """
        build = await asyncio.to_thread(obtain)
        keep = directory is not None
        directory = directory or Path(tempfile.mkdtemp(prefix="compliance-site-"))
        directory.chmod(0o755)
        features = (dialplan() / "compliance-features.conf").read_text(encoding="utf-8")
        asterisk = Asterisk(
            build,
            extensions="",
            phones=phones,
            contexts=contexts,
            queues=QUEUES,
            spool_gid=build.gid,
            extra={"features.conf": FEATURES + features} | dict(extra or {}),
        )
        state = directory / "state"
        for name in ("secrets", "run"):
            (state / name).mkdir(parents=True, exist_ok=True)
        (state / "secrets/ari").write_text(asterisk.ari_password)
        (state / "secrets/ami").write_text(asterisk.ami_password)
        config = directory / "compliance.toml"
        ports = {"ari": asterisk.ports.ari, "ami": asterisk.ports.ami}
        if through is not None:
            ports |= await through(asterisk)
        memory = None
        if hearing is not None:
            memory = Memory.of(asterisk)
            where = f'directory = "{memory.inside}"\ndirectory_here = "{memory.here}"'
            limits = f"{limits}\n[hearing]\n{where}\n{hearing}"
        config.write_text(
            _CONFIG.format(
                spool=asterisk.spool,
                spool_here=asterisk.spool_here,
                sounds=asterisk.sounds,
                sounds_here=asterisk.sounds_here,
                ari_port=ports["ari"],
                ami_port=ports["ami"],
                agi_port=asterisk.ports.spare[0],
                secrets=state / "secrets",
                state=state,
                policies=policies,
                dialplan_s=dialplan_s,
                limits=limits,
                wiring=wiring,
                vault=vault,
            )
        )
        (install_prompts or install_test_prompts)(asterisk.sounds_here)
        settings = load(config)
        ours = render_for(settings, settings.asterisk[0])
        etc = asterisk.home / "etc"
        if any(_INCLUDED in text for text in (extensions, *dict(extra or {}).values())):
            (etc / "compliance.conf").write_text(ours)
        else:
            extensions += f"\n{ours}"
        (etc / "extensions.conf").write_text(extensions)
        for path in (state, *state.rglob("*")):
            if os.getuid() == 0:
                os.chown(path, SERVICE_UID, build.gid)
            path.chmod(0o700 if path.is_dir() else 0o600)
        service = ServiceProcess(config, gid=build.gid, log=directory / "service.log")
        site = cls(asterisk, service, directory, ours, keep, memory)
        try:
            await asterisk.start()
            if serve:
                await service.start()
        except BaseException:
            await site.close()
            raise
        return site

    async def close(self) -> None:
        await self.service.kill()
        await self.asterisk.kill()
        if self.memory is not None:
            self.memory.remove()
        self.asterisk.remove()
        if not self.keep:
            shutil.rmtree(self.directory, ignore_errors=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    @property
    def store(self) -> Path:
        return self.directory / "state/store"

    @property
    def recordings(self) -> Path:
        return self.directory / "state/recordings"

    def rows(self) -> list[dict[str, Any]]:
        """Every row of the log so far."""
        with StoreReader(self.store) as reader:
            return [msgspec.json.decode(row.data) for row in reader.rows()]

    async def rows_until(
        self, holds: Callable[[list[dict[str, Any]]], bool], timeout_s: float = 10.0
    ) -> list[dict[str, Any]]:
        """Wait until the rows are as wanted, and return them.

        Raises:
            AssertionError: they were not in time; the message lists their kinds.
        """
        rows: list[dict[str, Any]] = []
        try:
            async with asyncio.timeout(timeout_s):
                while not holds(rows := self.rows()):  # noqa: ASYNC110 - of another process
                    await asyncio.sleep(_POLL_S)
        except TimeoutError:
            kinds = [row["kind"] for row in rows]
            raise AssertionError(f"rows: {kinds}\n{self.service.words}") from None
        return rows

    async def until_ended(self, calls: int = 1) -> list[dict[str, Any]]:
        """Wait until so many calls have ended and every recording of theirs is dealt with."""
        last = {"recording_missing", "recording_unjudged", "spool_removed"}

        def over(rows: list[dict[str, Any]]) -> bool:
            ended = {row["call"] for row in rows if row["kind"] == "call_ended"}
            requested = {
                row["detail"]["recording"]
                for row in rows
                if row["kind"] == "recording_requested" and row["call"] in ended
            }
            dealt = {row["detail"]["recording"] for row in rows if row["kind"] in last}
            return len(ended) >= calls and requested <= dealt

        return await self.rows_until(over, 15.0)

    def cdrs(self) -> list[list[str]]:
        """The lines of ``Master.csv``."""
        if not self.asterisk.cdr_file.exists():
            return []
        with self.asterisk.cdr_file.open(newline="", errors="replace") as file:
            return list(csv.reader(file))

    def spooled(self) -> list[str]:
        return sorted(path.name for path in self.asterisk.spool_here.iterdir())


def install_test_prompts(sounds: Path) -> None:
    """The 1 s notice of the tests, in both languages."""
    for seed, language in enumerate(("en", "ja"), 1):
        (sounds / language).mkdir(exist_ok=True)
        write_notice(sounds / language / "notice-test.wav", TEST_NOTICE_S, seed)
