"""A monitor on this host is told what is so, over HTTP and over the control socket."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from typer.testing import CliRunner

from app.serving import Serving, write_config, write_whole
from asterisk_compliance.app.audit import backlog
from asterisk_compliance.app.audit.metered_log import MeteredLog
from asterisk_compliance.app.service.health_server import CannotListen
from asterisk_compliance.app.shared.troubles import Trouble
from asterisk_compliance.cli.main import app
from asterisk_compliance.config.settings import load
from asterisk_compliance.domain.audit.rows import Draft, Kind
from asterisk_compliance.errors import ConfigError, StoreUnavailable
from asterisk_compliance.ids import NodeName, call_id


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def connected(serving: Serving) -> Any:
    """The node, as if its Asterisk were there."""
    node: Any = serving.node
    node.ari.transport = "websocket"
    return node


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def serving(tmp_path: Path, port: int) -> Serving:
    config = write_config(tmp_path)
    text = config.read_text("utf-8") + f"\n[health]\nport = {port}\n"
    return Serving(write_whole(config, text))


async def get(port: int, path: str) -> tuple[int, str, str]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}{path}") as answer,
    ):
        return answer.status, answer.headers["Content-Type"], await answer.text()


async def health(port: int) -> tuple[int, Any]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}/health") as answer,
    ):
        return answer.status, await answer.json()


async def test_a_service_without_its_asterisk_is_not_well(serving: Serving, port: int) -> None:
    async with serving.running():
        status, body = await health(port)
        assert (status, body["ok"], body["reasons"]) == (503, False, ["ARI_DOWN pbx1"])
        (node,) = body["nodes"]
        assert (node["node"], node["ari"], node["ami"]) == ("pbx1", None, None)
        await serving.until(lambda: bool(serving.details("asterisk_disconnected")))
        body = (await health(port))[1]
        async with asyncio.timeout(5):
            while body["store"]["rows"] != len(serving.rows()):  # some are on their way
                body = (await health(port))[1]
        assert body["store"]["waiting"] == 0
        assert 0 <= body["store"]["last_durable_s"] < 10
        (loaded,) = serving.details("config_loaded")
        assert body["configuration"]["digest"] == loaded["digest"]


async def test_a_service_with_its_asterisk_is_well(serving: Serving, port: int) -> None:
    async with serving.running():
        node = connected(serving)
        status, body = await health(port)
        assert (status, body["ok"], body["reasons"]) == (200, True, [])
        node.stopping = True
        assert (await health(port))[1]["reasons"] == ["STOPPING pbx1"]


async def of_the_store(port: int) -> list[str]:
    """The reasons that speak of the store; the connections of this test come and go."""
    reasons = (await health(port))[1]["reasons"]
    return [reason for reason in reasons if reason.startswith("STORE_")]


async def test_a_store_that_hangs_or_refuses_is_said(
    serving: Serving, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving.running():
        node = connected(serving)
        monkeypatch.setattr(MeteredLog, "stuck_s", 60.0)
        assert await of_the_store(port) == ["STORE_HANGS"]
        monkeypatch.undo()
        rows = node._rows
        assert isinstance(rows, MeteredLog)

        def full(*_drafts: object, patient: bool = False) -> None:
            raise StoreUnavailable("full")

        await serving.until(
            lambda: not rows.waiting
        )  # one that is stored would say that it takes rows
        monkeypatch.setattr(rows._log, "append", full)
        node.row(Kind.EVENT_MALFORMED, wire="ari")
        assert await of_the_store(port) == ["STORE_REFUSES"]
        monkeypatch.undo()
        node.row(Kind.EVENT_MALFORMED, wire="ari")
        await serving.until(lambda: not rows.refuses)
        assert await of_the_store(port) == []


async def test_what_the_store_is_owed_is_stored_before_the_service_stops(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backlog, "TRY_AGAIN_S", 60.0)
    call = call_id(1_700_000_000_000, b"8 bytes!")
    async with serving.running():
        rows = connected(serving)._rows
        rows.backlog.keep(call, Draft(Kind.CALL_ENDED, 1_700_000_000_000, NodeName("pbx1"), call))
    kinds = [row["kind"] for row in serving.rows()]
    assert kinds[-2:] == ["call_ended", "service_stopped"]


async def test_the_metrics_are_those_of_the_log(serving: Serving, port: int) -> None:
    async with serving.running():
        await serving.until(lambda: bool(serving.details("asterisk_disconnected")))
        status, kind, text = await get(port, "/metrics")
        assert status == 200
        assert kind.startswith("text/plain")
        samples = dict(
            line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#")
        )
        rows = [row["kind"] for row in serving.rows()]
        for row in Kind:
            name = f'compliance_rows_total{{kind="{row}"}}'
            assert float(samples[name]) == rows.count(row)
        assert float(samples["compliance_log_rows"]) == len(rows)
        assert float(samples['compliance_connected{node="pbx1",wire="ari"}']) == 0
        assert float(samples['compliance_live_calls{node="pbx1",phase="notice"}']) == 0


async def test_nothing_else_is_answered(serving: Serving, port: int) -> None:
    async with serving.running():
        assert (await get(port, "/"))[0] == 404
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"http://127.0.0.1:{port}/health", data=b"x") as answer,
        ):
            assert answer.status == 405


async def test_without_a_port_nobody_listens(tmp_path: Path, port: int) -> None:
    async with Serving(write_config(tmp_path)).running():
        with pytest.raises(aiohttp.ClientConnectorError):
            await health(port)


async def test_a_port_that_is_taken_ends_the_start(serving: Serving, port: int) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        with pytest.RaisesGroup(CannotListen, flatten_subgroups=True):
            await serving.service.run(asyncio.Event())


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "localhost", ""])
def test_no_other_host_can_ask(tmp_path: Path, host: str) -> None:
    config = write_config(tmp_path)
    text = config.read_text("utf-8") + f'\n[health]\nhost = "{host}"\nport = 9\n'
    with pytest.raises(ConfigError) as caught:
        load(write_whole(config, text))
    assert [problem for problem in caught.value.problems if problem.startswith("health.host")]


# -- the command ---------------------------------------------------------------------------------


async def test_the_command_says_what_is_wrong(serving: Serving) -> None:
    async with serving.running():
        await serving.until(lambda: bool(serving.details("asterisk_disconnected")))
        command = ["status", "--config", str(serving.config)]
        result = await asyncio.to_thread(CliRunner().invoke, app, command)
        assert result.exit_code == 1
        assert "not well: ARI_DOWN pbx1" in result.stdout
        connected(serving)
        result = await asyncio.to_thread(CliRunner().invoke, app, command)
        assert result.exit_code == 0
        assert "not well" not in result.stdout
        assert f"{len(serving.rows())} rows" in result.stdout


def test_every_trouble_has_a_name_of_its_own() -> None:
    assert len({str(one) for one in Trouble}) == len(Trouble)
