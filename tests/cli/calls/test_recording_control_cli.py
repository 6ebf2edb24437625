"""``calls pause|resume|withdraw|start|stop``: what is asked, what is printed, which exit status."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from app.serving import write_config
from asterisk_compliance.app.calls.recording_control import NoSuchCall, NotAskable
from asterisk_compliance.app.shared.control_socket import ControlSocket, SocketPeer
from asterisk_compliance.cli.calls import commands as calls
from asterisk_compliance.errors import ComplianceError

CALL = "c-01890000000000000000000000aa"


class Desk:
    """A service that answers ``ask`` as it is told, and keeps what it was asked."""

    def __init__(self, home: Path) -> None:
        self.config = write_config(home)
        self.asked: list[dict[str, str]] = []
        self.answer: dict[str, Any] | Exception = {}

    async def _ask(self, _: SocketPeer, arguments: Mapping[str, str]) -> Mapping[str, Any]:
        self.asked.append(dict(arguments))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def says(self, status: str, *, done: bool = True) -> None:
        self.answer = {"call": CALL, "asked": "it", "status": status, "done": done}

    async def run(self, *words: str) -> tuple[int, str, str]:
        """Exit status, standard output and standard error of ``calls WORDS``."""
        return await asyncio.to_thread(_run, [*words, "--config", str(self.config)])


def _run(words: list[str]) -> tuple[int, str, str]:
    result = CliRunner().invoke(calls.app, words)
    error = result.exception
    if isinstance(error, ComplianceError):  # as main() does
        return error.exit_code, result.stdout, f"error: {error}\nhint: {error.hint}\n"
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    desk = Desk(tmp_path)
    socket = ControlSocket(tmp_path / "run/control.sock", {"ask": desk._ask})
    serving = asyncio.create_task(socket.run())
    async with asyncio.timeout(5):
        while not (tmp_path / "run/control.sock").exists():  # noqa: ASYNC110 - of a socket
            await asyncio.sleep(0.01)
    yield desk
    serving.cancel()
    await asyncio.wait([serving], timeout=5)


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        (["pause"], {"what": "pause", "reason": "CARD"}),
        (["pause", "--reason", "PRIVATE"], {"what": "pause", "reason": "PRIVATE"}),
        (["resume"], {"what": "resume"}),
        (["resume", "--everybody"], {"what": "resume", "everybody": "yes"}),
        (["withdraw"], {"what": "withdraw"}),
        (["start"], {"what": "start"}),
        (["stop"], {"what": "stop"}),
    ],
)
async def test_each_command_asks_for_what_it_says(
    desk: Desk, words: list[str], asked: dict[str, str]
) -> None:
    desk.says("PAUSED")
    assert await desk.run(words[0], CALL, *words[1:]) == (0, "PAUSED\n", "")
    assert desk.asked == [{"call": CALL, **asked}]


async def test_as_json(desk: Desk) -> None:
    desk.says("RECORDING")
    code, out, err = await desk.run("resume", CALL, "--json")
    assert (code, err) == (0, "")
    assert out.count("\n") == 1
    assert json.loads(out) == {"call": CALL, "asked": "it", "status": "RECORDING", "done": True}


@pytest.mark.parametrize("what", ["pause", "resume", "withdraw", "start", "stop"])
async def test_what_was_not_done_is_a_negative_finding(desk: Desk, what: str) -> None:
    desk.says("REFUSED", done=False)
    code, out, err = await desk.run(what, CALL)
    assert (code, out) == (1, "REFUSED\n")
    error, hint = err.splitlines()
    assert error == "error: it was not done"
    assert len(hint) > len("hint: ")
    code, out, _ = await desk.run(what, CALL, "--json")
    assert code == 1
    assert json.loads(out)["done"] is False


async def test_an_unknown_call_is_a_negative_finding(desk: Desk) -> None:
    desk.answer = NoSuchCall("there is no live call with this id")
    code, out, err = await desk.run("pause", CALL)
    assert (code, out) == (1, "")
    assert err == (
        "error: there is no live call with this id\n"
        "hint: is the call still there? asterisk-compliance calls list\n"
    )


async def test_a_reason_that_nobody_can_give_is_wrong_usage(desk: Desk) -> None:
    desk.answer = NotAskable("nobody can ask for that", hint="reasons: CARD, PRIVATE")
    code, out, err = await desk.run("pause", CALL, "--reason", "BORED")
    assert (code, out) == (2, "")
    assert err == "error: nobody can ask for that\nhint: reasons: CARD, PRIVATE\n"


async def test_a_call_must_be_named(desk: Desk) -> None:
    code, out, err = await desk.run("pause")
    assert (code, out) == (2, "")
    assert "call" in err
    assert desk.asked == []


async def test_without_a_service_nothing_can_be_asked(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    code, out, err = await desk.run("stop", CALL)
    assert (code, out) == (3, "")
    error, hint = err.splitlines()
    assert error == f"error: {tmp_path}/run/control.sock: no service"
    assert hint == "hint: a live call can be steered only by the running service"


async def test_without_a_configuration_there_is_no_service_to_ask(tmp_path: Path) -> None:
    nowhere = tmp_path / "compliance.toml"
    code, out, _ = await asyncio.to_thread(_run, ["stop", CALL, "--config", str(nowhere)])
    assert (code, out) == (2, "")
