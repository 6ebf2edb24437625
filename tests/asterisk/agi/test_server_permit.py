"""Who may open a FastAGI connection, and what everybody else can cost."""

from __future__ import annotations

import asyncio
import socket
import tracemalloc
from contextlib import ExitStack, suppress
from ipaddress import ip_network

import pytest
import structlog

from asterisk_compliance.asterisk.agi.server import (
    LOOPBACK,
    AgiLimits,
    AgiSession,
    FastAgiServer,
    Permit,
)

PBX = tuple(map(ip_network, ("192.0.2.0/28", "2001:db8::/64")))


@pytest.mark.parametrize(
    ("source", "admitted"),
    [
        ("192.0.2.15", True),
        ("192.0.2.16", False),
        ("::ffff:192.0.2.1", True),
        ("::ffff:127.0.0.1", False),
        ("2001:db8::9", True),
        ("2001:db8:1::9", False),
        ("fe80::1%eth0", False),
        ("127.0.0.1", False),
        ("", False),
        ("pbx", False),
    ],
)
def test_only_what_is_permitted_is_admitted(source: str, admitted: bool) -> None:
    permit = Permit(PBX)
    assert permit.admits(source) is admitted
    assert permit.denied == (not admitted)


def test_loopback_is_the_default() -> None:
    assert AgiLimits().permit == LOOPBACK
    assert Permit(LOOPBACK).admits("127.0.0.1")
    assert Permit(LOOPBACK).admits("::1")
    assert not Permit(LOOPBACK).admits("127.0.0.2")


def test_a_source_is_named_once_and_one_a_second() -> None:
    now = [0.0]
    permit = Permit(PBX, clock=lambda: now[0])
    with structlog.testing.capture_logs() as lines:
        for _ in range(3):
            for host in range(1, 4):
                permit.admits(f"198.51.100.{host}")
        assert [line["source"] for line in lines] == ["198.51.100.1"]
        for _ in range(10):
            now[0] += 1
            for host in range(1, 4):
                permit.admits(f"198.51.100.{host}")
    assert [line["source"] for line in lines] == [f"198.51.100.{host}" for host in (1, 2, 3)]
    assert permit.denied == 39


def test_a_flood_of_sources_is_not_all_kept() -> None:
    now = [0.0]
    permit = Permit(PBX, clock=lambda: now[0])
    with structlog.testing.capture_logs():
        for number in range(3_000):
            now[0] += 1
            permit.admits(f"10.0.{number // 256}.{number % 256}")
    assert len(permit._named) == 1_024


async def test_of_a_peer_from_elsewhere_nothing_is_read() -> None:
    called: list[AgiSession] = []

    async def handler(session: AgiSession) -> None:
        called.append(session)

    async with FastAgiServer("127.0.0.1", 0, handler) as server:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", server.port, local_addr=("127.0.0.2", 0)
        )
        writer.write(b"agi_network: yes\n")
        with suppress(ConnectionError):  # closed while we wrote
            assert await asyncio.wait_for(reader.read(), 2) == b""
        assert (server.denied, server.refused) == (1, 1)
        assert not server._tasks
        assert not server._unread
        writer.transport.abort()
    assert not called


async def test_an_idle_connection_costs_little_memory() -> None:
    """6 KiB each was measured, in the whole process."""
    count = 2_000

    async def handler(session: AgiSession) -> None:
        raise AssertionError

    limits = AgiLimits(header_s=60, unread=count)
    with ExitStack() as opened:
        async with FastAgiServer("127.0.0.1", 0, handler, limits) as server:

            def connect(times: int) -> None:
                for _ in range(times):
                    peer = opened.enter_context(socket.socket())
                    peer.connect(("127.0.0.1", server.port))

            async with asyncio.timeout(30):
                tracemalloc.start()
                before, _ = tracemalloc.get_traced_memory()
                while len(server._unread) < count:
                    await asyncio.to_thread(connect, 100)
                    await asyncio.sleep(0.01)
                after, _ = tracemalloc.get_traced_memory()
                tracemalloc.stop()
    assert (after - before) / count < 16_384
