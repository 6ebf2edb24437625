"""The FastAGI server among peers that are not Asterisk, or whose caller tries to be it."""

import asyncio
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from asterisk.agi_peer import Calls, connected, exchange, serving
from asterisk_compliance.asterisk.agi import header as agi_header
from asterisk_compliance.asterisk.agi.server import (
    AgiHangup,
    AgiLimits,
    AgiReply,
    AgiSession,
    FastAgiServer,
    Played,
)
from asterisk_compliance.errors import AsteriskUnavailable, RequestRefused


async def test_a_call_from_header_to_end(fixture: Any) -> None:
    async def body(agi: AgiSession) -> None:
        assert (agi.script, agi.parameters) == ("notice", {"policy": "inbound"})
        assert (agi.channel, agi.language) == ("1795509944.10", "en")
        assert agi.environment["agi_calleridname"] == "Müller"
        await agi.answer()
        assert await agi.stream_file("/sounds/no tice", 5) == Played(True, 8640)
        await agi.set_variable("A", 'a,"b\\c" ${D}')
        assert await agi.command("GET VARIABLE", "X") == AgiReply(1, "a=b (c)", 0)

    commands, error = await exchange(
        body,
        fixture("agi_header.txt"),
        {
            "ANSWER": b"100 result=0 Trying...\n200 result=0\n",
            "STREAM": b"200 result=0 endpos=8640\n",
            "SET": b"200 result=1\n",
            "GET": b"200 result=1 (a=b (c))\n",
        },
    )
    assert error is None
    assert commands == [
        "ANSWER",
        'STREAM FILE "/sounds/no tice" ""',
        'SET VARIABLE "A" "a,\\"b\\\\c\\" ${D}"',
        'GET VARIABLE "X"',
    ]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"HANGUP\n200 result=0\n", AgiHangup),
        (b"511 Command Not Permitted on a dead channel or intercept routine\n", AgiHangup),
        (b"510 Invalid or unknown command\n", RequestRefused),
        (b"520-Invalid command syntax.  Proper usage follows:\n", RequestRefused),
        (b"agi_callerid: 12\n", AsteriskUnavailable),
        (b"200 nonsense\n", AsteriskUnavailable),
        (b"200 result=x\n", AsteriskUnavailable),
        (b"\xff\xfe\n", AsteriskUnavailable),
        (b"\n", AsteriskUnavailable),
        (b"x" * 10_000, AsteriskUnavailable),
        (b"", AsteriskUnavailable),  # silence
    ],
)
async def test_after_an_odd_answer_the_session_is_over(
    fixture: Any, answer: bytes, kind: type[Exception]
) -> None:
    async def body(agi: AgiSession) -> None:
        with pytest.raises(kind):
            await agi.command("FIRST", limit_s=0.3)
        await agi.command("SECOND")

    commands, error = await exchange(body, fixture("agi_header.txt"), {"FIRST": answer})
    assert isinstance(error, AgiHangup)
    assert commands == ["FIRST"]  # nothing is sent or read after it: answers would shift


async def test_a_file_that_fails_is_not_completed_and_the_call_goes_on(fixture: Any) -> None:
    async def body(agi: AgiSession) -> None:
        assert await agi.stream_file("nosuch", 5) == Played(False, 0)
        await agi.set_variable("A", "b")

    answers = {"STREAM": b"200 result=-1 endpos=0\n", "SET": b"200 result=1\n"}
    commands, error = await exchange(body, fixture("agi_header.txt"), answers)
    assert error is None
    assert len(commands) == 2


async def test_a_peer_that_closes_in_a_command_is_a_hangup(fixture: Any) -> None:
    calls = Calls(lambda agi: agi.answer())
    async with serving(calls) as server:
        async with connected(server) as peer:
            peer.send(fixture("agi_header.txt"))
            await peer.confirm()
            assert await peer.command() == "ANSWER"
        assert isinstance(await calls.ended(), AgiHangup)


async def test_an_argument_with_a_control_character_is_refused_before_it_is_sent(
    fixture: Any,
) -> None:
    async def body(agi: AgiSession) -> None:
        for bad in ("a\nEXEC System", "a\rb", "a\0b", "\x7f", "x" * 2000):
            with pytest.raises(ValueError):
                await agi.set_variable("A", bad)
        await agi.command("NOOP")

    commands, error = await exchange(body, fixture("agi_header.txt"), {"NOOP": b"200 result=0\n"})
    assert error is None
    assert commands == ["NOOP"]


@given(st.text(st.characters(min_codepoint=32, exclude_characters="\x7f", codec="utf-8")))
def test_quoting_is_undone_as_asterisk_undoes_it(argument: str) -> None:
    quoted = agi_header.quoted(argument)
    assert quoted[0] == quoted[-1] == '"'
    assert re.fullmatch(r'(?:[^"\\]|\\.)*', quoted[1:-1], re.DOTALL)
    assert re.sub(r"\\(.)", r"\1", quoted[1:-1], flags=re.DOTALL) == argument


