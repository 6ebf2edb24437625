"""Checkpoints of a running service: signed in time and at the end, shipped, never waited for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from typer.testing import CliRunner

from app.serving import Serving, write_config
from asterisk_compliance.app.audit import checkpoint_shipping as shipping
from asterisk_compliance.app.audit import checkpointing
from asterisk_compliance.app.audit.checkpointing import Checkpointing
from asterisk_compliance.app.audit.open_log import owned_log
from asterisk_compliance.app.audit.signing_keys import (
    checkpoint_alone,
    first_key,
    replace_alone,
    rotate_alone,
)
from asterisk_compliance.app.shared.metrics import Metrics
from asterisk_compliance.cli.audit import commands as audit
from asterisk_compliance.config.settings import Settings
from asterisk_compliance.domain.audit.checkpoint import open_checkpoint, parse_checkpoint
from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.domain.audit.signed_note import parse_verifier_key
from asterisk_compliance.errors import LogBroken, StoreUnavailable
from asterisk_compliance.storage.log.checkpoints import CHECKPOINT, StoredCheckpoint
from asterisk_compliance.storage.log.reader import StoreReader
from asterisk_compliance.storage.log.schema import DATABASE
from asterisk_compliance.storage.log.writer import StoreWriter
from asterisk_compliance.storage.proofs.prover import key_chain, listed
from asterisk_compliance.storage.proofs.signing_key import create_key, load_key, next_path
from asterisk_compliance.storage.proofs.verdict import ProofLevel
from asterisk_compliance.storage.proofs.verification import verify
from sample_rows import draft
from sample_settings import settings

MARK = draft(Kind.MARK)
SIGNING_KEY = "signing.key"
WITHIN_S = 10.0


class Site:
    """A store, and the log of a service that owns it."""

    def __init__(self, home: Path) -> None:
        self.store = home / "store"
        self.metrics = Metrics()

    def settings(self, *to: str, rows: int = 1_000_000, seconds: float = 3_600.0) -> Settings:
        audit = {"store": str(self.store), "site": "example.jp", "checkpoints_to": list(to)}
        return settings(audit={**audit, "checkpoint_rows": rows, "checkpoint_s": seconds})

    @asynccontextmanager
    async def running(self, *to: str, **often: Any) -> AsyncIterator[tuple[Any, Checkpointing]]:
        async with owned_log(self.settings(*to, **often), self.metrics) as (rows, checkpoints):
            if checkpoints.first_rows:
                await rows.append(*checkpoints.first_rows)
            yield rows, checkpoints

    def checkpoints(self) -> list[StoredCheckpoint]:
        with StoreReader(self.store) as reader:
            return listed(reader)

    def rows(self, kind: Kind) -> list[dict[str, Any]]:
        with StoreReader(self.store) as reader:
            rows = [json.loads(row.data) for row in reader.rows()]
        return [row["detail"] for row in rows if row["kind"] == kind]

    def number(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(f"compliance_{name}", labels) or 0.0


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


async def until(holds: Any) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not holds():  # noqa: ASYNC110 - of another thread, or of a file
            await asyncio.sleep(0.01)


def sizes(site: Site) -> list[int]:
    return [one.size for one in site.checkpoints()]


# -- when ------------------------------------------------------------------------------------------


async def test_the_end_leaves_no_row_unsigned(site: Site) -> None:
    async with site.running() as (rows, _):
        await asyncio.gather(*(rows.append(MARK) for _ in range(20)))
        assert sizes(site) == []
    assert sizes(site) == [21]
    verdict = verify(site.store)
    assert (verdict.level, verdict.signed_rows) == (ProofLevel.SIGNED, 21)
    assert (site.store / CHECKPOINT).read_text() == site.checkpoints()[0].note
    assert verdict.origin.startswith("example.jp/pbx1/log-")
    assert (site.number("checkpoints_total"), site.number("checkpoint_rows")) == (1, 21)


async def test_the_head_is_signed_after_so_many_rows(site: Site) -> None:
    async with site.running(rows=10) as (rows, _):
        for _ in range(9):
            await rows.append(MARK)
        await until(lambda: sizes(site) == [10])
        await asyncio.gather(*(rows.append(MARK) for _ in range(9)))
        assert sizes(site) == [10]
        await rows.append(MARK)
        await until(lambda: sizes(site) == [10, 20])


async def test_the_head_is_signed_after_some_time_if_there_is_a_new_row(site: Site) -> None:
    async with site.running(seconds=0.1) as (rows, checkpoints):
        await until(lambda: sizes(site) == [1])
        await asyncio.sleep(0.3)
        assert sizes(site) == [1]
        await rows.append(MARK)
        await until(lambda: sizes(site) == [1, 2])
        assert await checkpoints.now() is None


# -- where to --------------------------------------------------------------------------------------


async def test_each_checkpoint_is_a_file_elsewhere(site: Site, tmp_path: Path) -> None:
    elsewhere = tmp_path / "mnt"
    elsewhere.mkdir()
    async with site.running(f"dir:{elsewhere}", rows=5) as (rows, _):
        for _ in range(3):
            await asyncio.gather(*(rows.append(MARK) for _ in range(5)))
            await until(lambda: len(list(elsewhere.rglob("*.checkpoint"))) == len(sizes(site)))
        await rows.append(MARK)
    (directory,) = elsewhere.iterdir()
    files = sorted(directory.iterdir())
    assert [int(file.stem) for file in files] == sizes(site)
    assert [file.read_text() for file in files] == [one.note for one in site.checkpoints()]
    notes = [file.read_text() for file in files]
    assert verify(site.store, anchors=notes).level is ProofLevel.ANCHORED


async def test_what_is_there_is_never_overwritten(site: Site, tmp_path: Path) -> None:
    elsewhere = tmp_path / "mnt"
    elsewhere.mkdir()
    async with site.running(f"dir:{elsewhere}") as (_, checkpoints):
        await checkpoints.now()
        await until(lambda: list(elsewhere.rglob("*.checkpoint")))
        (file,) = elsewhere.rglob("*.checkpoint")
        other = file.with_name(f"{2:020d}.checkpoint")
        other.write_text("something else")
        await checkpoints.rotate("yamada")
        await until(lambda: site.rows(Kind.CHECKPOINT_NOT_SHIPPED))
    assert other.read_text() == "something else"
    assert site.rows(Kind.CHECKPOINT_NOT_SHIPPED) == [{"destination": 1, "problem": "OTHER_THERE"}]


@asynccontextmanager
async def collector(answers: list[int]) -> AsyncIterator[tuple[str, list[str]]]:
    """Something that takes POSTs; it answers as told, then always with 201."""
    taken: list[str] = []

    async def on_post(request: web.Request) -> web.Response:
        status = answers.pop(0) if answers else 201
        if status == 201:
            taken.append(await request.text())
        return web.Response(status=status, headers={"Location": "/elsewhere"})

    app = web.Application()
    app.add_routes([web.post("/log", on_post)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        port = runner.addresses[0][1]
        yield f"http://127.0.0.1:{port}/log?token=s3cr3t", taken
    finally:
        await runner.cleanup()


async def test_a_collector_that_fails_gets_all_of_them_later(
    site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(checkpointing, "RETRY_S", 0.05)
    async with collector([503, 302]) as (url, taken):
        async with site.running(url) as (rows, checkpoints):
            await checkpoints.now()
            await until(lambda: site.number("checkpoints_not_shipped_total", destination="1"))
            await rows.append(MARK)
            await checkpoints.now()
            await until(lambda: site.rows(Kind.CHECKPOINT_SHIPPED))
            await checkpoints.now()
        assert taken == [one.note for one in site.checkpoints()]
    assert site.rows(Kind.CHECKPOINT_NOT_SHIPPED) == [{"destination": 1, "problem": "REFUSED"}]
    assert site.rows(Kind.CHECKPOINT_SHIPPED)[0]["destination"] == 1
    said = capsys.readouterr()
    assert "s3cr3t" not in said.out + said.err


async def test_a_collector_that_is_not_there_delays_no_row_and_not_the_end(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with site.running("http://127.0.0.1:1/log", rows=1) as (rows, _):
        async with asyncio.timeout(WITHIN_S):
            for _ in range(50):
                await rows.append(MARK)
            await until(lambda: site.rows(Kind.CHECKPOINT_NOT_SHIPPED))
    assert site.rows(Kind.CHECKPOINT_NOT_SHIPPED) == [{"destination": 1, "problem": "UNREACHABLE"}]


async def test_a_mount_that_hangs_delays_no_row_and_not_the_end(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = asyncio.Event()
    loop = asyncio.get_running_loop()

    def hang(*_: object) -> None:
        asyncio.run_coroutine_threadsafe(release.wait(), loop).result(WITHIN_S)

    monkeypatch.setattr(shipping, "SEND_S", 0.1)
    monkeypatch.setattr(shipping._Directory, "_write", hang)
    monkeypatch.setattr(checkpointing, "RETRY_S", 0.05)
    async with asyncio.timeout(WITHIN_S):
        async with site.running(f"dir:{tmp_path}", rows=1) as (rows, _):
            for _ in range(20):
                await rows.append(MARK)
            await until(lambda: site.rows(Kind.CHECKPOINT_NOT_SHIPPED))
    assert site.rows(Kind.CHECKPOINT_NOT_SHIPPED) == [{"destination": 1, "problem": "HANGS"}]
    release.set()
    await asyncio.sleep(0)


async def test_a_mount_that_is_not_there_is_not_made(site: Site, tmp_path: Path) -> None:
    async with site.running(f"dir:{tmp_path / 'mnt'}") as (_, checkpoints):
        await checkpoints.now()
        await until(lambda: site.rows(Kind.CHECKPOINT_NOT_SHIPPED))
    assert not (tmp_path / "mnt").exists()


async def test_standard_output_gets_one_line_each(
    site: Site, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    async with site.running("stdout") as (rows, checkpoints):
        await checkpoints.now()
        await rows.append(MARK)
    lines = [json.loads(line) for line in capfdbinary.readouterr().out.splitlines()]
    shipped = [line["checkpoint"] for line in lines if "checkpoint" in line]
    assert shipped == [one.note for one in site.checkpoints()]


async def test_a_log_that_is_not_what_was_shipped_is_refused_at_start(
    site: Site, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "mnt"
    elsewhere.mkdir()
    to = f"dir:{elsewhere}"
    async with site.running(to) as (rows, _):
        await rows.append(MARK)
    saved = (site.store / DATABASE).read_bytes()
    async with site.running(to) as (rows, _):
        await rows.append(MARK)
    (site.store / DATABASE).write_bytes(saved)  # an older copy, and nothing beside it
    (site.store / CHECKPOINT).unlink()
    (site.store / "audit.jsonl").unlink()
    with pytest.raises(BaseExceptionGroup) as caught:
        async with site.running(to):
            pytest.fail("the log is shorter than what was shipped")
    (error,) = caught.value.exceptions
    assert isinstance(error, LogBroken)
    assert "shorter than it was: the newest one at destination 1 counts 3 rows" in str(error)


# -- the key ---------------------------------------------------------------------------------------


async def test_a_rotation_is_a_row_a_file_and_a_checkpoint_of_both(
    site: Site, capfd: pytest.CaptureFixture[str]
) -> None:
    path = site.store / SIGNING_KEY
    async with site.running() as (_, checkpoints):
        secret = path.read_text()
        old = load_key(path).verifier
        new = await checkpoints.rotate("yamada")
        assert load_key(path).verifier == new != old
        (both,) = site.checkpoints()
        for key in (old, new):
            assert open_checkpoint(both.note, [key]).size == both.size
    async with site.running() as (rows, checkpoints):
        assert checkpoints.first_rows == ()
        await rows.append(MARK)
    assert verify(site.store, key=old).key == new.fingerprint
    assert len(parse_checkpoint(site.checkpoints()[-1].note)[1].signatures) == 1
    said = "".join(capfd.readouterr()) + str(site.rows(Kind.SIGNING_KEY_ROTATED))
    assert not any(one.split("+", 4)[4].strip() in said for one in (secret, path.read_text()))
    (row,) = site.rows(Kind.SIGNING_KEY_ROTATED)
    assert (row["earlier"], row["key"], row["role"]) == (str(old), str(new), "staff")


async def test_a_rotation_that_died_before_its_end_is_ended_at_start(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = site.store / SIGNING_KEY

    def died(_: Path) -> None:
        raise StoreUnavailable("died")

    async with site.running() as (_, checkpoints):
        with monkeypatch.context() as patch:
            patch.setattr(checkpointing, "take_over", died)
            with pytest.raises(StoreUnavailable, match="died"):
                await checkpoints.rotate("yamada")
    new = load_key(next_path(path)).verifier
    async with site.running():
        assert load_key(path).verifier == new
    assert verify(site.store).faults == []


async def test_who_stops_waiting_does_not_stop_a_rotation(site: Site) -> None:
    async with site.running() as (_, checkpoints):
        asked = asyncio.create_task(checkpoints.rotate("yamada"))
        await asyncio.sleep(0)
        asked.cancel()
        await until(lambda: sizes(site) == [2])
        again = await checkpoints.rotate("yamada")
    assert load_key(site.store / SIGNING_KEY).verifier == again
    assert verify(site.store, key=again).faults == []
    assert len(site.rows(Kind.SIGNING_KEY_ROTATED)) == 2


async def test_a_rotation_after_one_that_did_not_end_keeps_the_key_between(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def died(_: Path) -> None:
        raise StoreUnavailable("died")

    async with site.running() as (_, checkpoints):
        with monkeypatch.context() as patch:
            patch.setattr(checkpointing, "take_over", died)
            with pytest.raises(StoreUnavailable, match="died"):
                await checkpoints.rotate("yamada")
        between = load_key(next_path(site.store / SIGNING_KEY)).verifier
        with monkeypatch.context() as patch:
            patch.setattr(checkpointing, "take_over", died)
            with pytest.raises(StoreUnavailable, match="died"):
                await checkpoints.rotate("yamada")
        assert load_key(site.store / SIGNING_KEY).verifier == between
    async with site.running():
        pass
    assert verify(site.store).faults == []


async def test_a_rotation_whose_row_was_not_stored_changes_nothing(site: Site) -> None:
    path = site.store / SIGNING_KEY
    async with site.running():
        old = load_key(path).verifier
    create_key(next_path(path), old.name)
    async with site.running() as (_, checkpoints):
        assert load_key(path).verifier == old
        new = await checkpoints.rotate("yamada")
    assert load_key(path).verifier == new


async def test_another_key_in_its_place_is_refused_at_start(site: Site) -> None:
    path = site.store / SIGNING_KEY
    async with site.running():
        old = load_key(path).verifier
    path.unlink()
    create_key(path, old.name)
    with pytest.raises(BaseExceptionGroup) as caught:
        async with site.running():
            pytest.fail("the key is not the log's")
    (error,) = caught.value.exceptions
    assert "is not the key of this log" in str(error)
    assert old.fingerprint in str(error)


async def test_a_lost_key_is_refused_at_start_and_replaced_on_purpose(site: Site) -> None:
    path = site.store / SIGNING_KEY
    async with site.running():
        old = load_key(path).verifier
    path.unlink()
    with pytest.raises(BaseExceptionGroup) as caught:
        async with site.running():
            pytest.fail("the key is lost")
    assert "is not there" in str(caught.value.exceptions[0])
    new = replace_alone(site.settings(), "yamada")
    async with site.running():
        pass
    assert site.rows(Kind.SIGNING_KEY_SET)[1]["cause"] == "lost"
    assert verify(site.store, key=new).intact
    assert not verify(site.store, key=old).intact
    with pytest.raises(StoreUnavailable, match="a file already"):
        replace_alone(site.settings(), "yamada")


def test_without_a_service_the_key_is_made_rotated_and_used_with_the_lock(site: Site) -> None:
    chosen = site.settings()
    for work in (checkpoint_alone, lambda one: rotate_alone(one, "yamada")):
        with pytest.raises(StoreUnavailable, match="no store yet"):
            work(chosen)
    first = first_key(chosen)
    with pytest.raises(StoreUnavailable, match="has a key already"):
        first_key(chosen)
    second = rotate_alone(chosen, "yamada")
    checkpoint_alone(chosen)
    with StoreReader(site.store) as reader:
        assert key_chain(reader).vouched_by(first) == [first, second]
        assert sizes(site) == [1, 2]
    assert verify(site.store, key=first).faults == []
    assert [path.name for path in site.store.glob("signing.key*")] == [SIGNING_KEY]


def test_a_log_of_an_older_version_gets_its_key_with_the_first_checkpoint(site: Site) -> None:
    with StoreWriter.open(site.store) as writer:
        writer.commit([MARK])
    with pytest.raises(StoreUnavailable, match="no key yet"):
        replace_alone(site.settings(), "yamada")
    checkpoint_alone(site.settings())
    assert sizes(site) == [2]


# -- over the control socket -----------------------------------------------------------------------


async def test_commands_ask_the_running_service(tmp_path: Path) -> None:
    serving = Serving(write_config(tmp_path))
    store = tmp_path / "store"

    async def run(*args: str) -> dict[str, Any]:
        command = [*args, "--json", "--config", str(serving.config)]
        result = await asyncio.to_thread(CliRunner().invoke, audit.app, command)
        assert result.exit_code == 0, (result.output, result.exception)
        text = result.stdout  # and what the service logs meanwhile, in the same process
        said: dict[str, Any] = json.JSONDecoder().raw_decode(text[text.index("{") :])[0]
        return said

    async with serving.running():
        made = await run("checkpoint", "now")
        assert made["size"] == len(serving.rows())
        before = await run("key", "show")
        after = await run("key", "rotate")
        assert (await run("key", "show"))["key"] == after["key"] != before["key"]
    (row,) = [row for row in serving.rows() if row["kind"] == "signing_key_rotated"]
    assert row["actor"].startswith("y-")
    assert "commit.user" in row["detail"]
    verdict = verify(store, key=parse_verifier_key(before["key"]))
    assert (verdict.faults, verdict.signed_rows) == ([], verdict.rows)
    assert serving.rows()[-1]["kind"] == "service_stopped"
