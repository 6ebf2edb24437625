"""Signs the head of the log from time to time, and ships what it signed.

A row never waits for a signature: one is made between two transactions, after every so many rows
or seconds, and at the end. A destination that fails has a row when it begins to fail and one when
it is well again; meanwhile checkpoints wait in the store.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any, Self

import structlog

from asterisk_compliance.app.audit.checkpoint_shipping import CheckpointDestination, destination
from asterisk_compliance.app.audit.metered_log import MeteredLog
from asterisk_compliance.app.audit.signing_keys import own_key, prepare_rotation, signing
from asterisk_compliance.app.shared.control_socket import SocketPeer, Verb
from asterisk_compliance.app.shared.http_post import NotShipped, Obstacle
from asterisk_compliance.app.shared.metrics import Metrics
from asterisk_compliance.app.shared.outcomes import ignore_outcome
from asterisk_compliance.clock import unix_ms
from asterisk_compliance.config.consistency import SERVICE_NODE
from asterisk_compliance.config.settings import AuditSettings, Settings
from asterisk_compliance.domain.audit.checkpoint import parse_checkpoint
from asterisk_compliance.domain.audit.rows import Draft, Kind
from asterisk_compliance.domain.audit.signed_note import SignerKey, VerifierKey
from asterisk_compliance.errors import LogBroken, StoreError, StoreUnavailable
from asterisk_compliance.ids import NodeName
from asterisk_compliance.storage.log.audit_log import AuditLogStore
from asterisk_compliance.storage.log.checkpoints import StoredCheckpoint, check_note, keep_beside
from asterisk_compliance.storage.log.reader import StoreReader
from asterisk_compliance.storage.proofs.prover import listed, newest
from asterisk_compliance.storage.proofs.signing_key import take_over

RETRY_S = 30.0
AT_ONCE = 1_000
"""Checkpoints that are read from the store in one go for a destination that was away."""
LAST_S = 5.0
"""So long the end of the service waits for the last checkpoint to arrive everywhere."""

log = structlog.get_logger()


class Checkpointing:
    """Owner of the signing key while the service runs. Open it, begin, close it.

    Attributes:
        first_rows: What names the key, if the log does not name it yet; for the caller to write.
    """

    def __init__(
        self,
        settings: AuditSettings,
        audit: AuditLogStore,
        rows: MeteredLog,
        metrics: Metrics,
        key: SignerKey,
    ) -> None:
        self.first_rows: tuple[Draft, ...] = ()
        self._settings = settings
        self._audit = audit
        self._metrics = metrics
        self._signers: tuple[SignerKey, ...] = (key,)
        self._turn = asyncio.Lock()
        self._due = asyncio.Event()
        self._since = 0
        self._shippers = [
            CheckpointShipper(number, destination(text), audit.log, settings, rows, metrics)
            for number, text in enumerate(settings.checkpoints_to, 1)
        ]
        audit.on_commit(lambda stored: self._count(len(stored)))

    @classmethod
    async def open(
        cls, settings: Settings, audit: AuditLogStore, rows: MeteredLog, metrics: Metrics
    ) -> Self:
        """Find or make the key, and compare the log with what was shipped, where we can read it.

        Raises:
            StoreUnavailable: as :func:`~asterisk_compliance.app.audit.signing_keys.own_key`.
            LogBroken: a checkpoint that was shipped says something else than the log.
        """
        key, first_rows = await asyncio.to_thread(own_key, settings, audit.log)
        made = cls(settings.audit, audit, rows, metrics, key)
        made.first_rows = first_rows
        for shipper in made._shippers:
            await shipper.compare()
        return made

    def begin(self, tasks: asyncio.TaskGroup) -> None:
        """Sign when it is time, and ship, in tasks of the caller's group, until :meth:`close`."""
        self._shipping = [tasks.create_task(one.run()) for one in self._shippers]
        self._signing = tasks.create_task(self._sign_in_time())

    async def now(self) -> StoredCheckpoint | None:
        """Sign the head; ``None`` if the newest checkpoint covers all rows already.

        Raises:
            StoreError: it could not be stored.
        """
        async with self._turn:
            return await self._sign()

    async def rotate(self, user: str) -> VerifierKey:
        """Hand the log over to a new key, in the name of ``user``.

        Who stops waiting does not stop it: half of a handover is none.

        Raises:
            StoreError: the key cannot be written, or the row not be stored; the old one signs on.
        """
        self._rotation = asyncio.create_task(self._rotate(user))
        return await asyncio.shield(self._rotation)

    async def _rotate(self, user: str) -> VerifierKey:
        path = self._settings.key_path
        async with self._turn:
            old = self._signers[0]
            new, row = await asyncio.to_thread(prepare_rotation, path, old, user)
            await self._audit.append(row)
            self._signers = (new, old)  # the first checkpoint after it bears both names
            await asyncio.to_thread(take_over, path)
            await self._sign()
            self._signers = (new,)
        return new.verifier

    def verbs(self) -> dict[str, Verb]:
        """What commands may ask over the control socket."""

        async def checkpoint(_peer: SocketPeer, _arguments: Mapping[str, str]) -> Mapping[str, Any]:
            await self.now()
            return {}

        async def rotate_key(peer: SocketPeer, _arguments: Mapping[str, str]) -> Mapping[str, Any]:
            return {"key": str(await self.rotate(peer.user))}

        return {"checkpoint": checkpoint, "rotate-key": rotate_key}

    async def close(self) -> None:
        """Sign the head for the last time, and give it a moment to arrive everywhere."""
        self._signing.cancel()
        try:
            await self.now()
        except StoreError as error:
            log.error("checkpoint_not_signed", why=str(error))
        for shipper in self._shippers:
            shipper.finish()
        if self._shipping:
            _, late = await asyncio.wait(self._shipping, timeout=LAST_S)
            for way in late:
                way.cancel()

    async def _sign_in_time(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._settings.checkpoint_s):
                    await self._due.wait()
            self._due.clear()
            try:
                await self.now()
            except StoreError as error:
                log.error("checkpoint_not_signed", why=str(error))

    async def _sign(self) -> StoredCheckpoint | None:
        self._since = 0
        made = await self._audit.checkpoint(signing(*self._signers))
        if made is None:
            return None
        self._metrics.checkpoints.inc()
        self._metrics.signed_rows.set(made.size)
        try:
            await asyncio.to_thread(keep_beside, self._settings.store, made.note)
        except OSError as error:
            log.warning("checkpoint_not_beside", why=error.strerror)
        for shipper in self._shippers:
            shipper.wake.set()
        return made

    def _count(self, rows: int) -> None:
        self._since += rows
        if self._since >= self._settings.checkpoint_rows:
            self._due.set()


