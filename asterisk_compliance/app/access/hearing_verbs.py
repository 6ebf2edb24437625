"""Lending a recording to be heard by telephone, on the command line's behalf.

The officer's command opens the recording on his side: his identity never comes here. What comes is
the audio of those whom the person may hear, through an open file in memory that we hand out::

    release ──▶ recording, sealed ──▶ opened ──▶ lend-begin ──▶ file ◀── audio ──▶ lend ──▶ code

So nothing of it passes through a message, and however long it is nothing waits for it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Any

from asterisk_compliance.app.access.hearing_calls import HearingCallRouter
from asterisk_compliance.app.access.hearing_copies import CopyDirectory
from asterisk_compliance.app.access.hearing_loans import LoanRegister
from asterisk_compliance.app.access.hearing_rows import Lending
from asterisk_compliance.app.access.permission import judged, refused, refused_draft, use_of
from asterisk_compliance.app.access.release import find
from asterisk_compliance.app.calls.node_view import NodeView
from asterisk_compliance.app.policy.configuration import Configuration
from asterisk_compliance.app.shared.audit_port import AuditAppender
from asterisk_compliance.app.shared.control_socket import Handed, SocketPeer, Verb
from asterisk_compliance.domain.access.purpose_limitation import RIGHTS, Action
from asterisk_compliance.domain.audit.rows import Draft
from asterisk_compliance.errors import ConfigError

STOP_S = 1.0
"""So long a stopping service waits for calls that hear."""


class HearingService:
    """Hearing by telephone, on every Asterisk of a service, if it is configured.

    Args:
        rows: The log.
        configuration: What holds now.
    """

    def __init__(self, rows: AuditAppender, configuration: Callable[[], Configuration]) -> None:
        self._now = configuration
        self._loans: LoanRegister | None = None
        self._calls: list[HearingCallRouter] = []
        settings = configuration().settings
        if settings.hearing is None:
            return
        copies = CopyDirectory(settings.hearing.directory_path)
        store_s = settings.limits.store_s
        self._loans = LoanRegister(rows, settings.hearing, copies, store_s=store_s)

    def router_on(self, node: NodeView) -> HearingCallRouter | None:
        """Make the router of calls that hear on one Asterisk; ``None`` where none is configured."""
        said = self._now().hearing.get(node.node)
        if self._loans is None or not said:
            return None
        router = HearingCallRouter(node, self._loans, said)
        self._calls.append(router)
        return router

    async def run(self) -> None:
        """Lend, until cancelled; behind it no copy is left."""
        if self._loans is None:
            return
        await self._loans.open(self._now().settings.audit.store)
        try:
            await self._loans.run()
        finally:
            await self._loans.close()

    def observe(self, row: Draft) -> None:
        """Told of each row that is durable."""
        if self._loans is not None:
            self._loans.observe(row)

    async def stop(self) -> None:
        """Let everybody go who hears."""
        for calls in self._calls:
            calls.stop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_S):
                while any(map(len, self._calls)):  # noqa: ASYNC110 - only while we stop
                    await asyncio.sleep(0.02)

    def verbs(self) -> dict[str, Verb]:
        """What the control socket can be asked; only the service has memory to lend from."""

        async def begin(peer: SocketPeer, arguments: Mapping[str, str]) -> Handed:
            lender = self._lender
            what = await self._permitted(peer, arguments)
            loan, file = await lender.begin(what)
            return Handed({"directions": what.directions, "loan": loan}, file)

        async def lend(peer: SocketPeer, arguments: Mapping[str, str]) -> Mapping[str, Any]:
            return await self._lender.lend(arguments.get("loan", ""), peer.user)

        async def take_back(_: SocketPeer, arguments: Mapping[str, str]) -> Mapping[str, Any]:
            recording, request = arguments.get("recording", ""), arguments.get("request", "")
            return {"ended": await self._lender.take_back(recording, request)}

        return {"lend-begin": begin, "lend": lend, "lend-end": take_back}

    @property
    def _lender(self) -> LoanRegister:
        if self._loans is None:
            raise ConfigError("hearing", ["is not configured"], hint="docs/hearing.md says how")
        return self._loans

    async def _permitted(self, peer: SocketPeer, arguments: Mapping[str, str]) -> Lending:
        """What is to be lent, judged as any use is; who may not gets his row.

        Raises:
            UseRefused: behind that row.
            NoSuchRecording, NoSuchUse: there is nothing to be lent.
        """
        settings = self._now().settings
        asked = {**arguments, "action": Action.HEAR, "purpose": RIGHTS}
        use = use_of(settings, asked)
        kept = await asyncio.to_thread(find, settings.audit.store, arguments.get("recording", ""))
        found = await asyncio.to_thread(judged, settings, peer.user, use, kept.call, kept.recording)
        if found.refusal is not None:
            row = refused_draft(use, found, kept.call, kept.node, kept.recording, peer.user)
            await self._lender.append(row)
            raise refused(found)
        whose = settings.answers.directions
        return Lending(kept.recording, kept.call, kept.node, use.request, whose, peer.user)
