"""The composition root of one Asterisk: every part is made here, in order, and complete.

Nothing is assigned to a part after it was made. Where two parts need each other, the later one
registers with the earlier one: a router with the listeners of its client, past calls with the
registry, hearing by telephone with its service. What changes while the service runs is read from a
holder (:class:`~asterisk_compliance.app.policy.configuration.CurrentConfiguration`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from asterisk_compliance.app.access.hearing_verbs import HearingService
from asterisk_compliance.app.access.past_calls import PastCalls
from asterisk_compliance.app.audit.metered_log import MeteredLog
from asterisk_compliance.app.calls.agi_caller_channel import serve_call
from asterisk_compliance.app.calls.asterisk_listeners import (
    AmiEventRouter,
    AmiListeners,
    AriEventRouter,
    AriListeners,
)
from asterisk_compliance.app.calls.node import Node
from asterisk_compliance.app.calls.node_view import NodeConnections, PlaybackWatch
from asterisk_compliance.app.calls.playing_notices import NoticeSlots
from asterisk_compliance.app.calls.recovery.liveness import LivenessRecord
from asterisk_compliance.app.observation import ObservingAmiEventRouter
from asterisk_compliance.app.policy.configuration import CurrentConfiguration, CurrentPolicies
from asterisk_compliance.app.recordings.intake import RecordingIntake
from asterisk_compliance.app.recordings.sealer_pool import SealerPool
from asterisk_compliance.app.retention.run import is_protected
from asterisk_compliance.asterisk.agi.server import AgiLimits, AgiSession, FastAgiServer
from asterisk_compliance.asterisk.ami.client import AmiAddress, AmiClient, AmiLimits
from asterisk_compliance.asterisk.ari.address import AriAddress, AriLimits
from asterisk_compliance.asterisk.ari.client import AriClient
from asterisk_compliance.asterisk.backoff import Backoff
from asterisk_compliance.config.settings import AsteriskSettings, LimitSettings
from asterisk_compliance.domain.call.state import CallLimits


@dataclass(frozen=True, slots=True)
class AsteriskNode:
    """One Asterisk, assembled.

    Attributes:
        registry: Its live calls.
        agi: Its FastAGI server; ``None`` where the site has none. Enter it to listen.
    """

    registry: Node
    agi: FastAgiServer | None


@dataclass(frozen=True, slots=True)
class SharedParts:
    """What all Asterisks of one service share.

    Attributes:
        undisturbed: Held while recordings are removed, and by a retry while it begins.
    """

    configuration: CurrentConfiguration
    rows: MeteredLog
    sealers: SealerPool
    notices: NoticeSlots
    heartbeat: PlaybackWatch
    liveness: LivenessRecord
    hearing: HearingService
    undisturbed: asyncio.Lock


Connect: TypeAlias = Callable[[AsteriskSettings, AriListeners, AmiListeners], NodeConnections]


def clients_of(settings: AsteriskSettings, ari: AriListeners, ami: AmiListeners) -> NodeConnections:
    """The clients of one Asterisk, not connected yet; they tell ``ari`` and ``ami``."""
    return NodeConnections(_ari_client(settings, ari), _ami_client(settings, ami))


def build_node(
    settings: AsteriskSettings, shared: SharedParts, connect: Connect = clients_of
) -> AsteriskNode:
    """Make every part of one Asterisk, in the order in which they need each other.

    ``connect`` makes its clients.
    """
    site = shared.configuration.current.settings
    ari_listeners, ami_listeners = AriListeners(), AmiListeners()
    connections = connect(settings, ari_listeners, ami_listeners)
    intake = RecordingIntake(
        settings.spool_path,
        site.vault.recordings,
        shared.sealers,
        close_s=site.limits.close_s,
        may_not_go=partial(is_protected, site.audit.store),
    )
    registry = Node(
        settings,
        CurrentPolicies(shared.configuration, settings.node),
        limits_of(site.limits),
        shared.rows,
        connections=connections,
        store=site.audit.store,
        intake=intake,
        notices=shared.notices,
        events_per_call=site.limits.events_per_call,
        store_s=site.limits.store_s,
        heartbeat=shared.heartbeat,
        liveness=shared.liveness,
        undisturbed=shared.undisturbed,
        alone=len(site.asterisk) == 1,
    )
    past_calls = PastCalls(
        registry, shared.rows, lambda: shared.configuration.current.settings.past_calls
    )
    registry.observe(past_calls)
    ari_listeners.register(AriEventRouter(registry, shared.hearing.router_on(registry)))
    ami_router = AmiEventRouter(registry)
    if (observed := settings.observe) is not None:
        ami_router = ObservingAmiEventRouter(registry, observed, settings.spool)
    ami_listeners.register(ami_router)
    return AsteriskNode(registry, _agi_server(settings, registry, site.limits.notice_margin_s))


def limits_of(settings: LimitSettings) -> CallLimits:
    """The limits of a call, in milliseconds."""

    def ms(seconds: float) -> int:
        return round(seconds * 1_000)

    return CallLimits(
        notice_margin_ms=ms(settings.notice_margin_s),
        dialplan_ms=ms(settings.dialplan_s),
        growth_ms=ms(settings.growth_s),
        stop_ms=ms(settings.stop_s),
        segment_ms=ms(settings.segment_s),
    )


def _ari_client(settings: AsteriskSettings, listeners: AriListeners) -> AriClient | None:
    if (ari := settings.ari) is None:
        return None
    address = AriAddress(ari.url, ari.application, ari.user, ari.secret().get_secret_value())
    backoff = Backoff(longest_s=ari.reconnect_max_s)
    return AriClient(address, listeners, AriLimits(request_s=ari.reply_s, backoff=backoff))


def _ami_client(settings: AsteriskSettings, listeners: AmiListeners) -> AmiClient | None:
    if (ami := settings.ami) is None:
        return None
    address = AmiAddress(ami.host, ami.port, ami.user, ami.secret().get_secret_value())
    limits = AmiLimits(action_s=ami.reply_s, backoff=Backoff(longest_s=ami.reconnect_max_s))
    return AmiClient(address, listeners, limits, observes=settings.observe is not None)


def _agi_server(
    settings: AsteriskSettings, registry: Node, margin_s: float
) -> FastAgiServer | None:
    if (agi := settings.agi) is None:
        return None

    async def handle(session: AgiSession) -> None:
        longest_s = registry.policies.longest_prompt_ms / 1_000 + margin_s
        await serve_call(registry, session, longest_s)

    limits = AgiLimits(header_s=agi.header_s, sessions=agi.connections_max, permit=agi.permit)
    return FastAgiServer(agi.host, agi.port, handle, limits)
