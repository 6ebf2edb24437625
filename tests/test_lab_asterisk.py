"""The lab's Asterisk is real, alone, and gone afterwards."""

import asyncio
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest

from lab.asterisk import Asterisk, AsteriskFailed
from lab.ports import PortBlock
from lab.rootfs import AsteriskBuild, NoAsterisk, obtain

pytestmark = pytest.mark.asterisk

EXTENSIONS = """
[from-lab]
exten => talk,1,Answer()
 same => n,Echo()
exten => record,1,Answer()
 same => n,MixMonitor(,r(${ASTSPOOLDIR}/a-rx.wav)t(${ASTSPOOLDIR}/a-tx.wav))
 same => n,Wait(1)
"""


@pytest.fixture(name="build")
def _build() -> AsteriskBuild:
    return obtain()


@pytest.fixture(name="asterisk")
async def _asterisk(build: AsteriskBuild) -> AsyncIterator[Asterisk]:
    async with Asterisk(build, extensions=EXTENSIONS, phones={"agent": 9}) as asterisk:
        yield asterisk


async def manager(asterisk: Asterisk, user: str, *actions: str) -> str:
    """All that AMI answers to these actions, until it closes the connection."""
    login = f"Login\r\nUsername: {user}\r\nSecret: {asterisk.ami_password}"
    async with asyncio.timeout(5):
        reader, writer = await asyncio.open_connection("127.0.0.1", asterisk.ami_port)
        for action in (login, *actions, "Logoff"):
            writer.write(f"Action: {action}\r\n\r\n".encode())
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
    return answer.decode()


def remove_as_anybody(*paths: Path) -> None:
    """As the service, an ordinary user, will: root becomes somebody first."""
    become = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    subprocess.run([*(become if os.getuid() == 0 else []), "rm", "-f", *paths], check=True)


def mounts() -> str:
    return Path("/proc/mounts").read_text()


def is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


async def until(is_so: Callable[[], Awaitable[bool]]) -> None:
    """Nothing tells us of this: ask, for 10 s at most."""
    async with asyncio.timeout(10):
        while not await is_so():  # noqa: ASYNC110 - another program's state
            await asyncio.sleep(0.02)


async def test_starts_tells_its_version_and_leaves_nothing(build: AsteriskBuild) -> None:
    async with Asterisk(build, extensions=EXTENSIONS) as asterisk:
        assert f"Asterisk {asterisk.version}" in await asterisk.cli("core show version")
        assert "Echo" in await asterisk.cli("dialplan show talk@from-lab")
        pid, home = asterisk.pid, asterisk.home
        assert is_alive(pid)
    assert not is_alive(pid)
    assert not home.exists()
    for left in (home, (build.root or home) / "proc"):  # others of this root are none of ours
        assert f"{left} " not in mounts()


async def test_log_holds_no_complaint_about_our_configuration(asterisk: Asterisk) -> None:
    complaints = re.findall(r".*(?:ERROR|WARNING)\[.*", asterisk.log_file.read_text())
    assert complaints == []


async def test_two_instances_side_by_side(build: AsteriskBuild, asterisk: Asterisk) -> None:
    async with Asterisk(build, extensions="[from-lab]\nexten => other,1,Hangup()\n") as other:
        assert other.pid != asterisk.pid
        assert not set(other.ports.rtp) & set(asterisk.ports.rtp)
        assert len(other.ports.rtp) >= 200
        assert "no existence" in await other.cli("dialplan show talk@from-lab")
        assert "Echo" in await asterisk.cli("dialplan show talk@from-lab")
        await other.kill()
        assert "Echo" in await asterisk.cli("dialplan show talk@from-lab")


async def test_listens_on_one_address_only(asterisk: Asterisk) -> None:
    """Were it bound to all addresses, another one would be taken too."""
    ports = asterisk.ports
    for kind, port in (
        (socket.SOCK_STREAM, ports.ari),
        (socket.SOCK_STREAM, ports.ami),
        (socket.SOCK_DGRAM, ports.sip),
    ):
        with (
            socket.socket(socket.AF_INET, kind) as here,
            socket.socket(socket.AF_INET, kind) as beside,
        ):
            with pytest.raises(OSError, match="in use"):
                here.bind(("127.0.0.1", port))
            beside.bind(("127.0.0.2", port))


async def test_ari_answers_its_user_only(asterisk: Asterisk) -> None:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(5)) as http:
        url = f"{asterisk.ari_url}/asterisk/info"
        key = f"{asterisk.ari_user}:{asterisk.ari_password}"
        async with http.get(url, params={"api_key": key}) as answer:
            info = await answer.json()
        async with http.get(url, params={"api_key": f"{asterisk.ari_user}:x"}) as refused:
            assert refused.status == 401
    assert info["system"]["version"].startswith(asterisk.version)


async def test_ami_user_may_not_start_programs(asterisk: Asterisk) -> None:
    originate = "Originate\r\nChannel: Local/talk@from-lab\r\nApplication: Wait\r\nData: 1"
    said = await manager(
        asterisk, asterisk.ami_user, "Command\r\nCommand: core show uptime", originate
    )
    assert said.count("Permission denied") == 2
    assert "Permission denied" not in await manager(asterisk, "lab", originate)


