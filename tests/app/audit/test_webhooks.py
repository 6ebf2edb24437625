"""Rows on their way to a real HTTP server on this host, which dies, refuses, hangs and lies."""

from __future__ import annotations

import asyncio
import os
import ssl
import subprocess
import time
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web

from app.serving import Serving, write_config, write_whole
from asterisk_compliance.app.audit import webhooks
from asterisk_compliance.app.audit.metered_log import MeteredLog
from asterisk_compliance.app.audit.webhooks import Webhooks
from asterisk_compliance.app.shared.metrics import Metrics
from asterisk_compliance.app.shared.troubles import Trouble
from asterisk_compliance.config.audit import WebhookSettings
from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.domain.audit.webhook_signature import check, read_secret
from asterisk_compliance.errors import WebhookRefused
from asterisk_compliance.storage.feeds.positions import load_position, save_position
from asterisk_compliance.storage.log.audit_log import AuditLogStore
from asterisk_compliance.storage.log.reader import StoreReader
from sample_rows import a_call, draft

WITHIN_S = 10.0
SECRET = "whsec_" + b64encode(bytes(range(32))).decode()
OTHER_SECRET = "whsec_" + b64encode(bytes(32)).decode()


@pytest.fixture(autouse=True)
def _soon(monkeypatch):
    monkeypatch.setattr(webhooks, "FIRST_RETRY_S", 0.02)
    monkeypatch.setattr(webhooks, "SAVE_S", 0.05)


async def until(holds: Any) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not holds():  # noqa: ASYNC110 - of another task, or of a file
            await asyncio.sleep(0.01)


class Receiver:
    """Somebody else's server.

    Attributes:
        requests: Headers and body of each, in the order in which they came.
        paths: Where each came to.
        rows: What was taken: each row once, by its number.
        answer: Status of the next answers; a path is a redirect there; ``None`` is none at all.
    """

    def __init__(self) -> None:
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.paths: list[str] = []
        self.rows: dict[int, bytes] = {}
        self.order: list[int] = []
        self.answer: int | str | None = 204
        self.port = 0
        self.tls: Any = None
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self.port}/rows"

    async def start(self) -> None:
        app = web.Application()
        app.router.add_post("/{path}", self._take)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, ssl_context=self.tls)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def kill(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Receiver]:
        await self.start()
        try:
            yield self
        finally:
            await self.kill()

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.requests.append((dict(request.headers), body))
        self.paths.append(request.path)
        match self.answer:
            case None:
                await asyncio.sleep(WITHIN_S)
                raise AssertionError("unreachable: nobody waits that long")
            case str() as place:
                return web.Response(status=307, headers={"Location": place})
            case int() as status:
                if 200 <= status < 300:
                    for line in body.splitlines():
                        seq = msgspec.json.decode(line)["seq"]
                        self.rows[seq] = line
                        self.order.append(seq)
                return web.Response(status=status)


class Site:
    """A log, its owner, and what is sent of it."""

    def __init__(self, home: Path) -> None:
        self.store = home / "store"
        self.metrics = Metrics()
        self.secret = home / "webhook.secret"
        self.secret.write_text(SECRET)

    def settings(self, receiver: Receiver, **changed: Any) -> WebhookSettings:
        given = {"name": "crm", "url": receiver.url, "secret_file": self.secret}
        return WebhookSettings.model_validate(given | {"retry_max_s": 0.05} | changed)

    @asynccontextmanager
    async def running(self, *settings: WebhookSettings) -> AsyncIterator[tuple[Any, Webhooks]]:
        log = await AuditLogStore.open(self.store)
        rows = MeteredLog(log, self.metrics)
        sending = Webhooks(self.store, rows, self.metrics)
        task = asyncio.create_task(sending.run(settings))
        try:
            yield rows, sending
            assert not task.done(), task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await log.close()

    def stored(self) -> dict[int, bytes]:
        with StoreReader(self.store) as reader:
            return {row.seq: row.data for row in reader.rows()}

    def number(self, name: str) -> float:
        found = self.metrics.registry.get_sample_value(f"compliance_{name}", {"webhook": "crm"})
        return found or 0.0


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver().running() as running:
        yield running


