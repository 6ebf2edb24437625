"""One service, two Asterisks: what has one name on both is kept apart, and one may be away."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

from app.calls.test_overload import arrive, hear, reason
from app.service.test_watchdog import HUNG_S, Ari, ari, soon  # noqa: F401  ari: a fixture
from app.serving import Serving, write_config, write_whole
from asterisk_compliance.app.access.past_calls import BadQuestion, show_past_calls
from asterisk_compliance.app.calls.node import Node
from asterisk_compliance.app.calls.recording_control import ask_call
from asterisk_compliance.app.service import watchdog
from asterisk_compliance.app.service.health import troubles
from asterisk_compliance.app.shared.troubles import Trouble
from asterisk_compliance.asterisk.ari.address import AriAddress
from asterisk_compliance.asterisk.ari.client import AriClient
from asterisk_compliance.clock import monotonic_ms
from asterisk_compliance.config.settings import load
from asterisk_compliance.domain.call.decision import Reason
from asterisk_compliance.domain.call.events import ChannelGone
from asterisk_compliance.domain.call.state import CallPhase
from asterisk_compliance.errors import ApplicationReplaced, ConfigError
from asterisk_compliance.ids import ChannelId, NodeName, parse_spool_name
from asterisk_compliance.storage.log.reader import StoreReader
from asterisk_compliance.storage.search.finder import CallFinder, CallSearch

CHANNEL = ChannelId("1700000000.1")
SECOND = """
[[asterisk]]
node = "pbx2"
spool = "{home}/spool2"
sounds = "{sounds}"
ari = {{ user = "compliance", secret_file = "{home}/secret", url = "http://127.0.0.1:2/ari" }}

