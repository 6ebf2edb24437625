"""Bytes from AMI become headers, whole and in order, whatever they are and however they arrive."""

from __future__ import annotations

import asyncio
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from panoramisk.message import Message

from asterisk_compliance.asterisk.ami.protocol import AmiProtocol, Headers, headers_of

FIXTURES = (Path(__file__).parents[1] / "fixtures") / "22.10.1"
END = b"\r\n\r\n"
GREETING = (FIXTURES / "ami_greeting.txt").read_bytes()
RECORDED = sorted(
    path.read_bytes().removesuffix(END)
    for kind in ("ami", "observed")
    for path in FIXTURES.glob(f"{kind}_[A-Z]*.txt")
)
ODD = (b"\r\n", b"\r", b"\n", b": ", b":", b" ", b"\xff", "é".encode(), b"\r\nCause: 1", b"\r\nA")


class AsPanoramisk(Message):  # type: ignore[misc]  # panoramisk has no types
    """What panoramisk's parser finds, before it drops headers that differ in their case only."""

    quoted_keys = ()  # of AGI

    def __init__(self, headers: dict[str, Any], _content: str) -> None:
        self.found = headers


@st.composite
def blocks(draw: st.DrawFn) -> bytes:
    """A recorded event with a few places spoiled, or lines of nobody."""
    block = draw(st.sampled_from(RECORDED) | st.binary(max_size=60))
    for _ in range(draw(st.integers(0, 6))):
        at, cut = draw(st.integers(0, len(block))), draw(st.integers(0, 30))
        put_in = draw(st.sampled_from(ODD) | st.binary(max_size=4) | st.sampled_from(RECORDED))
        block = block[:at] + put_in + block[at + cut :]
    return block


class Transport:
    def __init__(self) -> None:
        self.written: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def abort(self) -> None: ...


def connected() -> tuple[AmiProtocol, list[Headers], Transport]:
    """A connection without a socket, and the events that it tells."""
    told: list[Headers] = []
    ami, transport = AmiProtocol(told.append), Transport()
    ami.connection_made(transport)
    return ami, told, transport


@given(blocks())
def test_headers_are_what_panoramisk_reads(block: bytes) -> None:
    found = AsPanoramisk.from_line(block.decode(errors="ignore"))
    assume(not block.startswith((b"Response: Follows", b"Response: Fail")))  # they have a body
    headers = headers_of(block)
    if found is None:
        assert not {"Event", "Response"} & set(headers)
    else:
        assert list(headers.items()) == list(found.found.items())


@given(st.lists(blocks(), max_size=4), st.lists(st.integers(0, 4_000), max_size=12))
async def test_nothing_depends_on_how_the_bytes_arrive(some: list[bytes], cuts: list[int]) -> None:
    ami, told, _ = connected()
    stream = GREETING + END.join([b"Response: Success", *some, b"Event: Last"]) + END
    for begin, end in pairwise([0, *sorted(cuts), len(stream)]):
        ami.data_received(stream[begin:end])
    assert told == [
        headers for block in stream.split(END) if "Event" in (headers := headers_of(block))
    ]
    assert told[-1] == {"Event": "Last"}
    assert ami.version == "11.0.0"


async def test_a_character_may_be_torn_and_what_is_none_is_left_out() -> None:
    ami, told, _ = connected()
    for byte in GREETING + b"Response: Success" + END + "Event: é".encode() + b"\xff\xc3(" + END:
        ami.data_received(bytes([byte]))
    assert told == [{"Event": "é("}]
    assert ami.version == "11.0.0"


def test_many_doubled_headers_cost_no_time() -> None:
    block = b"\r\n".join([b"A: b"] * 150_000)
    begun = time.thread_time()
    assert headers_of(block) == {"A": ["b"] * 150_000}
    assert time.thread_time() - begun < 2


async def test_after_the_end_nothing_is_heard() -> None:
    ami, told, _ = connected()
    ami.close()
    ami.data_received(b"Event: Hangup" + END)
    assert told == []
    assert "closed" in str(ami.over.result())


async def test_no_event_ends_the_connection() -> None:
    """A caller's number can make any of them. Where Asterisk goes down its socket closes."""
    ami, told, _ = connected()
    ami.data_received(b"Event: Shutdown" + END + b"Event: Hangup" + END)
    assert told == [{"Event": "Shutdown"}, {"Event": "Hangup"}]
    assert not ami.over.done()


@pytest.mark.parametrize(
    "other",
    [
        "Event: OriginateResponse\r\nResponse: Success\r\nActionID: {}",
        "Event: Hangup\r\nActionID: {}",
        "Response: Success",
        "Response: Success\r\nActionID: 1",
        "Response: Success\r\nActionID: {}\r\nActionID: {}",
        "Message: Thanks\r\nActionID: {}",
        "Response: Success\r\nactionid: {}",
    ],
)
async def test_only_an_answer_with_its_id_answers_an_action(other: str) -> None:
    ami, _, transport = connected()
    asked = asyncio.create_task(ami.request({"Action": "Ping"}, 5))
    await asyncio.sleep(0)
    sent = headers_of(transport.written[0])
    action_id = sent["ActionID"]
    assert sent == {"Action": "Ping", "ActionID": action_id}
    ami.data_received(other.replace("{}", str(action_id)).encode() + END)
    await asyncio.sleep(0)
    assert not asked.done()
    mine = f"Response: Error\r\nActionID: {action_id}".encode() + END
    ami.data_received(mine + mine)
    assert (await asked)["Response"] == "Error"
    ami.data_received(mine)
    assert not ami.over.done()