async def append(rows: MeteredLog, count: int, kind: Kind = Kind.MARK) -> None:
    for number in range(count):
        await rows.append(draft(kind, a_call(number), detail={"n": number}))


# -- what is sent ----------------------------------------------------------------------------------


async def test_every_row_arrives_once_in_order_and_byte_for_byte(site, receiver):
    async with site.running() as (rows, _):
        await append(rows, 7)  # before there was a receiver
    async with site.running(site.settings(receiver, rows_max=3)) as (rows, _):
        await append(rows, 10)
        await until(lambda: len(receiver.rows) == 17)
        await until(lambda: site.number("webhook_behind_seconds") == 0)
        assert receiver.rows == site.stored()
        assert receiver.order == sorted(receiver.order)
        assert max(body.count(b"\n") for _, body in receiver.requests) == 3
        assert site.number("webhook_rows_total") == 17
        assert site.number("webhook_failures_total") == 0
        assert site.number("webhook_behind_rows") == 0


async def test_a_message_verifies_without_any_code_of_ours(site, receiver):
    async with site.running(site.settings(receiver)) as (rows, _):
        await append(rows, 1)
        await until(lambda: receiver.rows)
    headers, body = receiver.requests[0]
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key = f"hexkey:{b64decode(SECRET.removeprefix('whsec_')).hex()}"
    command = ["openssl", "dgst", "-sha256", "-mac", "HMAC", "-macopt", key, "-binary"]
    run = partial(subprocess.run, command, input=signed, check=True, capture_output=True)
    digest = (await asyncio.to_thread(run)).stdout
    assert headers["webhook-signature"] == f"v1,{b64encode(digest).decode()}"
    assert abs(time.time() - int(headers["webhook-timestamp"])) < WITHIN_S
    assert headers["Content-Type"] == "application/x-ndjson"


async def test_only_the_kinds_that_were_asked_for_arrive(site, receiver):
    chosen = site.settings(receiver, kinds=["decision", "recording_sealed"])
    async with site.running(chosen) as (rows, _):
        for kind in (Kind.MARK, Kind.DECISION, Kind.MARK, Kind.RECORDING_SEALED, Kind.MARK):
            await append(rows, 1, kind)
        await until(lambda: len(receiver.rows) == 2)
        await until(lambda: site.number("webhook_behind_rows") == 0)
        kinds = [msgspec.json.decode(row)["kind"] for row in receiver.rows.values()]
        assert kinds == ["decision", "recording_sealed"]
        assert site.number("webhook_rows_total") == 2


async def test_who_wants_nothing_of_the_past_says_where_to_begin(site, receiver):
    async with site.running() as (rows, _):
        await append(rows, 5)
    async with site.running(site.settings(receiver, first_seq=3)) as (rows, _):
        await append(rows, 1)
        await until(lambda: 5 in receiver.rows)
    assert receiver.order == [3, 4, 5]


# -- when the receiver does not take it ------------------------------------------------------------


@pytest.mark.parametrize("answer", [500, 404, 429, 304, "/elsewhere"])
async def test_what_is_refused_is_sent_again_until_it_is_taken(site, receiver, answer):
    receiver.answer = answer
    async with site.running(site.settings(receiver)) as (rows, _):
        await append(rows, 1)
        await until(lambda: len(receiver.requests) >= 3)
        receiver.answer = 200
        await until(lambda: site.number("webhook_rows_total") == 1)
    assert receiver.order == [0]
    assert len({headers["webhook-id"] for headers, _ in receiver.requests}) == 1
    assert len({body for _, body in receiver.requests}) == 1
    assert site.number("webhook_failures_total") == len(receiver.requests) - 1


async def test_a_redirect_is_not_followed(site, receiver):
    receiver.answer = "/elsewhere"
    async with site.running(site.settings(receiver)) as (rows, _):
        await append(rows, 1)
        await until(lambda: len(receiver.requests) >= 3)
    assert set(receiver.paths) == {"/rows"}