class CheckpointShipper:
    """One destination: what it has, and whether it is well."""

    def __init__(
        self,
        number: int,
        place: CheckpointDestination,
        name: str,
        settings: AuditSettings,
        rows: MeteredLog,
        metrics: Metrics,
    ) -> None:
        self.wake = asyncio.Event()
        self._number = number
        self._place = place
        self._log = name
        self._store = settings.store
        self._rows = rows
        self._failures = metrics.not_shipped[str(number),]
        self._sent = -1
        self._well = True
        self._finishing = asyncio.Event()

    async def compare(self) -> None:
        """See whether the log is still what was shipped, and begin with its newest checkpoint."""
        try:
            note = await self._place.newest(self._log)
        except NotShipped as error:
            log.warning("shipped_checkpoints_not_read", number=self._number, why=error.why)
            note = None
        if note is not None:
            await asyncio.to_thread(self._check, note)
        found = await asyncio.to_thread(self._newest)
        self._sent = found.size - 1 if found else -1
        self.wake.set()

    async def run(self) -> None:
        """Send what is signed, until :meth:`finish`."""
        while True:
            await self.wake.wait()
            self.wake.clear()
            finishing = self._finishing.is_set()
            arrived = await self._send_all()
            if finishing:
                return
            if not arrived:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(RETRY_S):
                        await self._finishing.wait()
                self.wake.set()

    def finish(self) -> None:
        """Try for the last time."""
        self._finishing.set()
        self.wake.set()

    async def _send_all(self) -> bool:
        """Send what is not there yet, in order; whether all of it arrived."""
        try:
            while waiting := await asyncio.to_thread(self._waiting):
                for checkpoint in waiting:
                    await self._place.send(self._log, checkpoint)
                    self._sent = checkpoint.size
                    self._is_well(checkpoint.size)
        except NotShipped as error:
            self._fails(error.why)
            return False
        except StoreError as error:
            log.error("checkpoints_not_read", why=str(error))
            return False
        return True

    def _newest(self) -> StoredCheckpoint | None:
        with StoreReader(self._store) as reader:
            return newest(reader)

    def _waiting(self) -> list[StoredCheckpoint]:
        with StoreReader(self._store) as reader:
            return listed(reader, after=self._sent, limit=AT_ONCE)

    def _check(self, note: str) -> None:
        try:
            parse_checkpoint(note)
        except ValueError:
            raise LogBroken(
                f"what was shipped to destination {self._number} is no checkpoint"
            ) from None
        with StoreReader(self._store) as reader:
            check_note(reader.connection, note, f"the newest one at destination {self._number}")

    def _fails(self, why: Obstacle) -> None:
        self._failures.inc()
        log.warning("checkpoint_not_shipped", number=self._number, why=why)
        if self._well:
            self._well = False
            self._say(
                Draft(
                    Kind.CHECKPOINT_NOT_SHIPPED,
                    unix_ms(),
                    _NODE,
                    detail={"destination": self._number, "problem": why},
                )
            )

    def _is_well(self, size: int) -> None:
        if not self._well:
            self._well = True
            self._say(
                Draft(
                    Kind.CHECKPOINT_SHIPPED,
                    unix_ms(),
                    _NODE,
                    detail={"destination": self._number, "size": size},
                )
            )

    def _say(self, row: Draft) -> None:
        with contextlib.suppress(StoreUnavailable):
            self._rows.append(row).add_done_callback(ignore_outcome)


_NODE = NodeName(SERVICE_NODE)


def _heard(done: asyncio.Future[int]) -> None:
    if not done.cancelled():
        done.exception()  # who counts the rows has said it
