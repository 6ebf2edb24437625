"""One run: the calls and faults of a schedule happen to a site, then everything is looked at."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from simulation.asterisk import Channel
from simulation.recorder import Party
from simulation.schedule import Blow, Call, Fault, Schedule, Step
from simulation.site import Site

QUIET_S = 25.0
"""So long after the last fault everything must be over."""
POLL_S, QUIET_POLLS = 0.1, 8


@dataclass(eq=False)
class Played:
    """A call as it really was.

    Attributes:
        heard: The caller has heard the notice to its end.
        bridged_s: For how long he was in a bridge with somebody.
    """

    plan: Call
    party: Party
    channel: Channel
    company: list[Channel] = field(default_factory=list)
    parties: int = 0
    heard: bool = False

    def presences(self, now_s: float) -> list[tuple[Channel, float, float]]:
        """Who was with the caller, from when until when."""
        return [
            (one, one.came_s, now_s if one.left_s is None else one.left_s)
            for one in self.company
            if one.came_s is not None
        ]

    @property
    def bridged_s(self) -> float:
        return self.channel.packets / 50


class Story:
    """Plays a schedule; what is left is in the site, and in ``calls``."""

    def __init__(self, site: Site, schedule: Schedule) -> None:
        self.site, self.schedule = site, schedule
        self.calls: list[Played] = []
        site.told = self._told

    def play(self) -> None:
        limit_s = self.schedule.until_s + QUIET_S + 30.0
        self.site.loop.run(self._all(), limit_s)

    async def _all(self) -> None:
        site = self.site
        site.start_asterisk()
        site.start_service()
        for call in self.schedule.calls:
            site.loop.call_at(call.at_s, self._calls, call)
        for blow in self.schedule.blows:
            site.loop.call_at(blow.at_s, self._falls, blow)
        await asyncio.sleep(self.schedule.until_s)
        self._everything_works()
        await self._quiet()

    def play_on(self) -> None:
        """One more start: what a life left undone, the next one does."""
        self.site.start_service()
        self.site.loop.run(self._quiet(), self.site.loop.now + QUIET_S + 30.0)

    async def _quiet(self) -> None:
        try:
            async with asyncio.timeout(QUIET_S):
                quiet = 0
                while quiet < QUIET_POLLS:
                    await asyncio.sleep(POLL_S)
                    quiet = quiet + 1 if self._is_quiet() else 0
        except TimeoutError:
            node = self.site.service._nodes[0].registry if self.site.service else None
            followed = [task.call.id for task in node.calls.values()] if node else []
            there = [channel.name for channel in self.site.asterisk.channels.values()]
            self.site.defects.append(
                f"it does not come to rest: calls {followed}, channels {there}"
            )
        if self.site.serves:
            await self.site.stop_service()

    def _is_quiet(self) -> bool:
        site = self.site
        service = site.service
        if service is None or site.stopping or not service._nodes:
            return False  # what it has left undone, the next life does
        (built,) = service._nodes
        node = built.registry
        connected = node.ari is not None and node.ari.transport is not None
        idle = not node.recovery.turn.locked() and node.legs.away_since_ms is None
        return connected and idle and not node.calls and not site.asterisk.channels

    def _everything_works(self) -> None:
        site = self.site
        site.store_fails, site.store_slow_s, site.kill_at_commit = False, 0.0, None
        site.asterisk.ami.refuses.clear()
        for call in self.calls:
            self._hangs_up(call)
        for channel in list(site.asterisk.channels.values()):
            if channel.snoops_on is None:
                site.asterisk.hang_up(channel)
        if not site.serves:
            site.start_service()

    # -- calls -------------------------------------------------------------------------------

    def _calls(self, plan: Call) -> None:
        site = self.site
        if not site.asterisk_lives:
            return
        party = Party("PJSIP/trunk", 1)
        channel = site.asterisk.channel(party, "PJSIP/trunk")
        played = Played(plan, party, channel)
        self.calls.append(played)
        channel.dialplan = site.asterisk.spawn(self._dialplan(played))
        site.loop.call_later(plan.gives_up_s, self._hangs_up, played)
        if plan.press_s:
            site.loop.call_later(plan.press_s, self._presses, played)

    async def _dialplan(self, call: Played) -> None:
        dialplan, asterisk = self.site.dialplan, self.site.asterisk
        with contextlib.suppress(asyncio.CancelledError):
            ends = await dialplan.compliance_notice(call.channel, call.plan.policy) == "end"
            if ends:
                asterisk.hang_up(call.channel)
                return
            await asyncio.sleep(call.plan.queue_s)
            kind = "base" if call.plan.conference else "basic"
            agent = await dialplan.dial(call.channel, self._party(call, call.plan.agent), kind=kind)
            call.company.append(agent)
            for move in call.plan.moves:
                self.site.loop.call_later(
                    move.after_s,
                    partial(self._moves, call, move),
                    context=self.site.loop.in_life(asterisk.life),
                )
            await asyncio.Event().wait()

    def _party(self, call: Played, name: str) -> Party:
        call.parties += 1
        party = Party(name, 1 << call.parties)
        if "agent" in name or call.plan.policy == "goes-on":
            party.covered = True
        return party

    def _presses(self, call: Played) -> None:
        channel = call.channel
        if channel.args is not None and not channel.hung_up:
            self.site.asterisk.heard()
            call.party.covered, call.party.why_not = False, "has refused"
            ari = self.site.asterisk.ari
            ari.emit(
                "ChannelDtmfReceived", channel=ari.describe(channel), digit="9", duration_ms=80
            )

    def _hangs_up(self, call: Played) -> None:
        if self.site.asterisk_lives and call.channel.id in self.site.asterisk.channels:
            self.site.asterisk.hang_up(call.channel)
            for other in call.company:
                self.site.asterisk.hang_up(other)

    def _moves(self, call: Played, move: Any) -> None:
        dialplan, channel = self.site.dialplan, call.channel
        bridge = channel.bridge
        if channel.hung_up or bridge is None:
            return
        others = [one for one in bridge.members if one is not channel]
        match move.step:
            case Step.TRANSFER if others and bridge.kind == "basic" and len(others) == 1:
                task = dialplan.transfer(others[0], channel, self._party(call, move.who))
                task.add_done_callback(
                    lambda done: None if done.cancelled() else call.company.append(done.result())
                )
            case Step.JOIN if len(others) < 3:
                call.company.append(dialplan.join(bridge, self._party(call, move.who)))
            case Step.LEAVE if len(others) > 1:
                self.site.asterisk.hang_up(others[-1])
            case Step.PAUSE | Step.RESUME | Step.WITHDRAW:
                dialplan.asks(channel, move.step)

    def _told(self, channel: Channel, media: str) -> None:
        """A sound was played to its end; whispers are heard by who gets packets."""
        if "notice" not in media:
            return
        target = channel.snoops_on
        party = channel.party
        for call in self.calls:
            call.heard |= call.channel is channel
        if target is not None and (target.bridge is None or len(target.bridge.members) < 2):
            return
        if party.why_not != "has refused":
            self.site.asterisk.heard()
            party.covered = True

    # -- faults ------------------------------------------------------------------------------

    def _falls(self, blow: Blow) -> None:  # noqa: C901, PLR0912 - one arm a fault
        site = self.site
        match blow.fault:
            case Fault.KILL if site.serves:
                site.loop.kill_after(site.life, 1 + blow.count, partial(self._killed, blow.for_s))
            case Fault.KILL_AT_COMMIT if site.serves and site.kill_at_commit is None:
                site.kill_at_commit = (blow.count % 6, blow.count % 2 == 0)
                site.loop.call_later(blow.for_s + 0.5, self._comes_back)
            case Fault.CRASHES if site.serves:
                self._crashes(3, blow)
            case Fault.STOP if site.serves:
                site.loop.create_task(self._stopped(blow.for_s))
            case Fault.ARI_DROP if site.asterisk_lives:
                site.ari_refused_until_s = site.loop.now + blow.for_s
                site.asterisk.ari.drop()
            case Fault.ARI_STALL if site.asterisk_lives and site.asterisk.ari.socket:
                site.asterisk.ari.socket.wire.stalled_until_s = site.loop.now + blow.for_s
            case Fault.AMI_STALL if site.asterisk_lives:
                site.asterisk.ami.stall(site.loop.now + blow.for_s)
            case Fault.AMI_DROP if site.asterisk_lives:
                site.ami_refused_until_s = site.loop.now + blow.for_s
                site.asterisk.ami.drop()
            case Fault.ASTERISK if site.asterisk_lives:
                site.kill_asterisk()
                site.loop.call_later(blow.for_s, site.start_asterisk)
            case Fault.FREEZE if site.serves:
                site.loop.freeze(site.life, blow.for_s)
            case Fault.SOUND_HANGS if site.asterisk_lives:
                site.asterisk.sounds_hang = True
                site.loop.call_later(blow.for_s, setattr, site.asterisk, "sounds_hang", False)
            case Fault.STORE_FAILS:
                site.store_fails = True
                site.loop.call_later(blow.for_s, setattr, site, "store_fails", False)
            case Fault.STORE_SLOW:
                site.store_slow_s = blow.for_s
                site.loop.call_later(blow.for_s, setattr, site, "store_slow_s", 0.0)
            case Fault.CLOCK:
                site.wall_offset_s += blow.for_s
                if blow.count % 2 and site.serves:
                    site.loop.create_task(self._stopped(0.3))
            case Fault.AMI_REFUSES if site.asterisk_lives:
                actions = ("MixMonitorMute", "StopMixMonitor", "PlayDTMF", "Setvar")
                refused = actions[blow.count % len(actions)]
                site.asterisk.ami.refuses.add(refused)
                site.loop.call_later(blow.for_s, site.asterisk.ami.refuses.discard, refused)
            case _:
                pass

    def _killed(self, for_s: float) -> None:
        self.site.kill_service()
        self.site.loop.call_later(for_s, self._comes_back, context=self.site.loop.in_life("world"))

    def _crashes(self, times: int, blow: Blow) -> None:
        """Its next life is killed as soon as it has started, and so on."""
        site = self.site
        site.kill_service()
        if times:
            site.loop.call_later(0.2 + blow.for_s / 2, self._starts_and_crashes, times, blow)
        else:
            site.loop.call_later(0.2, self._comes_back)

    def _starts_and_crashes(self, times: int, blow: Blow) -> None:
        site = self.site
        if not site.serves:
            site.start_service()
            crash = partial(self._crashes, times - 1, blow)
            site.loop.kill_after(site.life, 150 + 10 * blow.count, crash)

    async def _stopped(self, for_s: float) -> None:
        await self.site.stop_service()
        await asyncio.sleep(for_s)
        self._comes_back()

    def _comes_back(self) -> None:
        if not self.site.serves:
            self.site.start_service()