async def test_a_receiver_that_was_down_gets_what_it_missed(site):
    receiver = Receiver()
    async with receiver.running():
        pass  # the port is known; nobody listens there
    async with site.running(site.settings(receiver)) as (rows, _):
        await append(rows, 3)
        await until(lambda: site.number("webhook_failures_total") >= 2)
        async with receiver.running():
            await until(lambda: len(receiver.rows) == 3)
        await append(rows, 3)
        failed = site.number("webhook_failures_total")
        await until(lambda: site.number("webhook_failures_total") > failed)
        async with receiver.running():
            await until(lambda: len(receiver.rows) == 6)
    assert receiver.rows == site.stored()
    assert receiver.order == sorted(receiver.order)


async def test_a_receiver_that_hangs_is_given_up_in_time_and_delays_no_row(site, receiver):
    receiver.answer = None
    async with site.running(site.settings(receiver, request_s=0.1)) as (rows, _):
        await append(rows, 1)
        await until(lambda: len(receiver.requests) == 1)
        async with asyncio.timeout(WITHIN_S):
            await append(rows, 50)  # each is durable while the message hangs
        await until(lambda: site.number("webhook_failures_total") >= 2)
        receiver.answer = 200
        await until(lambda: len(receiver.rows) == 51)


async def test_new_rows_do_not_hammer_a_receiver_that_is_down(site, receiver, monkeypatch):
    receiver.answer = 503
    monkeypatch.setattr(webhooks.Backoff, "delay_s", lambda *_: 30.0)
    async with site.running(site.settings(receiver)) as (rows, _):
        await append(rows, 1)
        await until(lambda: site.number("webhook_failures_total") == 1)
        await append(rows, 30)
        await asyncio.sleep(0.1)
        assert len(receiver.requests) == 1


async def test_a_receiver_that_is_behind_for_too_long_is_a_trouble(site, receiver):
    receiver.answer = 500
    async with site.running(site.settings(receiver, behind_s=1)) as (rows, sending):
        await append(rows, 2)
        await until(lambda: site.number("webhook_behind_rows") == 2)
        assert list(sending.troubles) == []
        await until(lambda: list(sending.troubles))
        (found,) = sending.troubles
        assert (found.trouble, str(found)) == (Trouble.WEBHOOK_BEHIND, "WEBHOOK_BEHIND crm")
        assert site.number("webhook_behind_seconds") > 1
        receiver.answer = 200
        await until(lambda: not list(sending.troubles))
        assert site.number("webhook_behind_rows") == 0


async def test_one_receiver_does_not_wait_for_another(site, receiver):
    async with Receiver().running() as dead:
        dead.answer = None
        settings = [site.settings(dead, name="dead"), site.settings(receiver)]
        async with site.running(*settings) as (rows, _):
            await append(rows, 3)
            await until(lambda: len(receiver.rows) == 3)


# -- over a restart --------------------------------------------------------------------------------


