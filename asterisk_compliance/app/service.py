"""The service: owner of the log, the vault and the connections, from start to orderly end."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import structlog

from asterisk_compliance import __version__
from asterisk_compliance.app.agi_line import serve_call
from asterisk_compliance.app.call_task import unix_ms
from asterisk_compliance.app.control import ControlSocket, Peer
from asterisk_compliance.app.ears import AmiEars, AriEars
from asterisk_compliance.app.keeping import Keeping
from asterisk_compliance.app.marks import mark_draft
from asterisk_compliance.app.node import Node
from asterisk_compliance.app.prompts import Policies, policies_for
from asterisk_compliance.asterisk.ami import AmiAddress, AmiClient, AmiLimits
from asterisk_compliance.asterisk.ari import AriClient
from asterisk_compliance.asterisk.ari_address import AriAddress, AriLimits
from asterisk_compliance.asterisk.backoff import Backoff
from asterisk_compliance.asterisk.fastagi import AgiLimits, AgiSession, FastAgiServer
from asterisk_compliance.config import AsteriskSettings, LimitSettings, Settings
from asterisk_compliance.config_checks import SERVICE_NODE
from asterisk_compliance.domain.call_state import Limits
from asterisk_compliance.domain.rows import Draft, Kind
from asterisk_compliance.errors import StoreUnavailable
from asterisk_compliance.ids import NodeName
from asterisk_compliance.storage.audit_log import AuditLog
from asterisk_compliance.storage.content import ContentStore
from asterisk_compliance.storage.jsonl import JsonLines

log = structlog.get_logger()


def limits_of(settings: LimitSettings) -> Limits:
    def ms(seconds: float) -> int:
        return round(seconds * 1_000)

    return Limits(
        notice_margin_ms=ms(settings.notice_margin_s),
        dialplan_ms=ms(settings.dialplan_s),
        growth_ms=ms(settings.growth_s),
        stop_ms=ms(settings.stop_s),
    )


class Service:
    """Everything that one process does. Build it with checked settings, then :meth:`run` it."""

    def __init__(self, settings: Settings, source: Path) -> None:
        """Read the prompts and build the policies.

        Raises:
            ConfigError: a prompt or a wording is not what the settings promise.
        """
        self._settings = settings
        self._source = source
        self._policies = {
            asterisk.node: policies_for(asterisk, settings, str(source))
            for asterisk in settings.asterisk
        }
        self._nodes: list[Node] = []

    async def run(self, stop: asyncio.Event, ready: Callable[[], None] = lambda: None) -> None:
        """Serve until ``stop`` is set; then finish notices, close files, flush the rows.

        Raises:
            StoreError: the store or the vault cannot be used.
            ApplicationReplaced: another service took a Stasis application of ours.
        """
        vault = self._settings.vault.recordings
        try:
            vault.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StoreUnavailable(f"{vault}: {error.strerror}") from None
        async with self._audit_log() as rows:
            self._nodes = [self._node(asterisk, rows) for asterisk in self._settings.asterisk]
            await self._introduce(rows)
            live = 0
            try:
                async with asyncio.TaskGroup() as tasks, contextlib.AsyncExitStack() as listening:
                    running = [tasks.create_task(node.run()) for node in self._nodes]
                    running.append(tasks.create_task(self._control(rows).run()))
                    for settings, node in zip(self._settings.asterisk, self._nodes, strict=True):
                        await self._listen(settings, node, listening)
                    log.info("service_ready", version=__version__, nodes=len(self._nodes))
                    ready()
                    await stop.wait()
                    log.info("service_stopping")
                    await asyncio.gather(*(node.drain(self._drain_s) for node in self._nodes))
                    live = sum(len(node.calls) for node in self._nodes)
                    for task in running:
                        task.cancel()
            finally:
                await self._last_row(rows, live)

    @property
    def _drain_s(self) -> float:
        limits = self._settings.limits
        return limits.stop_s + limits.close_s + 1.0

    @contextlib.asynccontextmanager
    async def _audit_log(self) -> AsyncIterator[AuditLog]:
        """The log and its JSON Lines: open, and closed in the order that loses no row."""
        audit = self._settings.audit
        rows = await AuditLog.open(audit.store)
        lines = JsonLines(rows, audit.store, path=audit.jsonl)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(lines.run())
            try:
                yield rows
            finally:
                await rows.close()
                lines.close()

    async def _introduce(self, rows: AuditLog) -> None:
        """Say in the log who serves, and by which words, before the first call."""
        content = ContentStore(self._settings.audit.store)
        drafts = [
            _draft(Kind.SERVICE_STARTED, version=__version__, nodes=tuple(self._policies)),
            _draft(
                Kind.CONFIG_LOADED,
                digest=hashlib.sha256(self._source.read_bytes()).hexdigest(),
                policies=tuple(
                    f"{policy.name}:{policy.digest}"
                    for policies in self._policies.values()
                    for policy in policies.by_name.values()
                ),
            ),
        ]
        for policies in self._policies.values():
            for entry in policies.registered:
                await asyncio.to_thread(content.put, entry.wording.text.encode())
                await asyncio.to_thread(content.put, entry.audio)
                drafts.append(
                    _draft(
                        Kind.NOTICE_REGISTERED,
                        audio_digest=entry.wording.audio_digest,
                        length_ms=entry.wording.length_ms,
                        notice=entry.notice.label(entry.wording.language),
                        purposes=entry.notice.purposes,
                        text_digest=entry.wording.text_digest,
                    )
                )
        await rows.append(*drafts)

    async def _last_row(self, rows: AuditLog, live: int) -> None:
        with contextlib.suppress(StoreUnavailable):
            await rows.append(_draft(Kind.SERVICE_STOPPED, live_calls=live))

    def _node(self, settings: AsteriskSettings, rows: AuditLog) -> Node:
        policies: Policies = self._policies[settings.node]
        keeping = Keeping(
            settings.spool_path,
            self._settings.vault.recordings,
            lambda recording, event: node.feed_recording(recording, event),  # noqa: PLW0108 - node comes below
            close_s=self._settings.limits.close_s,
        )
        node = Node(
            settings,
            policies.by_name,
            limits_of(self._settings.limits),
            rows,
            store=self._settings.audit.store,
            keeping=keeping,
            events_per_call=self._settings.limits.events_per_call,
        )
        if (ari := settings.ari) is not None:
            address = AriAddress(
                ari.url, ari.application, ari.user, ari.secret().get_secret_value()
            )
            backoff = Backoff(longest_s=ari.reconnect_max_s)
            limits = AriLimits(request_s=ari.reply_s, backoff=backoff)
            node.ari = AriClient(address, AriEars(node), limits)
        if (ami := settings.ami) is not None:
            where = AmiAddress(ami.host, ami.port, ami.user, ami.secret().get_secret_value())
            backoff = Backoff(longest_s=ami.reconnect_max_s)
            node.ami = AmiClient(
                where, AmiEars(node), AmiLimits(action_s=ami.reply_s, backoff=backoff)
            )
        return node

    async def _listen(
        self, settings: AsteriskSettings, node: Node, listening: contextlib.AsyncExitStack
    ) -> None:
        agi = settings.agi
        if agi is None:
            return
        policies = self._policies[settings.node]
        limit_s = policies.longest_prompt_ms / 1_000 + self._settings.limits.notice_margin_s

        async def handle(session: AgiSession) -> None:
            await serve_call(node, session, limit_s)

        limits = AgiLimits(header_s=agi.header_s, sessions=agi.connections_max)
        await listening.enter_async_context(FastAgiServer(agi.host, agi.port, handle, limits))

    def _control(self, rows: AuditLog) -> ControlSocket:
        async def status(_peer: Peer, _arguments: Mapping[str, str]) -> Mapping[str, Any]:
            return {"version": __version__, "nodes": [_status(node) for node in self._nodes]}

        async def mark(peer: Peer, arguments: Mapping[str, str]) -> Mapping[str, Any]:
            draft = mark_draft(arguments.get("code", ""), peer.user)
            return {"seq": await rows.append(draft)}

        return ControlSocket(self._settings.service.socket, {"status": status, "mark": mark})


def _status(node: Node) -> Mapping[str, Any]:
    phases: dict[str, int] = {}
    for task in node.calls.values():
        phases[task.call.phase] = phases.get(task.call.phase, 0) + 1
    return {
        "node": node.node,
        "ari": node.ari.transport if node.ari else None,
        "ami": node.ami.connected if node.ami else None,
        "calls": phases,
        "stopping": node.stopping,
    }


def _draft(kind: Kind, **detail: Any) -> Draft:
    return Draft(kind, unix_ms(), NodeName(SERVICE_NODE), detail=detail)
