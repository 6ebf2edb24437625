"""Taking in what the dialplan recorded alone while this service was not there.

    a file ``d-…`` in the spool, and its       lives: looked at again later
    channel                                    is gone: rows, then its name, then as any recording
    nobody knows its name or its promise       set aside, readable by nobody, with a row

Who dies in between begins again: the rows name the file, so it gets no second ones; its name is
changed in one step; and what is a recording of a call then, ``resumption.py`` takes up.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from asterisk_compliance.app.audit.call_rows import CallAuditLog
from asterisk_compliance.app.calls.caller_channel import AriCallerChannel
from asterisk_compliance.app.recordings.intake import RecordingIntake
from asterisk_compliance.asterisk.ari.client import AriClient
from asterisk_compliance.clock import monotonic_ms, unix_ms
from asterisk_compliance.domain.audit.rows import Draft, Kind
from asterisk_compliance.domain.call.recovery import Clock, finish
from asterisk_compliance.errors import AsteriskError, StoreError
from asterisk_compliance.ids import CallId, ChannelId
from asterisk_compliance.storage.queries.fallback_promises import adopted_as, remembered
from asterisk_compliance.storage.recordings.unattended import Alone

if TYPE_CHECKING:
    from asterisk_compliance.app.calls.node_view import NodeView

AGAIN_S = 2.0
"""While something is there that cannot be adopted yet, we look again so often."""

log = structlog.get_logger()


class FallbackAdoption:
    """Of one Asterisk. Where no such file is, nobody is asked anything."""

    def __init__(self, node: NodeView, rows: CallAuditLog, intake: RecordingIntake) -> None:
        self._node = node
        self._rows = rows
        self._intake = intake
        self._looking = asyncio.Lock()
        self._again: asyncio.TimerHandle | None = None
        self._gone: set[ChannelId | None] = set()
        intake.report_closed_alone(self.look)

    def look(self) -> None:
        """A file of the dialplan's own was closed, or was to be looked at again."""
        self._node.spawn(self.run())

    async def run(self) -> None:
        """Adopt whatever can be adopted now; if anything must wait, come back."""
        async with self._looking:
            if self._again is not None:
                self._again.cancel()
                self._again = None
            try:
                waits = await self._adopt_all()
            except (AsteriskError, StoreError, OSError) as error:
                log.warning("not_adopted", node=self._node.node, why=str(error))
                waits = True
            if waits:
                self._again = asyncio.get_running_loop().call_later(AGAIN_S, self.look)

    async def _adopt_all(self) -> bool:
        """Whether something is left for later."""
        ari = self._node.ari
        alone = await self._intake.recorded_alone()
        if not alone or ari is None:
            return False
        live = {channel.id for channel in await ari.channels()}
        gone_before = self._gone
        self._gone = {file.channel for file in alone} - live - self._node.calls.keys()
        waits = False
        for file in alone:
            nobody_writes = file.is_still and file.channel in gone_before
            if file.channel in self._gone and (file.is_closed or nobody_writes):
                await self._deal_with(ari, file)
            else:
                waits = True
        return waits

    async def _deal_with(self, ari: AriClient, file: Alone) -> None:
        node, adopted = self._node, None
        if file.channel is not None:
            adopted = await asyncio.to_thread(
                adopted_as, node.store, node.node, file.code, file.channel, file.name
            )
        if file.channel is None or adopted is None:
            await self._set_aside(file)
            return
        drafts = [
            Draft(row.kind, unix_ms(), node.node, adopted.call, row.actor, row.detail)
            for row in adopted.rows
        ]
        if drafts:
            await self._rows.append(*drafts)
            log.warning("recording_adopted", call=adopted.call, recording=adopted.recording)
        if await self._intake.take_over(file.name, adopted.recording):
            await self._take_in(ari, adopted.call, file.channel)

    async def _take_in(self, ari: AriClient, call: CallId, channel: ChannelId) -> None:
        node = self._node
        left = await asyncio.to_thread(remembered, node.store, call)
        assert left is not None, "its rows are durable"
        now = Clock(monotonic_ms(), unix_ms())
        stepped = finish(left, limits=node.limits, now=now, unseen_ms=0)  # it has no others
        node.begin(stepped, AriCallerChannel(ari, channel))

    async def set_strangers_aside(self) -> None:
        """Take files of recordings that the log does not know out of the spool, each with a row."""
        for copied in await self._intake.copy_strangers_aside(self._node.knows):
            try:
                await self._let_go(*copied)
            except StoreError as error:
                log.error("row_refused", kind=Kind.FILE_QUARANTINED, why=str(error))
                return

    async def _set_aside(self, file: Alone) -> None:
        copied = await self._intake.copy_aside(file.name)
        if copied is not None:
            await self._let_go(*copied)

    async def _let_go(self, name: str, size: int, digest: str) -> None:
        """It is in quarantine: a row, then it leaves the spool."""
        row = Draft(
            Kind.FILE_QUARANTINED,
            unix_ms(),
            self._node.node,
            detail={"bytes": size, "file": name, "sha256": digest},
        )
        await self._rows.append(row)
        await self._intake.forget_stranger(name)