async def test_ami_user_sees_its_events_only(asterisk: Asterisk) -> None:
    async with asyncio.timeout(10):
        reader, writer = await asyncio.open_connection("127.0.0.1", asterisk.ami_port)
        login = f"Username: {asterisk.ami_user}\r\nSecret: {asterisk.ami_password}"
        writer.write(f"Action: Login\r\n{login}\r\n\r\n".encode())
        await reader.readuntil(b"accepted\r\n\r\n")
        await asterisk.cli("channel originate Local/talk@from-lab application Wait 0.1")
        seen: list[str] = []
        while seen.count("Hangup") < 2:
            block = (await reader.readuntil(b"\r\n\r\n")).decode()
            seen.append(block.split("\r\n")[0].removeprefix("Event: "))
        writer.close()
        await writer.wait_closed()
    assert set(seen) == {"DialBegin", "DialEnd", "Hangup", "LocalBridge"}


async def test_a_suspended_asterisk_is_silent_until_it_is_resumed(asterisk: Asterisk) -> None:
    asterisk.suspend()
    with pytest.raises(TimeoutError):
        await asterisk.cli("core show version", timeout_s=0.2)
    asterisk.resume()
    assert asterisk.version in await asterisk.cli("core show version")


async def test_restart_keeps_ports_and_files(asterisk: Asterisk) -> None:
    before, pid = asterisk.sip_port, asterisk.pid
    (asterisk.spool_here / "left").touch()
    await asterisk.restart()
    assert asterisk.pid != pid
    assert f"127.0.0.1:{before}" in await asterisk.cli("pjsip show transports")
    assert (asterisk.spool_here / "left").exists()


async def test_killed_asterisk_answers_nothing_and_starts_again(asterisk: Asterisk) -> None:
    await asterisk.kill()
    with pytest.raises(AsteriskFailed, match="control socket"):
        await asterisk.cli("core show version")
    await asterisk.start()
    assert asterisk.version in await asterisk.cli("core show version")


async def test_reload_extensions(asterisk: Asterisk) -> None:
    await asterisk.reload_extensions("[from-lab]\nexten => new,1,NoOp(here)\n")
    assert "NoOp(here)" in await asterisk.cli("dialplan show new@from-lab")


async def test_a_broken_start_tells_asterisks_own_words(build: AsteriskBuild) -> None:
    broken = Asterisk(
        build, extensions="", extra={"modules.conf": "[modules]\nrequire = none.so\n"}
    )
    with pytest.raises(AsteriskFailed, match="did not start"):
        async with broken:
            pass
    assert not broken.home.exists()


async def test_recordings_appear_where_we_see_the_spool(build: AsteriskBuild) -> None:
    async with Asterisk(build, extensions=EXTENSIONS) as asterisk:
        await asterisk.cli("channel originate Local/record@from-lab application Echo")

        async def is_over() -> bool:
            return "0 active channels" in await asterisk.cli("core show channels count")

        async def has_its_record() -> bool:
            """Asterisk writes it a moment after the end of a call."""
            return asterisk.cdr_file.exists() and "from-lab" in asterisk.cdr_file.read_text()

        await until(is_over)
        await until(has_its_record)
        names = {path.name for path in asterisk.spool_here.iterdir()}
        assert names == {"a-rx.wav", "a-tx.wav"}
        remove_as_anybody(asterisk.spool_here / "a-rx.wav", asterisk.spool_here / "a-tx.wav")


async def test_a_spool_shared_with_one_group_is_closed_to_others(build: AsteriskBuild) -> None:
    group = os.getgid()
    asterisk = Asterisk(build, extensions="", spool_gid=group)
    status = asterisk.spool_here.stat()
    asterisk.remove()
    assert (status.st_gid, stat.S_IMODE(status.st_mode)) == (group, 0o2770)
    assert status.st_uid == build.uid


async def test_asterisk_dies_with_the_process_that_started_it(build: AsteriskBuild) -> None:
    code = (
        "import asyncio, sys\n"
        "from lab.asterisk import Asterisk\n"
        "from lab.rootfs import obtain\n"
        "async def main():\n"
        "    asterisk = Asterisk(obtain(), extensions='')\n"
        "    await asterisk.start()\n"
        "    print(asterisk.pid, asterisk.home, flush=True)\n"
        "    await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE, env=environment
    )
    assert parent.stdout is not None
    async with asyncio.timeout(20):
        pid, home = (await parent.stdout.readline()).decode().split()
        death = os.pidfd_open(int(pid))
        parent.send_signal(signal.SIGKILL)
        gone = asyncio.Event()
        asyncio.get_running_loop().add_reader(death, gone.set)
        await gone.wait()
        asyncio.get_running_loop().remove_reader(death)
        await parent.wait()
    os.close(death)
    shutil.rmtree(home)


def test_a_port_block_is_held_by_one() -> None:
    blocks = [PortBlock.claim() for _ in range(3)]
    assert len({block.number for block in blocks}) == 3
    for block in blocks:
        block.release()


def test_without_root_and_without_asterisk_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ASTERISK_SUITE", "sid")
    monkeypatch.setattr("os.getuid", lambda: 1000)
    with pytest.raises(NoAsterisk, match="apt-get install asterisk"):
        obtain()


def test_a_suite_is_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASTERISK_SUITE", "../sid")
    with pytest.raises(NoAsterisk, match="not the name"):
        obtain()
