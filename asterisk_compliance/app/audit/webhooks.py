"""Sends rows to receivers by HTTP: signed, in order, at least once, as long as it takes.

Nothing waits in memory: each receiver reads the log from where it is, so one that is slow or away
costs nothing but a number, which is kept beside the log. After a crash that number may be a second
old, and a few rows are sent again: ``seq`` tells a receiver which ones.

A message is some rows, byte for byte as they were hashed, one a line. It is sent until it is taken;
the next one waits.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import ssl
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Self

import aiohttp
import msgspec
import structlog

from asterisk_compliance.app.audit.metered_log import MeteredLog
from asterisk_compliance.app.shared.http_post import NotShipped, post
from asterisk_compliance.app.shared.metrics import Metrics
from asterisk_compliance.app.shared.troubles import HealthTrouble, Trouble
from asterisk_compliance.asterisk.backoff import Backoff
from asterisk_compliance.config.settings import WebhookSettings
from asterisk_compliance.domain.audit.webhook_signature import sign
from asterisk_compliance.errors import StoreError
from asterisk_compliance.storage.feeds.positions import load_position, save_position
from asterisk_compliance.storage.log.reader import RowQuery, StoredRow, StoreReader
from asterisk_compliance.version import __version__

READ_ROWS = 1_000
SAVE_S = 1.0
"""A position is written at most so often; what was sent since is sent again after a crash."""
FIRST_RETRY_S = 1.0

HEADERS = {
    "Content-Type": "application/x-ndjson",
    "User-Agent": f"asterisk-compliance/{__version__}",
}

log = structlog.get_logger()


class _Kind(msgspec.Struct):
    kind: str


_kind_of = msgspec.json.Decoder(_Kind)


@dataclass(frozen=True, slots=True)
class Receiver:
    """One ``[[webhook]]``, with what its files hold."""

    settings: WebhookSettings
    secrets: tuple[bytes, ...] = field(repr=False)
    tls: ssl.SSLContext

    @classmethod
    def of(cls, settings: WebhookSettings) -> Self:
        """Read its files.

        Raises:
            ValueError, OSError: one of them is not right any more; it was when it was loaded.
        """
        return cls(settings, settings.secrets(), settings.tls())


class Message(NamedTuple):
    """Rows that are sent together, and the first row that is not among them."""

    rows: tuple[StoredRow, ...]
    next_seq: int

    @property
    def body(self) -> bytes:
        return b"".join(row.data + b"\n" for row in self.rows)


class Webhooks:
    """All receivers. Make it, then :meth:`run` it in a task."""

    def __init__(self, store: Path, rows: MeteredLog, metrics: Metrics) -> None:
        self._store = store
        self._rows = rows
        self._metrics = metrics
        self._couriers: dict[str, WebhookSender] = {}
        self._tasks: asyncio.TaskGroup | None = None
        rows.on_commit(lambda _: self._wake())

    async def run(self, settings: Sequence[WebhookSettings]) -> None:
        """Send until cancelled; a receiver cannot end it."""
        async with asyncio.TaskGroup() as self._tasks:
            await self.apply(settings)
            await asyncio.Event().wait()

    async def apply(self, settings: Sequence[WebhookSettings]) -> None:
        """Have these receivers from now on; one that fails is tried at once."""
        assert self._tasks is not None
        for name in self._couriers.keys() - {one.name for one in settings}:
            self._couriers.pop(name).end()
        for one in settings:
            try:
                receiver = await asyncio.to_thread(Receiver.of, one)
            except (ValueError, OSError) as error:
                log.error("webhook_unusable", webhook=one.name, why=str(error))
                continue
            courier = self._couriers.get(one.name)
            if courier is None:
                courier = WebhookSender(receiver, self._store, self._rows, self._metrics)
                self._couriers[one.name] = courier
                self._tasks.create_task(courier.run())
            else:
                courier.exchange(receiver)

    @property
    def troubles(self) -> Iterator[HealthTrouble]:
        """Receivers that have not had all rows for too long."""
        for name, courier in self._couriers.items():
            if courier.behind_s > courier.receiver.settings.behind_s:
                yield HealthTrouble(Trouble.WEBHOOK_BEHIND, place=name)

    def _wake(self) -> None:
        for courier in self._couriers.values():
            courier.wake.set()


class WebhookSender:
    """One receiver: how far it has come, and when it is tried again.

    Attributes:
        receiver: As it is configured now.
        wake: There may be a new row.
    """

    def __init__(self, receiver: Receiver, store: Path, rows: MeteredLog, metrics: Metrics) -> None:
        self.receiver = receiver
        self.wake = asyncio.Event()
        self._name = receiver.settings.name
        self._store = store
        self._rows = rows
        self._log_id = ""
        self._next: int | None = None
        self._saved = 0
        self._saved_s = 0.0
        self._keeps = True
        self._since_s: float | None = time.monotonic()
        self._failing = ""
        self._attempt = 0
        self._message: Message | None = None
        self._ended = False
        self._hurry = asyncio.Event()
        self._delivered = metrics.webhook_rows[self._name,]
        self._failures = metrics.webhook_failures[self._name,]
        self._gauges = (metrics.webhook_behind_rows, metrics.webhook_behind_s)
        self._gauges[0].labels(self._name).set_function(lambda: self.behind_rows)
        self._gauges[1].labels(self._name).set_function(lambda: self.behind_s)
        self._log = log.bind(webhook=self._name)

    @property
    def behind_s(self) -> float:
        """For how long it has not had all rows, as far as this life of the service tells."""
        return 0.0 if self._since_s is None else time.monotonic() - self._since_s

    @property
    def behind_rows(self) -> int:
        return 0 if self._next is None else max(0, self._rows.size - self._next)

    def exchange(self, receiver: Receiver) -> None:
        """Send there from now on, and without waiting for the next attempt."""
        self.receiver = receiver
        self._message = None
        self._attempt = 0
        self._hurry.set()
        self.wake.set()

    def end(self) -> None:
        """It is configured no more; what it has taken stays known."""
        self._ended = True
        self._hurry.set()
        self.wake.set()
        for gauge in self._gauges:
            gauge.remove(self._name)

    async def run(self) -> None:
        """Send what it has not taken, until :meth:`end`."""
        jar = aiohttp.DummyCookieJar()  # whatever it answers, nothing is kept
        async with aiohttp.ClientSession(cookie_jar=jar) as session:
            while not self._ended:
                self.wake.clear()
                self._hurry.clear()
                if await self._sent_all(session):
                    self._attempt = 0
                    await self._until_woken()
                else:
                    await self._until_next_attempt()
        await self._save()

    async def _sent_all(self, session: aiohttp.ClientSession) -> bool:
        """Send, message by message; whether it has everything now."""
        try:
            if self._next is None:
                self._next = await asyncio.to_thread(self._begin)
            while not self._ended:
                message = self._message or await asyncio.to_thread(self._waiting)
                self._message = message
                if message is None:
                    self._since_s = None
                    return True
                self._is_behind()
                if message.rows:
                    await self._send(session, message)
                self._next, self._message = message.next_seq, None
                if time.monotonic() - self._saved_s >= SAVE_S:
                    await self._save()
        except NotShipped as error:
            self._failures.inc()
            self._fails(f"{error.why} {error.status or ''}".strip())
        except StoreError as error:
            self._fails(str(error))
        except Exception:  # noqa: BLE001 - a defect here must not end the calls
            self._is_behind()
            self._log.exception("webhook_failed")
        return False

    async def _send(self, session: aiohttp.ClientSession, message: Message) -> None:
        receiver, settings, body = self.receiver, self.receiver.settings, message.body
        digest = hashlib.sha256(body).hexdigest()[:16]
        message_id = f"{message.rows[0].seq}-{message.rows[-1].seq}-{digest}"
        signed = sign(receiver.secrets, message_id, int(time.time()), body)
        await post(
            session,
            settings.url,
            body,
            HEADERS | signed,
            within_s=settings.request_s,
            tls=receiver.tls,
        )
        self._delivered.inc(len(message.rows))
        self._attempt = 0
        if self._failing:
            self._failing = ""
            self._log.info("webhook_well_again", seq=message.rows[-1].seq)

    def _is_behind(self) -> None:
        if self._since_s is None:
            self._since_s = time.monotonic()

    def _fails(self, why: str) -> None:
        self._is_behind()
        if why != self._failing:
            self._failing = why
            self._log.warning("webhook_fails", why=why, next_seq=self._next)

    async def _until_woken(self) -> None:
        unsaved = self._next is not None and self._next != self._saved
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SAVE_S if unsaved else None):
                await self.wake.wait()
                return
        await self._save()

    async def _until_next_attempt(self) -> None:
        """New rows do not shorten it: a receiver that is down is not to be hammered."""
        backoff = Backoff(FIRST_RETRY_S, self.receiver.settings.retry_max_s)
        delay_s = backoff.delay_s(self._attempt)
        self._attempt += 1
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(delay_s):
                await self._hurry.wait()

    def _begin(self) -> int:
        with StoreReader(self._store) as reader:
            self._log_id = reader.log()
        known = load_position(self._store, self._name, self._log_id)
        self._saved = 0 if known is None else known
        return max(self._saved, self.receiver.settings.first_seq)

    def _waiting(self) -> Message | None:
        """The next message; ``None`` if there is no row that it has not taken."""
        assert self._next is not None
        with StoreReader(self._store) as reader:
            found = list(reader.rows(RowQuery(first_seq=self._next, limit=READ_ROWS)))
        if not found:
            return None
        settings = self.receiver.settings
        wanted = [row for row in found if not settings.kinds or _is_one_of(row, settings.kinds)]
        rows = tuple(wanted[: settings.rows_max])
        whole = len(rows) == len(wanted)
        return Message(rows, (found if whole else rows)[-1].seq + 1)

    async def _save(self) -> None:
        if self._next is None or self._next == self._saved:
            return
        next_seq, self._saved_s = self._next, time.monotonic()
        try:
            await asyncio.to_thread(save_position, self._store, self._name, self._log_id, next_seq)
        except StoreError as error:
            if self._keeps:
                self._log.warning("webhook_position_not_kept", why=str(error))
            self._keeps = False
        else:
            self._saved, self._keeps = next_seq, True


def _is_one_of(row: StoredRow, kinds: Sequence[str]) -> bool:
    """What cannot be read is sent too: whoever gets it sees that it is no row."""
    try:
        return _kind_of.decode(row.data).kind in kinds
    except msgspec.MsgspecError:
        return True
