"""What answers, asks or is read as a file: AGI, the control socket, records, the configuration."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from asterisk_compliance.app.calls.do_not_call import list_draft
from asterisk_compliance.app.calls.recording_control import ask_call
from asterisk_compliance.app.shared.control_socket import ControlSocket, SocketPeer
from asterisk_compliance.app.shared.marks import mark_draft
from asterisk_compliance.asterisk.agi import header as agi_header
from asterisk_compliance.asterisk.agi.session import AgiSession
from asterisk_compliance.config import settings as config
from asterisk_compliance.errors import AsteriskError, ConfigError
from asterisk_compliance.storage.queries.call_records import read_cdrs, read_cel
from fuzz import corpus
from fuzz.mutators import BYTES, JSON, Mutator, chunks, lines_of
from fuzz.target import LONGEST_WHY, Target, Violation


class AgiHeaders(Target):
    name, share, quick = "agi-header", 0.13, 1_500
    kinds = lines_of(b"\n")

    @property
    def seeds(self) -> Sequence[bytes]:
        return corpus.agi_headers()

    async def feed(self, data: bytes, rng: random.Random) -> str:
        try:
            agi_header.parse(data)
        except ValueError as error:
            if len(str(error)) > LONGEST_WHY:
                raise Violation("a problem is told at length") from None
            return "refused"
        return "header"

    async def good(self) -> None:
        agi_header.parse(corpus.agi_headers()[0])


class Writer:
    """Takes commands; ``probe`` is the random word of the last one that asked for it."""

    def __init__(self) -> None:
        self.probe = ""

    def write(self, line: bytes) -> None:
        if line.startswith(b"GET FULL VARIABLE "):
            self.probe = line.decode().split()[-1]

    async def drain(self) -> None: ...


class AgiAnswers(Target):
    """One session: the random word comes back or not, then answers to commands of every kind."""

    name, share, quick = "agi-answers", 0.08, 700
    slowest_s = 0.1
    kinds: tuple[Mutator, ...] = lines_of(b"\n")

    @property
    def seeds(self) -> Sequence[bytes]:
        return corpus.ANSWERS

    async def open(self) -> None:
        self._header = agi_header.parse(corpus.agi_headers()[0])

    async def feed(self, data: bytes, rng: random.Random) -> str:
        reader = asyncio.StreamReader(limit=65_536)
        writer = Writer()
        session = AgiSession(self._header, reader, cast("Any", writer), 1.0)
        steps = rng.sample(STEPS, 3)
        works = asyncio.create_task(_steps(session, steps))
        await asyncio.sleep(0)
        if rng.random() < 0.9:
            reader.feed_data(f"200 result=1 ({writer.probe})\n".encode())
        if rng.random() < 0.2:
            await asyncio.sleep(0)
            session.interrupt()
        for chunk in chunks(rng, data * rng.randint(1, 3)):
            reader.feed_data(chunk)
        reader.feed_eof()
        try:
            return await works
        except AsteriskError as error:
            return type(error).__name__

    async def good(self) -> None:
        reader = asyncio.StreamReader()
        session = AgiSession(self._header, reader, cast("Any", Writer()), 1.0)
        reader.feed_data(b"200 result=0 endpos=8000\n")
        played = await session.stream_file("x", 1.0)
        if not played.completed:
            raise Violation("a good answer is not understood")


async def _play(session: AgiSession) -> object:
    return await session.stream_file("prompt", 1.0, digits="19")


async def _wait(session: AgiSession) -> object:
    return await session.wait_for_digit(0.5)


async def _set(session: AgiSession) -> object:
    return await session.set_variable("NAME", "value")


async def _answer(session: AgiSession) -> object:
    return await session.answer()


STEPS = (_play, _wait, _set, _answer)


async def _steps(session: AgiSession, steps: Sequence[Any]) -> str:
    await session.confirm()
    for step in steps:
        await step(session)
    return "obeyed"


class ControlRequests(Target):
    """What a command may send to the service, and the verbs themselves."""

    name, share, quick = "control", 0.05, 700
    kinds = JSON

    @property
    def seeds(self) -> Sequence[bytes]:
        return corpus.control_requests()

    async def open(self) -> None:
        self._control = ControlSocket(Path("/nowhere"), verbs())

    async def feed(self, data: bytes, rng: random.Random) -> str:
        answer = await self._control._answer(data, SocketPeer(0, 1))
        json.dumps(answer)
        return "answered" if "ok" in answer else "refused"

    async def good(self) -> None:
        for request in corpus.control_requests()[:2]:
            if "ok" not in await self._control._answer(request, SocketPeer(0, 1)):
                raise Violation("a good request is refused")


def verbs() -> dict[str, Any]:
    """The service's, as far as they read what they are given; nothing is stored."""

    async def status(_peer: SocketPeer, _arguments: Mapping[str, str]) -> Mapping[str, Any]:
        return {"ok": True}

    async def mark(peer: SocketPeer, arguments: Mapping[str, str]) -> Mapping[str, Any]:
        return {"kind": mark_draft(arguments.get("code", ""), peer.user).kind}

    async def ask(peer: SocketPeer, arguments: Mapping[str, str]) -> Mapping[str, Any]:
        return await ask_call([], peer.user, arguments)

    async def do_not_call(peer: SocketPeer, arguments: Mapping[str, str]) -> Mapping[str, Any]:
        what, number = arguments.get("what", ""), arguments.get("number", "")
        return {"kind": list_draft(what, number, "JP", peer.user).kind}

    return {"status": status, "mark": mark, "ask": ask, "do-not-call": do_not_call}


class Records(Target):
    """Files that Asterisk writes and others may: CDRs and CEL."""

    name, share, quick = "records", 0.015, 80
    kinds = (*lines_of(b"\n"), *BYTES)

    @property
    def seeds(self) -> Sequence[bytes]:
        return corpus.records()

    async def open(self) -> None:
        self._stack = contextlib.ExitStack()
        directory = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="fuzz-"))
        self._path = Path(directory) / "records"

    async def close(self) -> None:
        self._stack.close()

    async def feed(self, data: bytes, rng: random.Random) -> str:
        self._path.write_bytes(data)
        read = rng.choice((read_cdrs, read_cel))
        columns = rng.choice(((), ("uniqueid", "disposition", "userfield", "start")))
        try:
            count = sum(1 for _ in read(self._path, columns if read is read_cdrs else ()))
        except ConfigError:
            return "refused"
        return "read" if count else "empty"

    async def good(self) -> None:
        path = corpus.RECORDS / "Master.csv"
        if not list(read_cdrs(path)):
            raise Violation("good records are not read")


class Configurations(Target):
    name, share, quick = "configuration", 0.005, 60
    kinds = (*lines_of(b"\n"), *BYTES)

    @property
    def seeds(self) -> Sequence[bytes]:
        return corpus.configurations()

    async def feed(self, data: bytes, rng: random.Random) -> str:
        try:
            config.decode(data, source="fuzz", secrets=False)
        except ConfigError:
            return "refused"
        return "accepted"

    async def good(self) -> None:
        config.decode(corpus.configurations()[0], source="fuzz", secrets=False)
