"""The control socket: who asks is known from the kernel, and nobody can hold it up."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import socket
import stat
import threading
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from asterisk_compliance.app.shared import control_socket as control
from asterisk_compliance.app.shared.control_socket import (
    LONGEST_REQUEST_BYTES,
    ControlSocket,
    Handed,
    SocketPeer,
    ask,
    ask_for_file,
)
from asterisk_compliance.app.shared.marks import UnknownMark
from asterisk_compliance.errors import ComplianceError, StoreUnavailable

WITHIN_S = 5.0


async def echo(peer: SocketPeer, arguments: Mapping[str, str]) -> Mapping[str, Any]:
    return {"uid": peer.uid, "pid": peer.pid, "user": peer.user, **arguments}


async def refuse(peer: SocketPeer, arguments: Mapping[str, str]) -> Mapping[str, Any]:
    raise UnknownMark("there is no such mark", hint="one of these")


async def hang(peer: SocketPeer, arguments: Mapping[str, str]) -> Mapping[str, Any]:
    await asyncio.Event().wait()
    return {}


async def hand(peer: SocketPeer, arguments: Mapping[str, str]) -> Handed:
    file = Path(arguments["file"]).open("rb")  # noqa: ASYNC230, SIM115 - the socket closes it
    return Handed({"user": peer.user, "words": "x" * 5_000}, file)


VERBS = {"echo": echo, "refuse": refuse, "hang": hang, "hand": hand}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run" / "control.sock"


async def listening(path: Path, server: asyncio.Task[None]) -> None:
    """Until the service answers: the kernel tells nobody of a new socket."""
    async with asyncio.timeout(WITHIN_S):
        while not await asked(path, "echo"):
            assert not server.done(), server
            await asyncio.sleep(0.001)


@pytest.fixture
async def server(path: Path) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(ControlSocket(path, VERBS).run())
    await listening(path, task)
    yield task
    task.cancel()
    await asyncio.wait([task], timeout=WITHIN_S)


async def asked(path: Path, verb: str, **arguments: str) -> dict[str, Any] | None:
    return await asyncio.to_thread(ask, path, verb, arguments)


def there(directory: Path) -> list[Path]:
    return list(directory.iterdir())


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def said(path: Path, data: bytes) -> bytes:
    """What the service answers to raw bytes, until it closes."""
    reader, writer = await asyncio.open_unix_connection(path)
    try:
        writer.write(data)
        async with asyncio.timeout(WITHIN_S):
            return await reader.read()
    finally:
        writer.close()


@pytest.mark.usefixtures("server")
async def test_a_request_is_answered_and_the_kernel_says_who_asks(path: Path) -> None:
    uid = os.getuid()
    expected = {"uid": uid, "pid": os.getpid(), "user": pwd.getpwuid(uid).pw_name, "code": "TEST"}
    assert await asked(path, "echo", code="TEST") == expected


@pytest.mark.usefixtures("server")
async def test_a_refusal_comes_through_with_its_hint_and_exit_status(path: Path) -> None:
    with pytest.raises(ComplianceError, match="there is no such mark") as caught:
        await asked(path, "refuse")
    assert caught.value.hint == "one of these"
    assert caught.value.exit_code == UnknownMark.exit_code == 2


@pytest.mark.usefixtures("server")
async def test_an_unknown_verb(path: Path) -> None:
    with pytest.raises(ComplianceError, match="there is no such verb") as caught:
        await asked(path, "erase")
    assert caught.value.hint == "is the service older than you?"


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"mark\n",
        b"\xff\xfe\n",
        b"[]\n",
        b"{}\n",
        b'{"verb":1}\n',
        b'{"verb":"echo","arguments":{"n":1}}\n',
        b'{"verb":"echo","uid":"0"}\n',
        b'{"verb":"echo"}{"verb":"echo"}\n',
    ],
)
async def test_garbage_is_answered_and_harms_nobody(path: Path, line: bytes) -> None:
    answer = msgspec.json.decode(await said(path, line))
    assert answer == {"error": "not a request", "hint": ""}
    assert await asked(path, "echo")


@pytest.mark.usefixtures("server")
async def test_a_line_without_end_is_dropped(path: Path) -> None:
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(b"x" * (2 * LONGEST_REQUEST_BYTES + 1))
    async with asyncio.timeout(WITHIN_S):
        with contextlib.suppress(ConnectionResetError):  # it was closed with bytes unread
            assert await reader.read() == b""
    writer.close()
    assert await asked(path, "echo")


@pytest.mark.usefixtures("server")
async def test_a_peer_that_goes_at_once_harms_nobody(path: Path) -> None:
    _, writer = await asyncio.open_unix_connection(path)
    writer.write(b'{"verb"')
    writer.close()
    assert await asked(path, "echo")


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize("beginning", [b"", b'{"verb":"ech', b'{"verb":"hang"}\n'])
async def test_who_is_silent_too_long_is_dropped(
    path: Path, monkeypatch: pytest.MonkeyPatch, beginning: bytes
) -> None:
    monkeypatch.setattr(control, "REQUEST_S", 0.05)
    assert await said(path, beginning) == b""


@pytest.mark.usefixtures("server")
async def test_a_silent_peer_does_not_hold_up_others(path: Path) -> None:
    _, writer = await asyncio.open_unix_connection(path)
    assert await asked(path, "echo")
    writer.close()


@pytest.mark.usefixtures("server")
async def test_only_user_and_group_may_ask(path: Path) -> None:
    assert mode(path) == 0o660
    assert mode(path.parent) & 0o027 == 0


async def test_the_umask_stays_what_it_was(path: Path) -> None:
    before = os.umask(0o022)
    try:
        task = asyncio.create_task(ControlSocket(path, VERBS).run())
        await listening(path, task)
        assert os.umask(0o022) == 0o022
        task.cancel()
        await asyncio.wait([task], timeout=WITHIN_S)
    finally:
        os.umask(before)


async def test_the_socket_goes_with_the_service(path: Path, server: asyncio.Task[None]) -> None:
    server.cancel()
    await asyncio.wait([server], timeout=WITHIN_S)
    assert await asked(path, "echo") is None
    assert path not in there(path.parent)


async def test_a_dead_socket_is_replaced(path: Path) -> None:
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
        dead.listen()
    assert await asked(path, "echo") is None
    task = asyncio.create_task(ControlSocket(path, VERBS).run())
    await listening(path, task)
    task.cancel()
    await asyncio.wait([task], timeout=WITHIN_S)


async def test_a_socket_that_cannot_be_made(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="Is a directory") as caught:
        await ControlSocket(tmp_path, VERBS).run()
    assert caught.value.hint


def test_nobody_listens(path: Path) -> None:
    assert ask(path, "echo", {}) is None


def test_a_path_that_no_socket_can_have(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable) as caught:
        ask(tmp_path / ("x" * 200), "echo", {})
    assert caught.value.hint


@pytest.mark.parametrize("answer", [b"", b"garbage\n", b"[]\n"])
def test_a_service_that_does_not_answer(tmp_path: Path, answer: bytes) -> None:
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        listener.settimeout(WITHIN_S)
        with pytest.raises(StoreUnavailable, match="does not answer"):
            ask_and_hear(path, listener, answer)


def ask_and_hear(path: Path, listener: socket.socket, answer: bytes) -> None:
    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(LONGEST_REQUEST_BYTES)
            connection.sendall(answer)

    server = threading.Thread(target=serve)
    server.start()
    try:
        ask(path, "echo", {})
    finally:
        server.join(WITHIN_S)


def test_a_service_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "REQUEST_S", 0.05)
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        with pytest.raises(StoreUnavailable, match="does not answer"):
            ask(path, "echo", {})


def test_a_user_without_a_name_is_a_number() -> None:
    assert SocketPeer(uid=2**31 - 7, pid=1).user == str(2**31 - 7)


async def test_a_directory_that_is_slow_to_name_who_asks_holds_nobody(
    server: asyncio.Task[None], path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks, named = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def slow(uid: int) -> str:
        loop.call_soon_threadsafe(looks.set)
        assert named.wait(WITHIN_S)
        return "tanaka"

    monkeypatch.setattr(control, "_user", slow)
    asking = asyncio.create_task(asyncio.to_thread(ask, path, "echo", {}))
    await asyncio.wait_for(looks.wait(), WITHIN_S)
    assert not named.is_set(), "the loop goes on"
    named.set()
    answer = await asyncio.wait_for(asking, WITHIN_S)
    assert answer is not None
    assert answer["user"] == "tanaka"


# -- a file that comes with the answer ---------------------------------------------------------


async def test_a_file_is_handed_over_open_and_nothing_is_left_open_here(
    server: asyncio.Task[None], path: Path, tmp_path: Path
) -> None:
    """Whoever asked may read it, though nobody else can open it: it is a descriptor, not a path."""
    file = tmp_path / "sealed"
    file.write_bytes(b"sealed bytes")
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    answered = await asyncio.to_thread(ask_for_file, path, "hand", {"file": str(file)})
    assert answered is not None
    answer, handed = answered
    file.unlink()
    assert answer == {"user": pwd.getpwuid(os.getuid()).pw_name, "words": "x" * 5_000}
    with handed:
        assert not os.get_inheritable(handed.fileno())
        assert handed.read() == b"sealed bytes"
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


async def test_who_asks_for_no_file_is_left_with_none_open(
    server: asyncio.Task[None], path: Path, tmp_path: Path
) -> None:
    (tmp_path / "sealed").write_bytes(b"sealed bytes")
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    arguments = {"file": str(tmp_path / "sealed")}
    assert (await asyncio.to_thread(ask, path, "hand", arguments)) is not None
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


async def test_an_answer_without_its_file_is_none(server: asyncio.Task[None], path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="handed out no file"):
        await asyncio.to_thread(ask_for_file, path, "echo", {})


def test_nobody_listens_for_who_wants_a_file(path: Path) -> None:
    assert ask_for_file(path, "hand", {}) is None