async def test_after_a_restart_it_goes_on_where_it_was(site, receiver):
    settings = site.settings(receiver)
    async with site.running(settings) as (rows, _):
        await append(rows, 4)
        await until(lambda: load_position(site.store, "crm", _log_of(site)) == 4)
    receiver.order.clear()
    async with site.running(settings) as (rows, _):
        await append(rows, 2)
        await until(lambda: len(receiver.rows) == 6)
    assert receiver.order == [4, 5]
    assert (site.store / "webhooks").stat().st_mode & 0o777 == 0o700
    assert (site.store / "webhooks/crm.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("left", [None, b"", b"{", b'{"log":"log-other","next_seq":3}'])
async def test_who_has_lost_the_position_sends_again_and_seq_tells(site, receiver, left):
    async with site.running(site.settings(receiver)) as (rows, _):
        await append(rows, 3)
        await until(lambda: load_position(site.store, "crm", _log_of(site)) == 3)
    position = site.store / "webhooks/crm.json"
    position.unlink() if left is None else position.write_bytes(left)
    async with site.running(site.settings(receiver)) as (rows, _):
        await append(rows, 1)
        await until(lambda: 3 in receiver.rows)
    assert receiver.order == [0, 1, 2, 0, 1, 2, 3]
    assert receiver.rows == site.stored()


async def test_a_position_that_cannot_be_kept_stops_nothing_and_is_said_once(
    site, receiver, capsys
):
    async with site.running() as (rows, _):
        await append(rows, 1)
    (site.store / f"webhooks/.crm.json.{os.getpid()}.tmp").mkdir(parents=True)  # in the way
    async with site.running(site.settings(receiver)) as (rows, _):
        for count in (2, 3, 4):
            await append(rows, 1)
            await until(lambda: len(receiver.rows) == count)  # noqa: B023
            await asyncio.sleep(2 * webhooks.SAVE_S)
    assert "".join(capsys.readouterr()).count("webhook_position_not_kept") == 1


async def test_a_position_is_that_of_one_log_and_one_receiver(tmp_path):
    save_position(tmp_path, "crm", "log-1", 7)
    assert load_position(tmp_path, "crm", "log-1") == 7
    assert load_position(tmp_path, "crm", "log-2") is None
    assert load_position(tmp_path, "other", "log-1") is None


async def test_the_service_sends_and_a_reload_changes_where_to(tmp_path, receiver):
    config = write_config(tmp_path)
    (tmp_path / "one").write_text(SECRET)
    (tmp_path / "two").write_text(f"{SECRET}\n{OTHER_SECRET}\n")
    without = config.read_text()
    table = '\n[[webhook]]\nname = "crm"\nurl = "{url}"\nsecret_file = "{secret}"\n'
    serving = Serving(write_whole(config, without + _table(table, receiver.url, tmp_path / "one")))
    async with Receiver().running() as other, serving.running():
        await until(lambda: "service_started" in _kinds(receiver))
        write_whole(config, without + _table(table, other.url, tmp_path / "two"))
        for count in (2, 3):  # what says so still goes to the old one
            serving.reload.set()
            await until(lambda: len(serving.details("config_loaded")) == count)  # noqa: B023
        await until(lambda: "config_loaded" in _kinds(other))
        assert other.requests[-1][0]["webhook-signature"].count("v1,") == 2
        assert min(other.rows) > max(receiver.rows), "what was taken is known, wherever it went"
        write_whole(config, without)
        serving.reload.set()
        await until(lambda: not list(serving.service._webhooks._couriers))
        families = serving.service._metrics.registry.collect()
        assert not [one for f in families if "behind" in f.name for one in f.samples]
    headers, body = receiver.requests[0]
    check([read_secret(SECRET)], headers, body, now_s=time.time(), tolerance_s=60)
    with pytest.raises(WebhookRefused):
        check([read_secret(OTHER_SECRET)], headers, body, now_s=time.time(), tolerance_s=60)


def _table(text: str, url: str, secret: Path) -> str:
    return text.format(url=url, secret=secret)


def _kinds(receiver: Receiver) -> list[str]:
    return [msgspec.json.decode(row)["kind"] for row in receiver.rows.values()]


def _log_of(site: Site) -> str:
    with StoreReader(site.store) as reader:
        return reader.log()


# -- who it is -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """Of 127.0.0.1, by nobody that anybody trusts."""
    home = tmp_path_factory.mktemp("tls")
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
    named = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(home / "key.pem"), "-out", str(home / "cert.pem")]
    subprocess.run([*command.split(), *named, *files], check=True, capture_output=True)
    return home


async def test_a_receiver_that_cannot_prove_who_it_is_gets_nothing(site, certificate):
    receiver = Receiver()
    receiver.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    receiver.tls.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    async with receiver.running():
        trusting = site.settings(receiver, ca_file=certificate / "cert.pem")
        async with site.running(site.settings(receiver)) as (rows, sending):
            await append(rows, 1)
            await until(lambda: site.number("webhook_failures_total") >= 2)
            assert receiver.requests == []
            await sending.apply([trusting])
            await until(lambda: len(receiver.rows) == 1)
