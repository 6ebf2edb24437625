"""The Unix socket through which commands talk to the service that owns the log.

Each message is one JSON object on a line. The operating system tells who sends a request
(``SO_PEERCRED``); the request does not. The user is a party in the log, and the name is in the
table of persons only.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import structlog

from asterisk_compliance.errors import ComplianceError, StoreUnavailable

LONGEST_REQUEST_BYTES = 65_536
REQUEST_S = 5.0

log = structlog.get_logger()

_CREDENTIALS = struct.Struct("3i")


@dataclass(frozen=True, slots=True)
class SocketPeer:
    """Who is at the other end of the socket, as the kernel knows it.

    Attributes:
        name: Of the user, where somebody has looked it up: a directory on the network can be slow.
    """

    uid: int
    pid: int
    name: str = ""

    @property
    def user(self) -> str:
        return self.name or _user(self.uid)


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


class ControlRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a command asks for: a verb, and its arguments."""

    verb: str
    arguments: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Handed:
    """An answer with an open file, which whoever asked gets as it is, and we close."""

    answer: Mapping[str, Any]
    file: BinaryIO


Verb = Callable[[SocketPeer, Mapping[str, str]], Awaitable[Mapping[str, Any] | Handed]]


class ControlSocket:
    """Answers requests with the given verbs while :meth:`run` runs."""

    def __init__(self, path: Path, verbs: Mapping[str, Verb]) -> None:
        self._path = path
        self._verbs = verbs

    async def run(self) -> None:
        """Listen until cancelled.

        Raises:
            StoreUnavailable: the socket cannot be made; the hint says what it needs.
        """
        try:
            self._path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
            self._path.unlink(missing_ok=True)  # a dead one: the store's lock proves it
            previous = os.umask(0o117)
            try:
                server = await asyncio.start_unix_server(
                    self._serve, self._path, limit=LONGEST_REQUEST_BYTES
                )
            finally:
                os.umask(previous)
        except OSError as error:
            hint = "the service's user must be able to write the socket's directory"
            raise StoreUnavailable(f"{self._path}: {error.strerror}", hint=hint) from None
        try:
            async with server:
                await server.serve_forever()
        finally:
            self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(REQUEST_S):
                line = await reader.readuntil(b"\n")
                peer = _peer(writer)
                name = await asyncio.to_thread(_user, peer.uid)
                answer = await self._answer(line, replace(peer, name=name))
                if isinstance(answer, Handed):
                    _hand(writer, answer)
                else:
                    writer.write(_line(answer))
                    await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            log.info("control_request_dropped")
        finally:
            writer.close()

    async def _answer(self, line: bytes, peer: SocketPeer) -> Mapping[str, Any] | Handed:
        try:
            request = msgspec.json.decode(line, type=ControlRequest)
        except (ValueError, RecursionError):
            return {"error": "not a request", "hint": ""}
        verb = self._verbs.get(request.verb)
        if verb is None:
            return {"error": "there is no such verb", "hint": "is the service older than you?"}
        try:
            answer = await verb(peer, request.arguments)
            return answer if isinstance(answer, Handed) else {"ok": answer}
        except ComplianceError as error:
            return {"error": str(error), "hint": error.hint, "exit_code": error.exit_code}


def _line(answer: Mapping[str, Any]) -> bytes:
    return msgspec.json.encode(answer) + b"\n"


def _peer(writer: asyncio.StreamWriter) -> SocketPeer:
    connection: socket.socket = writer.get_extra_info("socket")
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, _ = _CREDENTIALS.unpack(raw)
    return SocketPeer(uid=uid, pid=pid)


def _hand(writer: asyncio.StreamWriter, handed: Handed) -> None:
    """The answer and the file in one message; nothing was written before, so there is room."""
    connection = writer.get_extra_info("socket")
    with handed.file, socket.socket(fileno=os.dup(connection.fileno())) as ours:
        socket.send_fds(ours, [_line({"ok": handed.answer})], [handed.file.fileno()])


def ask(path: Path, verb: str, arguments: Mapping[str, str]) -> dict[str, Any] | None:
    """Ask the running service, synchronously.

    Returns:
        Its answer, or ``None`` when no service listens there.

    Raises:
        ComplianceError: the service refused; message, hint and exit code are the service's.
        StoreUnavailable: it does not answer, or we may not ask.
    """
    answered = _asked(path, verb, arguments)
    if answered is None:
        return None
    answer, files = answered
    for file in files:
        file.close()
    return answer


def ask_for_file(
    path: Path, verb: str, arguments: Mapping[str, str]
) -> tuple[dict[str, Any], BinaryIO] | None:
    """As :func:`ask`, where the answer comes with an open file."""
    answered = _asked(path, verb, arguments)
    if answered is None:
        return None
    answer, files = answered
    if len(files) != 1:
        raise StoreUnavailable(f"{path}: the service handed out no file")
    return answer, files[0]


def _asked(
    path: Path, verb: str, arguments: Mapping[str, str]
) -> tuple[dict[str, Any], list[BinaryIO]] | None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(REQUEST_S)
        try:
            connection.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return None
        except OSError as error:
            hint = "ask as root, as the service's user, or as a member of its group"
            raise StoreUnavailable(f"{path}: {error.strerror}", hint=hint) from None
        files: list[BinaryIO] = []
        try:
            connection.sendall(_line({"verb": verb, "arguments": arguments}))
            line, descriptors, _, _ = socket.recv_fds(connection, LONGEST_REQUEST_BYTES, 1)
            for descriptor in descriptors:
                os.set_inheritable(descriptor, False)  # recv_fds() does not pass its flags on
                files.append(os.fdopen(descriptor, "rb"))
            if not line.endswith(b"\n"):
                line += connection.makefile("rb").readline(LONGEST_REQUEST_BYTES)
            answer = msgspec.json.decode(line, type=dict[str, Any])
        except (OSError, msgspec.DecodeError):
            for file in files:
                file.close()
            raise StoreUnavailable(f"{path}: the service does not answer") from None
    if "ok" not in answer:
        refused = ComplianceError(str(answer.get("error")), hint=str(answer.get("hint", "")))
        refused.exit_code = int(answer.get("exit_code", refused.exit_code))
        raise refused
    return dict(answer["ok"]), files