[[notice]]
id = "standard"
"""


def two_asterisks(home: Path, **change: str) -> Path:
    """A configuration of two; ``change`` replaces text of the second one."""
    config = write_config(home)
    text = config.read_text("utf-8")
    (sounds,) = {line for line in text.splitlines() if line.startswith("sounds = ")}
    second = SECOND.format(home=home, sounds=sounds.split('"')[1])
    for before, after in change.items():
        second = second.replace(before, after)
    (home / "spool2").mkdir(exist_ok=True)
    return write_whole(config, text.replace('[[notice]]\nid = "standard"\n', second.lstrip("\n")))


@pytest.fixture
async def serving(tmp_path: Path) -> AsyncIterator[Serving]:
    serving = Serving(two_asterisks(tmp_path))
    async with serving.running():
        yield serving


def nodes(serving: Serving) -> tuple[Node, Node]:
    one, two = serving.service._nodes
    return one.registry, two.registry


async def test_two_channels_of_one_name_are_two_calls_to_the_end(serving: Serving) -> None:
    one, two = nodes(serving)
    here, there = arrive(one, 1), arrive(two, 1)
    assert here.call.channel == there.call.channel == CHANNEL
    assert here.call.id != there.call.id
    await hear(serving, here)
    assert reason(here) is Reason.NOTICE_COMPLETED
    assert (reason(there), there.call.phase) == (None, CallPhase.NOTICE)
    two.feed(CHANNEL, ChannelGone(monotonic_ms()))
    await serving.until(lambda: there.call.phase is CallPhase.OVER)
    assert here.call.phase is not CallPhase.OVER
    assert (one.live_call(here.call.id), two.live_call(here.call.id)) == (here, None)
    await serving.until(lambda: len(serving.details("call_ended")) == 1)
    rows = serving.rows()
    told = {row["call"]: row["node"] for row in rows if row["kind"] == "call_arrived"}
    assert told == {here.call.id: "pbx1", there.call.id: "pbx2"}
    assert {row["node"] for row in rows if row["call"] == there.call.id} == {"pbx2"}
    (asked,) = [row["detail"]["recording"] for row in rows if row["kind"] == "recording_requested"]
    assert parse_spool_name(f"{asked}-rx.wav") is not None, "no name of a file has a channel"


async def test_lists_and_commands_find_the_one_that_is_meant(serving: Serving) -> None:
    one, two = nodes(serving)
    here, there = arrive(one, 1), arrive(two, 1)
    await hear(serving, there)
    await serving.until(lambda: len(serving.details("call_arrived")) == 2)
    store = serving.config.parent / "store"
    with StoreReader(store) as reader:
        for search, calls in (
            (CallSearch(channel=CHANNEL), [there.call.id, here.call.id]),
            (CallSearch(channel=CHANNEL, node="pbx2"), [there.call.id]),
            (CallSearch(node="pbx1"), [here.call.id]),
            (CallSearch(node="pbx3"), []),
        ):
            found = [entry["call"] for entry in CallFinder(reader).page(search, 10).calls]
            assert sorted(found) == sorted(calls)
            assert CallFinder(reader).count(search) == len(calls)
        for node, task in ((one, here), (two, there)):
            standing = reader.standing(node.node, CHANNEL)
            assert standing is not None
            assert standing["call"] == task.call.id
            assert reader.unfinished(node.node) == [task.call.id]
    wanted = {"what": "withdraw", "call": there.call.id}
    answer = await ask_call(nodes(serving), "yoko", wanted)
    assert (answer["call"], there.call.consent.withdrawn) == (there.call.id, True)


async def test_a_channel_that_could_mean_two_callers_means_none(serving: Serving) -> None:
    """Shown to an agent, the wrong one would be told to him."""

    class Log:
        def append(self, *_: Any) -> NoReturn:
            raise AssertionError("nothing is shown")

    for node in nodes(serving):
        arrive(node, 1)
    await serving.until(lambda: len(serving.details("call_arrived")) == 2)
    settings = load(serving.config)
    with pytest.raises(BadQuestion, match="such a channel on pbx1 and pbx2"):
        await show_past_calls(Log(), settings, "yoko", {"channel": CHANNEL})
    answer = await show_past_calls(Log(), settings, "yoko", {"channel": CHANNEL, "node": "pbx2"})
    assert answer["known"] is False


@pytest.mark.parametrize("both", [False, True])
async def test_an_application_that_was_taken_ends_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, both: bool
) -> None:
    config = two_asterisks(tmp_path) if both else write_config(tmp_path)
    serving = Serving(config)
    connection = AriClient._connection

    async def taken(client: AriClient, session: Any) -> NoReturn:
        if "127.0.0.1:1/" not in client._address.url:
            await connection(client, session)
        client.transport = "websocket"
        raise ApplicationReplaced("another client took the Stasis application 'compliance'")

    monkeypatch.setattr(AriClient, "_connection", taken)
    if not both:
        with pytest.raises(ExceptionGroup) as ended:
            await asyncio.wait_for(serving.service.run(asyncio.Event()), 10)
        assert ended.group_contains(ApplicationReplaced)
        return
    async with serving.running():
        _, two = nodes(serving)
        task = arrive(two, 1)
        await hear(serving, task)
        assert reason(task) is Reason.NOTICE_COMPLETED
        wires = [row["node"] for row in serving.rows() if row["kind"] == "asterisk_disconnected"]
        assert "pbx1" in wires
        found = [str(one) for one in troubles(nodes(serving), two._rows, 5.0)]
        assert f"{Trouble.ARI_DOWN} pbx1" in found


async def test_a_spool_that_is_away_stops_recording_there_alone(tmp_path: Path) -> None:
    serving = Serving(two_asterisks(tmp_path))
    (tmp_path / "spool").rmdir()
    async with serving.running():
        one, two = nodes(serving)
        here, there = arrive(one, 1), arrive(two, 1)
        await hear(serving, there)
        assert reason(here) is Reason.STORAGE_NOT_WRITABLE
        assert reason(there) is Reason.NOTICE_COMPLETED
        places = [row["node"] for row in serving.rows() if row["kind"] == "storage_failed"]
        assert places == ["pbx1"]
        (tmp_path / "spool").mkdir()
        await serving.service._storage.look()
        assert one.no_storage is None
        assert one._intake._spool._watch is not None


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"spool2": "spool"}, "asterisk[2].spool: is that of asterisk[1] too"),
        ({"127.0.0.1:2/ari": "127.0.0.1:1/ari"}, "asterisk[2].ari.url: is that of asterisk[1] too"),
        ({"pbx2": "pbx1"}, "asterisk[2].node: is there twice"),
    ],
)
def test_what_two_cannot_share(tmp_path: Path, change: dict[str, str], problem: str) -> None:
    with pytest.raises(ConfigError) as found:
        load(two_asterisks(tmp_path, **change))
    assert found.value.problems == [problem]


@pytest.mark.parametrize("wire", ["ami", "agi"])
def test_nor_a_port(tmp_path: Path, wire: str) -> None:
    config = two_asterisks(tmp_path)
    login = 'user = "us", secret_file = "/dev/null", ' if wire == "ami" else ""
    other = f"{wire} = {{ {login}port = 5999 }}\nari = "
    config.write_text(config.read_text("utf-8").replace("ari = ", other))
    with pytest.raises(ConfigError) as found:
        load(config, secrets=False)
    assert found.value.problems == [f"asterisk[2].{wire}.port: is that of asterisk[1] too"]


def test_callers_of_one_do_not_wait_for_another_that_hangs(
    ari: tuple[Ari, AriAddress],  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The watchdog's side: the first Asterisk takes connections, and answers none."""
    monkeypatch.setattr(watchdog, "REQUEST_S", 20.0)
    with socket.create_server(("127.0.0.1", 0)) as hanging:
        away = AriAddress(f"http://127.0.0.1:{hanging.getsockname()[1]}/ari", "a", "us", "secret")
        reads, beats = os.pipe()
        heard, reports = os.pipe()
        where = [(NodeName("pbx1"), away), (NodeName("pbx2"), ari[1])]
        dog = watchdog.Watchdog(where, HUNG_S, beats=reads, reports=reports)
        thread = threading.Thread(target=dog.watch, daemon=True)
        thread.start()
        try:
            soon(lambda: len(ari[0].done) >= 6, 10.0)
        finally:
            os.write(beats, watchdog.GOODBYE + b"\n")
            thread.join(5)
        assert not thread.is_alive(), "nor does its end"
    for end in (reads, beats, heard, reports):
        os.close(end)
