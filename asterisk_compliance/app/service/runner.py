"""The service: owner of the log, the vault and the connections, from start to orderly end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

import structlog

from asterisk_compliance.app.access.hearing_verbs import HearingService
from asterisk_compliance.app.audit.checkpointing import Checkpointing
from asterisk_compliance.app.audit.metered_log import MeteredLog
from asterisk_compliance.app.audit.open_log import owned_log
from asterisk_compliance.app.audit.webhooks import Webhooks
from asterisk_compliance.app.calls.node import Node
from asterisk_compliance.app.calls.playing_notices import NoticeSlots
from asterisk_compliance.app.calls.recording_control import ask_call
from asterisk_compliance.app.calls.recovery.liveness import (
    previous_runs,
    write_liveness_marks,
)
from asterisk_compliance.app.calls.recovery.untracked import write_release
from asterisk_compliance.app.checks.live.canary import Canary, canaries
from asterisk_compliance.app.checks.live.canary_on_demand import AskedCanaries
from asterisk_compliance.app.incidents.register import Incidents
from asterisk_compliance.app.policy.configuration import (
    Configuration,
    CurrentConfiguration,
    load_configuration,
    restart_needed,
)
from asterisk_compliance.app.recordings.sealer_pool import SealerPool
from asterisk_compliance.app.recordings.storage_monitor import StorageWatch
from asterisk_compliance.app.retention.run import RetentionService
from asterisk_compliance.app.service.ari_user_events import AriUserEventPublisher
from asterisk_compliance.app.service.configuration_rows import introduce
from asterisk_compliance.app.service.health import health, status_of, troubles
from asterisk_compliance.app.service.health_server import health_server
from asterisk_compliance.app.service.heartbeat import Heartbeat
from asterisk_compliance.app.service.live_gauges import LiveGauges
from asterisk_compliance.app.service.node_assembly import (
    AsteriskNode,
    Connect,
    SharedParts,
    build_node,
    clients_of,
)
from asterisk_compliance.app.service.officer_verbs import officer_verbs
from asterisk_compliance.app.service.systemd import Systemd
from asterisk_compliance.app.service.watchdog import WatchdogRelease
from asterisk_compliance.app.shared.control_socket import ControlSocket, SocketPeer, Verb
from asterisk_compliance.app.shared.metrics import Metrics
from asterisk_compliance.app.shared.troubles import HealthTrouble, Trouble
from asterisk_compliance.app.subject_requests.deadline_watch import RequestWatch
from asterisk_compliance.clock import unix_ms
from asterisk_compliance.config.consistency import SERVICE_NODE
from asterisk_compliance.config.settings import Settings
from asterisk_compliance.domain.audit.encoding import timestamp
from asterisk_compliance.domain.audit.rows import Draft, Kind
from asterisk_compliance.errors import ConfigError, StoreError, StoreUnavailable
from asterisk_compliance.ids import NodeName
from asterisk_compliance.storage.recordings.vault import open_vault
from asterisk_compliance.version import __version__

log = structlog.get_logger()


class Service:
    """Everything that one process does, from a checked configuration. :meth:`run` it."""

    def __init__(
        self,
        configuration: Configuration,
        systemd: Systemd | None = None,
        watchdog: Sequence[str] = (),
        connect: Connect = clients_of,
    ) -> None:
        self._configuration = CurrentConfiguration(configuration)
        self._connect = connect
        self._loaded_at_ms = unix_ms()
        self._systemd = systemd or Systemd()
        self._metrics = Metrics()
        self._notices = NoticeSlots(configuration.settings.limits.notices_max, self._metrics)
        vault = configuration.settings.vault
        self._sealers = SealerPool(vault.recipients, most=vault.sealers, within_s=vault.seal_s)
        self._nodes: Sequence[AsteriskNode] = ()
        self._canaries: list[Canary] = []
        with_ari = any(asterisk.ari for asterisk in configuration.settings.asterisk)
        hung_s = configuration.settings.limits.watchdog_s
        self._heartbeat = Heartbeat(hung_s, watchdog if with_ari else ())

    @property
    def _settings(self) -> Settings:
        return self._configuration.current.settings

    @property
    def _registries(self) -> list[Node]:
        return [node.registry for node in self._nodes]

    async def run(
        self,
        stop: asyncio.Event,
        ready: Callable[[], None] = lambda: None,
        reload: asyncio.Event | None = None,
    ) -> None:
        """Serve until ``stop`` is set; then finish notices, close files, flush the rows.

        Each time ``reload`` is set, the configuration is read again, see :meth:`reload`.

        Raises:
            StoreError: the store or the vault cannot be used.
            ApplicationReplaced: another service took our Stasis application, and there is but
                one Asterisk.
        """
        open_vault(self._settings.vault.recordings)
        opened = owned_log(self._settings, self._metrics, self._systemd.starting)
        async with opened as (rows, checkpoints):
            liveness = await asyncio.to_thread(
                previous_runs, self._settings.audit.store, lambda: rows.size + rows.waiting
            )
            retaining = RetentionService(rows, lambda: self._settings, self._metrics)
            self._hearings = HearingService(rows, lambda: self._configuration.current)
            shared = SharedParts(
                self._configuration,
                rows,
                self._sealers,
                self._notices,
                self._heartbeat,
                liveness,
                self._hearings,
                retaining.holds_stand,
            )
            self._nodes = [
                build_node(asterisk, shared, self._connect) for asterisk in self._settings.asterisk
            ]
            nodes = tuple(self._configuration.current.policies)
            started = _draft(Kind.SERVICE_STARTED, version=__version__, nodes=nodes)
            await introduce(rows, self._configuration.current, started, *checkpoints.first_rows)
            self._storage = StorageWatch(self._settings, rows, self._registries)
            await self._storage.look()
            self._incidents = Incidents(rows, lambda: self._settings)
            self._requests = RequestWatch(rows, lambda: self._settings, self._metrics)
            rows.on_durable(self._requests.observe)
            rows.on_durable(self._hearings.observe)
            self._webhooks = Webhooks(self._settings.audit.store, rows, self._metrics)
            facts = AriUserEventPublisher(self._registries, self._settings.asterisk, self._metrics)
            rows.on_commit(facts.observe)
            live = 0
            try:
                async with asyncio.TaskGroup() as tasks, contextlib.AsyncExitStack() as listening:
                    work: list[Coroutine[Any, Any, Any]] = [
                        *(node.run() for node in self._registries),
                        self._control(rows, checkpoints, retaining).run(),
                        self._heartbeat.run(self._released),
                        self._storage.run(),
                        self._hearings.run(),
                        retaining.watch(),
                        self._incidents.watch(self._metrics),
                        self._requests.run(),
                        facts.run(),
                        self._webhooks.run(self._settings.webhook),
                        rows.backlog.run(self._recover),
                        write_liveness_marks(
                            self._settings.audit.store, rows, liveness, self._hears
                        ),
                    ]
                    running = [tasks.create_task(one) for one in work]
                    if reload is not None:
                        running.append(tasks.create_task(self._reload_when(reload, rows)))
                    for node in self._nodes:
                        if node.agi is not None:
                            with structlog.contextvars.bound_contextvars(node=node.registry.node):
                                await listening.enter_async_context(node.agi)
                    running.append(tasks.create_task(await self._show(rows, listening)))
                    self._canaries = canaries(
                        self._registries, self._settings.canary, rows, self._notices, self._metrics
                    )
                    running += [tasks.create_task(canary.run()) for canary in self._canaries]
                    log.info("service_ready", version=__version__, nodes=len(self._nodes))
                    self._systemd.ready()
                    ready()
                    await stop.wait()
                    log.info("service_stopping")
                    self._systemd.stopping()
                    await asyncio.gather(*(node.drain(self._drain_s) for node in self._registries))
                    await self._hearings.stop()
                    live = sum(len(node.calls) for node in self._registries)
                    for task in running:
                        task.cancel()
            finally:
                await self._sealers.close()
                await self._last_row(rows, live)

    async def reload(self, rows: MeteredLog) -> None:
        """Read the configuration again; it applies whole, or not at all.

        Calls that arrive from then on have the new policies, live ones keep theirs. What cannot be
        taken over in this way needs a restart, and is refused like anything that is wrong.
        """
        before = self._configuration.current
        try:
            new = await asyncio.to_thread(load_configuration, before.source)
            problems = list(restart_needed(before.settings, new.settings))
        except ConfigError as error:
            new, problems = before, error.problems
        if problems:
            log.error("reload_refused", problems=problems)
            await rows.append(_draft(Kind.CONFIG_REFUSED, problems=len(problems)))
            return
        await introduce(rows, new)
        self._configuration.replace(new)
        await self._webhooks.apply(new.settings.webhook)
        self._loaded_at_ms = unix_ms()
        log.info("configuration_reloaded", digest=new.digest)

    async def _reload_when(self, asked: asyncio.Event, rows: MeteredLog) -> None:
        while True:
            await asked.wait()
            asked.clear()
            self._systemd.reloading()
            try:
                await self.reload(rows)
            except StoreError as error:
                log.error("reload_failed", why=str(error))
            except Exception:  # a defect here must not end the calls
                log.exception("reload_failed")
            finally:
                self._systemd.ready()

    @property
    def _drain_s(self) -> float:
        limits = self._settings.limits
        return limits.stop_s + limits.close_s + 1.0

    def _hears(self) -> bool:
        return all(node.legs.hears_in_time for node in self._registries)

    async def _last_row(self, rows: MeteredLog, live: int) -> None:
        await rows.backlog.stored()
        with contextlib.suppress(StoreUnavailable):
            await rows.append(_draft(Kind.SERVICE_STOPPED, live_calls=live))

    async def _show(
        self, rows: MeteredLog, listening: contextlib.AsyncExitStack
    ) -> Coroutine[Any, Any, None]:
        """Let a monitor on this host ask; returns what keeps systemd informed."""
        self._metrics.registry.register(LiveGauges(lambda: self._nodes, rows, self._notices))
        self._metrics.registry.register(self._storage)
        where = self._settings.health
        if where.port:
            server = health_server(
                where.host, where.port, lambda: self._health(rows), self._metrics.registry
            )
            await listening.enter_async_context(server)
        return self._systemd.watch(lambda: rows.stuck_s, lambda: self._in_a_line(rows))

    def _recover(self) -> None:
        for node in self._registries:
            node.spawn(node.recover())

    def _released(self, one: WatchdogRelease) -> None:
        for node in self._registries:
            if node.node == one.node:
                node.spawn(write_release(node, one.channel))

    def _troubles(self, rows: MeteredLog) -> list[HealthTrouble]:
        failing = filter(None, (canary.trouble for canary in self._canaries))
        hanging = (HealthTrouble(Trouble.WATCHDOG_DOWN),) if self._heartbeat.missing else ()
        store_s = self._settings.limits.store_s
        found = troubles(self._registries, rows, store_s, self._storage.places)
        return [*found, *failing, *hanging, *self._webhooks.troubles]

    def _health(self, rows: MeteredLog) -> Mapping[str, Any]:
        found = self._troubles(rows)
        loaded = {
            "digest": self._configuration.current.digest,
            "loaded_at": timestamp(self._loaded_at_ms),
        }
        return {
            "version": __version__,
            "configuration": loaded,
            **health(found, [status_of(node) for node in self._registries], rows),
            "canary": {one.node.node: one.last for one in self._canaries if one.last},
            "requests": self._requests.standing,
            "incidents": self._incidents.standing,
        }

    def _in_a_line(self, rows: MeteredLog) -> str:
        found = self._troubles(rows)
        live = sum(len(node.calls) for node in self._registries)
        return f"{live} live calls; {', '.join(map(str, found)) or 'all well'}"

    def _control(
        self, rows: MeteredLog, checkpoints: Checkpointing, retaining: RetentionService
    ) -> ControlSocket:
        async def status(_peer: SocketPeer, _arguments: Mapping[str, str]) -> Mapping[str, Any]:
            return self._health(rows)

        async def ask(peer: SocketPeer, arguments: Mapping[str, str]) -> Mapping[str, Any]:
            return await ask_call(self._registries, peer.user, arguments)

        verbs: dict[str, Verb] = {
            "status": status,
            "ask": ask,
            "canary": AskedCanaries(lambda: self._canaries).verb,
            **self._hearings.verbs(),
            **officer_verbs(rows, lambda: self._settings, retaining, self._incidents),
        }
        return ControlSocket(self._settings.service.socket, verbs | checkpoints.verbs())


def _draft(kind: Kind, **detail: Any) -> Draft:
    return Draft(kind, unix_ms(), NodeName(SERVICE_NODE), detail=detail)