def injected(header: bytes, number: bytes) -> bytes:
    """What Asterisk sends for a caller with this number: it is written as it is."""
    return header.replace(b"agi_callerid: 0312345678", b"agi_callerid: " + number)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda h: injected(h, b"03\n12"), "no variable"),
        (lambda h: injected(h, b"03\nagi_uniqueid: other"), "twice"),
        (lambda h: injected(h, b"03\n\n"), "missing"),
        (lambda h: h.replace(b"agi_network: yes\n", b""), "missing"),
        (lambda h: h.replace(b"agi_uniqueid: ", b"agi_uniqueid: \x01"), "no channel id"),
        (lambda h: h.replace(b"script: notice", b"script: ../notice"), "made of names"),
        (lambda h: h.replace(b"script: notice?policy=inbound", b"script: "), "made of names"),
        (lambda h: h.replace(b"script: notice?policy=", b"script: notice?a=1&a="), "doubled"),
        (lambda h: h.replace(b"script: notice?policy=", b"script: notice?a=%0a&b="), "not clean"),
        (lambda h: h.replace(b"script: notice?policy=", b"script: notice?"), "cannot be read"),
        (lambda h: h.replace(b"\n\n", b"\n" + b"agi_arg_%d: x\n" * 230 + b"\n"), "many lines"),
        (lambda h: b"GET / HTTP/1.1\r\nHost: x\r\n\n\n", "no variable"),
        (lambda h: b"\n\n", "no variable"),
        (lambda h: b"\xff\x00" * 100 + b"\n\n", "no variable"),
        (lambda h: b"x" * 100_000, "too long"),
    ],
)
async def test_a_header_that_is_not_asterisks_own_is_refused(
    fixture: Any, change: Callable[[bytes], bytes], why: str
) -> None:
    calls = Calls()
    with structlog.testing.capture_logs() as logs:
        async with serving(calls) as server, connected(server) as peer:
            peer.send(change(fixture("agi_header.txt")))
            assert await peer.closed() == b""
            assert server.refused == 1
    assert not calls.sessions
    assert why in logs[0]["why"]


async def test_a_number_cannot_bring_the_answers_to_our_commands(fixture: Any) -> None:
    """A line break ends the header early; forged answers follow, then the rest of the header."""
    forged = b"03\nagi_threadid: 1\n\n" + b"200 result=1\n" * 3 + b"200 result=0 endpos=99999\n"
    calls = Calls(lambda agi: agi.answer())
    async with serving(calls) as server, connected(server) as peer:
        peer.send(injected(fixture("agi_header.txt"), forged))
        assert (await peer.closed()).startswith(b"GET FULL VARIABLE probe-")
    assert not calls.sessions


async def test_no_query_is_no_parameters(fixture: Any) -> None:
    header = fixture("agi_header.txt").replace(b"script: notice?policy=inbound", b"script: a/b")
    assert agi_header.parse(header).parameters == {}
    assert agi_header.parse(header).script == "a/b"


@given(st.binary(max_size=400))
def test_any_bytes_are_parsed_or_refused(data: bytes) -> None:
    with suppress(ValueError):
        agi_header.parse(data)


async def call_works(server: FastAgiServer, calls: Calls, header: bytes) -> None:
    async with connected(server) as peer:
        peer.send(header)
        await peer.confirm()
        assert await calls.ended() is None


async def test_peers_that_connect_and_close_stay_silent_or_drip_are_dropped(fixture: Any) -> None:
    calls = Calls()
    header = fixture("agi_header.txt")
    async with serving(calls) as server:
        async with connected(server):
            pass
        async with connected(server) as peer:
            peer.send(header[:40])
        async with connected(server) as silent, connected(server) as slow:

            async def drip() -> None:
                with suppress(ConnectionError):
                    for byte in header:
                        slow.send(bytes([byte]))
                        await asyncio.sleep(0.02)

            dripping = asyncio.create_task(drip())
            await call_works(server, calls, header)
            assert await silent.closed(2) == b""
            assert await slow.closed(2) == b""
            dripping.cancel()
        assert server.refused == 4
        assert len(calls.sessions) == 1


async def test_a_thousand_half_open_connections_keep_no_call_out(fixture: Any) -> None:
    calls = Calls()
    patient = AgiLimits(header_s=60, unread=64)  # only eviction can help, not time
    opened: list[asyncio.StreamWriter] = []
    async with serving(calls, patient) as server:
        try:
            for _ in range(1000):
                _, writer = await asyncio.open_connection("127.0.0.1", server.port)
                opened.append(writer)
            await asyncio.wait_for(call_works(server, calls, fixture("agi_header.txt")), 5)
            assert server.refused >= 1000 - 64
        finally:
            for writer in opened:
                writer.transport.abort()


async def test_calls_beyond_the_limit_are_turned_away(fixture: Any) -> None:
    entered: asyncio.Queue[None] = asyncio.Queue()

    async def body(_: AgiSession) -> None:
        entered.put_nowait(None)
        await asyncio.Event().wait()

    limits = AgiLimits(sessions=1)
    async with serving(Calls(body), limits) as server, connected(server) as first:
        first.send(fixture("agi_header.txt"))
        await first.confirm()
        await asyncio.wait_for(entered.get(), 5)
        async with connected(server) as second:
            second.send(fixture("agi_header.txt"))
            assert await second.closed() == b""
    assert await first.closed() == b""  # the end of the server ended the session


async def test_a_handler_that_fails_closes_its_session_only(fixture: Any) -> None:
    async def body(agi: AgiSession) -> None:
        if len(calls.sessions) == 1:
            raise RuntimeError(agi.environment["agi_calleridname"])

    calls = Calls(body)
    with structlog.testing.capture_logs() as logs:
        async with serving(calls) as server:
            async with connected(server) as peer:
                peer.send(fixture("agi_header.txt"))
                await peer.confirm()
                assert await peer.closed() == b""
            assert isinstance(await calls.ended(), RuntimeError)
            await call_works(server, calls, fixture("agi_header.txt"))
    assert logs[0]["error"] == "RuntimeError"
    assert logs[0]["where"].startswith("test_server.py:")
    assert "Müller" not in str(logs)
