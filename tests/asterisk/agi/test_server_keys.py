"""Keys over AGI, and the one way in which AGI lets go of what it does."""

import asyncio
from typing import Any

import pytest

from asterisk.agi_peer import Calls, connected, exchange, serving
from asterisk_compliance.asterisk.agi.server import AgiHangup, AgiSession, Played
from asterisk_compliance.errors import AsteriskUnavailable

ECHO = "GET FULL VARIABLE "


async def interrupted(fixture: Any, before: bytes, *, missed: int = 0) -> Played:
    """Interrupt a file that plays; ``before`` is what Asterisk answers before it lets go.

    ``missed`` requests to let go are answered only with the one after them, as Asterisk does
    with what it has read already.
    """
    played: list[Played] = []

    async def body(agi: AgiSession) -> None:
        asyncio.get_running_loop().call_later(0.02, agi.interrupt)
        played.append(await agi.stream_file("a", 5, digits="19", offset_samples=80))
        await agi.set_variable("A", "b")

    calls = Calls(body)
    async with serving(calls) as server, connected(server) as peer:
        peer.send(fixture("agi_header.txt"))
        await peer.confirm()
        assert await peer.command() == 'STREAM FILE "a" "19" "80"'
        words = [(await peer.command()).removeprefix(ECHO) for _ in range(missed + 1)]
        peer.send(before)
        for word in words:
            peer.send(f"200 result=1 ({word})\n".encode())
        assert await peer.command() == 'SET VARIABLE "A" "b"'
        peer.send(b"200 result=1\n")
        assert await calls.ended() is None
    return played[0]


@pytest.mark.parametrize("missed", [0, 2])
@pytest.mark.parametrize(
    ("before", "played"),
    [
        (b"", Played(False, 80)),
        (b"200 result=0 endpos=8000\n", Played(True, 8000)),
        (b"200 result=49 endpos=160\n", Played(False, 160, "1")),
    ],
)
async def test_a_file_lets_go_when_another_command_comes(
    fixture: Any, before: bytes, played: Played, missed: int
) -> None:
    """At its own end too: no answer is taken for another one's."""
    assert await interrupted(fixture, before, missed=missed) == played


async def test_what_cannot_let_go_is_not_interrupted(fixture: Any) -> None:
    async def body(agi: AgiSession) -> None:
        agi.interrupt()
        asyncio.get_running_loop().call_later(0.01, agi.interrupt)
        with pytest.raises(AsteriskUnavailable):
            await agi.command("ANSWER", limit_s=0.1)

    commands, error = await exchange(body, fixture("agi_header.txt"), {})
    assert (commands, error) == (["ANSWER"], None)


@pytest.mark.parametrize(
    ("answers", "heard"),
    [
        ([b"200 result=57\n"], "9"),
        ([b"200 result=35\n"], "#"),
        ([b"200 result=0\n"], ""),
        ([b"200 result=1\n"], ""),
        ([b"200 result=-1\n", b"HANGUP\n"], AgiHangup),
        ([b"200 result=-1\n", b"200 result=0\n"], AsteriskUnavailable),
        ([b"HANGUP\n"], AgiHangup),
    ],
)
async def test_waiting_for_a_key(
    fixture: Any, answers: list[bytes], heard: str | type[Exception]
) -> None:
    async def body(agi: AgiSession) -> None:
        if isinstance(heard, str):
            assert await agi.wait_for_digit(1.5) == heard
            return
        with pytest.raises(heard):
            await agi.wait_for_digit(1.5)

    names = ("WAIT FOR DIGIT", "NOOP")
    said = dict(zip(names, answers, strict=False))
    commands, error = await exchange(body, fixture("agi_header.txt"), said)
    assert error is None
    assert commands[0] == 'WAIT FOR DIGIT "1500"'
