"""What an agent sees, and what of a caller's name comes near AMI."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asterisk_compliance.app.calls.agent_display import LONGEST_NAME, NAME, AgentDisplay, shown_name
from asterisk_compliance.asterisk.ami.client import AmiClient
from asterisk_compliance.asterisk.ami.protocol import checked
from asterisk_compliance.asterisk.ari.client import AriClient
from asterisk_compliance.domain.call.decision import Status
from asterisk_compliance.errors import AsteriskUnavailable, RequestRefused
from asterisk_compliance.ids import ChannelId

AGENT = ChannelId("1732.5")


class Wires:
    """Connections that note what is asked; a name is read when the test says so."""

    def __init__(self, name: str | None = "Taro") -> None:
        self.ari: AriClient | None = cast("AriClient", self)
        self.ami: AmiClient | None = cast("AmiClient", self)
        self.connected = True
        self.name = name
        self.error: Exception | None = None
        self.read = asyncio.Event()
        self.asked: list[tuple[str, str]] = []
        self.running: list[asyncio.Task[None]] = []

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self.running.append(asyncio.create_task(work))

    async def get_variable(self, channel: ChannelId, name: str) -> str | None:
        assert (channel, name) == (AGENT, NAME)
        await self.read.wait()
        if self.error is not None:
            raise self.error
        return self.name

    async def setvar(self, channel: ChannelId, name: str, value: str) -> None:
        self.asked.append((name, value))
        raise RequestRefused("Setvar", 0, "No such channel")

    async def settled(self) -> list[tuple[str, str]]:
        self.read.set()
        while any(not task.done() for task in self.running):
            await asyncio.gather(*self.running)
        return self.asked


@pytest.fixture
async def wires() -> Wires:
    return Wires()


async def test_the_status_costs_one_action(wires: Wires) -> None:
    AgentDisplay(wires).show([AGENT], Status.RECORDING)
    assert await wires.settled() == [("COMPLIANCE_SHOWN", "RECORDING")]


async def test_nothing_is_asked_of_a_lost_connection(wires: Wires) -> None:
    wires.connected = False
    AgentDisplay(wires, in_name=True).show([AGENT], Status.RECORDING)
    wires.ami = None
    AgentDisplay(wires).show([AGENT], Status.RECORDING)
    assert await wires.settled() == []


async def test_without_ari_the_name_stays(wires: Wires) -> None:
    wires.ari = None
    AgentDisplay(wires, in_name=True).show([AGENT], Status.PAUSED)
    assert await wires.settled() == [("COMPLIANCE_SHOWN", "PAUSED")]


async def test_the_name_that_is_set_is_that_of_the_last_status(wires: Wires) -> None:
    display = AgentDisplay(wires, in_name=True)
    for status in (Status.ALLOWED, Status.RECORDING, Status.PAUSED):
        display.show([AGENT], status)
    asked = await wires.settled()
    assert [value for name, value in asked if name == NAME] == ["[PAUSED] Taro"]


async def test_a_name_that_says_it_already_is_not_set_again(wires: Wires) -> None:
    wires.name = "[REC] Taro"
    AgentDisplay(wires, in_name=True).show([AGENT], Status.RECORDING)
    assert await wires.settled() == [("COMPLIANCE_SHOWN", "RECORDING")]


async def test_a_name_that_cannot_be_read_stays(wires: Wires) -> None:
    display = AgentDisplay(wires, in_name=True)
    wires.error = AsteriskUnavailable("gone")
    display.show([AGENT], Status.PAUSED)
    assert await wires.settled() == [("COMPLIANCE_SHOWN", "PAUSED")]
    wires.error = None
    display.show([AGENT], Status.RECORDING)
    assert (await wires.settled())[-1] == (NAME, "[REC] Taro")


@pytest.mark.parametrize(
    ("status", "prefix"),
    [
        (Status.ALLOWED, "[REC]"),
        (Status.RECORDING, "[REC]"),
        (Status.PAUSED, "[PAUSED]"),
        (Status.NOT_RECORDED, "[NO REC]"),
        (Status.REFUSED, "[NO REC]"),
        (Status.FAILED, "[NO REC]"),
    ],
)
def test_every_status_has_its_words(status: Status, prefix: str) -> None:
    assert shown_name(status, "山田 太郎") == f"{prefix} 山田 太郎"
    assert shown_name(status, "") == prefix


@pytest.mark.parametrize(
    "name",
    ["[NO REC] Taro", "[REC][PAUSED]  Taro", "[REC]\r\n[NO REC] Taro", '"[REC]" Taro', "\x00Taro"],
)
def test_a_caller_cannot_say_whether_he_is_recorded(name: str) -> None:
    assert shown_name(Status.RECORDING, name) == "[REC] Taro"


@given(st.text(max_size=2_000), st.sampled_from(Status))
def test_no_name_leaves_its_line_or_its_bounds(name: str, status: Status) -> None:
    shown = shown_name(status, name)
    assert shown.isprintable()
    assert not set(shown) & set('"\\<>;${}')
    assert len(shown) <= LONGEST_NAME + len("[PAUSED] ")
    assert checked({"Value": shown}) == {"Value": shown}
    assert shown_name(status, shown) == shown
