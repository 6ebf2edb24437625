"""What the fuzz found in us, each as the smallest input that did it."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import aiohttp
import pytest

from asterisk_compliance.app.shared.control_socket import ControlSocket, SocketPeer
from asterisk_compliance.asterisk.agi import header as agi_header
from asterisk_compliance.asterisk.agi.session import AgiSession
from asterisk_compliance.asterisk.ari import requests as ari_requests
from asterisk_compliance.asterisk.ari.address import AriAddress
from asterisk_compliance.asterisk.ari.client import AriClient
from asterisk_compliance.asterisk.ari.transport import AriAnswer, HttpTransport, WebSocketTransport
from asterisk_compliance.domain.asterisk.call_records import Cdr
from asterisk_compliance.errors import AsteriskUnavailable, ConfigError, RequestRefused
from asterisk_compliance.storage.queries.call_records import read_cdrs
from fuzz import corpus
from fuzz.askers import Writer
from fuzz.mutators import DEEPEST
from fuzz.wires import NoSocket, Silent, response

DEEP = '{"x":' * DEEPEST + "1" + "}" * DEEPEST


async def test_an_answer_that_is_nested_too_deeply_is_none() -> None:
    transport = WebSocketTransport(cast("Any", NoSocket()), 5.0)
    client = AriClient(AriAddress("http://127.0.0.1:1/ari", "compliance", "u", "s"), Silent())
    for status, why in ((200, AsteriskUnavailable), (500, RequestRefused)):
        answer = transport.send(ari_requests.info())
        client._on_message(response(str(transport._last_id), status, DEEP.encode()), transport)
        with pytest.raises(why):
            await answer


def test_what_reads_an_answer_says_that_it_is_none() -> None:
    for request in (ari_requests.channels(), ari_requests.bridges()):
        with pytest.raises(ValueError, match="too deeply"):
            request.read(AriAnswer(200, f"[{DEEP}]"))


async def _session(said: bytes) -> AgiSession:
    reader = asyncio.StreamReader()
    reader.feed_data(said)
    header = agi_header.parse(corpus.agi_headers()[0])
    return AgiSession(header, reader, cast("Any", Writer()), 5.0)


async def test_a_long_answer_costs_no_time() -> None:
    session = await _session(b"200 result=0 " + b"A" * 20_000 + b"\n")
    begun = time.thread_time()
    with pytest.raises(AsteriskUnavailable, match="not an answer"):
        await session.command("NOOP")
    assert time.thread_time() - begun < 0.3


@pytest.mark.parametrize("result", [2, 31, 128, 0x110000, 2**31, 10**400, -5])
async def test_a_result_that_is_no_key_is_none(result: int) -> None:
    session = await _session(f"200 result={result}\n".encode())
    assert (await session.stream_file("prompt", 5.0, digits="1")).digit == ""


@pytest.mark.parametrize("key", "0123456789*#ABCD")
async def test_a_result_that_is_a_key_is_that_key(key: str) -> None:
    session = await _session(f"200 result={ord(key)} endpos=4320\n".encode())
    played = await session.stream_file("prompt", 5.0, digits=key)
    assert (played.digit, played.end_samples, played.completed) == (key, 4_320, False)


@pytest.mark.parametrize(
    "line", [b'{"\xc3verb":"status"}\n', b'{"verb":"\xff"}\n', b'{"verb":' + b"[" * DEEPEST + b"\n"]
)
async def test_a_request_that_cannot_be_read_is_answered(line: bytes) -> None:
    control = ControlSocket(cast("Any", None), {})
    assert await control._answer(line, SocketPeer(0, 1)) == {"error": "not a request", "hint": ""}


class _Dying:
    """A WebSocket that shall answer a ping when nobody is there any more."""

    close_code = 1006

    async def receive(self) -> Any:
        raise aiohttp.ClientConnectionResetError("Cannot write to closing transport")


async def test_a_ping_from_a_connection_that_is_lost_ends_that_connection_alone() -> None:
    client = AriClient(AriAddress("http://127.0.0.1:1/ari", "compliance", "u", "s"), Silent())
    websocket = WebSocketTransport(cast("Any", NoSocket()), 5.0)
    async with aiohttp.ClientSession() as session:
        http = HttpTransport(session, "http://127.0.0.1:1/ari", 5.0)
        waits = websocket.send(ari_requests.info())
        with pytest.raises(AsteriskUnavailable, match="ClientConnectionResetError"):
            await client._read(cast("Any", _Dying()), websocket, http)
        with pytest.raises(AsteriskUnavailable):
            await waits


@pytest.mark.parametrize("lasted", ["inf", "-inf", "nan", "1e308"])
def test_a_call_that_lasted_for_ever_covers_nothing_more(tmp_path: Path, lasted: str) -> None:
    file = tmp_path / "Master.csv"
    file.write_text(f"1795560209.0,{lasted},ANSWERED\n")
    (found,) = read_cdrs(file, ("uniqueid", "duration", "disposition"))
    assert isinstance(found, Cdr)
    assert found.covers_from_ms == found.started_ms


def _with_a_page_twice(tmp_path: Path) -> Path:
    """An SQLite file whose rows come again and again: the pointer to a page leads back."""
    file = tmp_path / "master.db"
    with closing(sqlite3.connect(file)) as base:
        base.execute("CREATE TABLE cdr (uniqueid, disposition)")
        rows = ((f"1795560209.{number}", "ANSWERED") for number in range(2_000))
        base.executemany("INSERT INTO cdr VALUES (?, ?)", rows)
        base.commit()
        (root,) = base.execute("SELECT rootpage FROM sqlite_schema").fetchone()
        (size,) = base.execute("PRAGMA page_size").fetchone()
    content = bytearray(file.read_bytes())
    begin = (root - 1) * size  # an interior page: its header has 12 bytes, then offsets of cells
    cells = [
        begin + 12 + 2 * number for number in range(int.from_bytes(content[begin + 3 : begin + 5]))
    ]
    first, last = cells[0], cells[-1]
    content[last : last + 2] = content[first : first + 2]
    file.write_bytes(content)
    return file


def test_a_file_of_sqlite_whose_rows_are_in_no_order_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no order"):
        list(read_cdrs(_with_a_page_twice(tmp_path)))


def test_a_file_of_sqlite_of_which_sqlite_says_what_is_no_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "master.db"
    with closing(sqlite3.connect(file)) as base:
        base.execute("CREATE TABLE cdr (uniqueid, disposition)")
        base.commit()
    file.write_bytes(file.read_bytes().replace(b"CREATE TABLE", b"CREATE \xc1ABLE"))
    with pytest.raises(ConfigError, match="damaged"):
        list(read_cdrs(file))
