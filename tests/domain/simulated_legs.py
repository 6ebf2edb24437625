"""Everybody else in the simulated call, and all that is steered in mid-call.

Truth: a party is *covered* while it is staff, was told, was assumed or accepted, or heard a whole
whisper. What is heard of anybody else is a fault, from its first sample on; what somebody paused
or withdrew is one from the moment on that the domain was told.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from asterisk_compliance.domain.audit.rows import Actor, Kind
from asterisk_compliance.domain.call.commands import (
    AppendRow,
    CancelSegment,
    Command,
    CommandStep,
    CommitCommand,
    Deadline,
    EndWhisper,
    HangUp,
    Mute,
    Redirect,
    SetMute,
    StartSegment,
    Whisper,
)
from asterisk_compliance.domain.call.events import (
    Bridged,
    CallEvent,
    CommandFailed,
    CompanyChanged,
    DeadlinePassed,
    FileAppeared,
    MuteChanged,
    MuteRefused,
    PauseAsked,
    PlaybackFinished,
    PlaybackStarted,
    ResumeAsked,
    SegmentRefused,
    Unbridged,
    WithdrawalAsked,
)
from asterisk_compliance.domain.call.participants import CoverageBasis, Participant
from asterisk_compliance.domain.policy.notice import AgentConsent, Consent, OnJoin, Policy
from asterisk_compliance.ids import ChannelId, RecordingId
from domain.simulated_recorder import SILENT_MS, Fault, Presence
from domain.simulated_world import World
from domain.simulator import ANNOUNCEMENT_MS, CHANNEL, NOTICE_MS, arrival
from values import replace


@dataclass(frozen=True)
class Told:
    """What is being said to one party of the running call."""

    command: Whisper
    since_ms: int

    @property
    def is_notice(self) -> bool:
        return self.command.media.endswith("notice")


@dataclass
class Legs(World):
    """The told party in the dialplan, and whoever comes and leaves.

    Attributes:
        there: Who is heard on the told party's channel, by channel.
        safe: Channels that may be kept, by what really happened to them.
        asked_to_begin: What the next routine run begins; ``beginning`` is out of our hands.
        pausers, withdrawn: As the domain was told.
        seen: Recordings whose files the domain was told of.
    """

    staff_known: bool = False
    segments: bool = True
    there: dict[ChannelId, tuple[Participant, Presence]] = field(default_factory=dict)
    safe: set[ChannelId] = field(default_factory=set)
    met: bool = False
    told_of: deque[list[Presence]] = field(default_factory=deque)
    told_peers: tuple[Participant, ...] = ()
    seen: set[RecordingId] = field(default_factory=set)
    telling: Told | None = None
    asked_to_begin: StartSegment | None = None
    beginning: StartSegment | None = None
    asked_mute: Mute = Mute.NONE
    pausers: set[str] = field(default_factory=set)
    withdrawn: bool = False
    begun_without_row: list[Command] = field(default_factory=list)
    begun_after_withdrawal: list[Command] = field(default_factory=list)
    begun_too_early: list[Command] = field(default_factory=list)
    wrong_rows: list[str] = field(default_factory=list)
    not_stopped: list[CallEvent] = field(default_factory=list)

    # -- who may be kept -----------------------------------------------------------------

    @property
    def policy(self) -> Policy:
        assert self.call is not None
        assert self.call.policy is not None
        return self.call.policy

    def faults(self) -> tuple[Iterable[Fault], Iterable[Fault]]:
        if self.recorder.running is None:
            return (), ()
        told = [Fault("paused")] if self.pausers else []
        told += [Fault("withdrawn")] if self.withdrawn else []
        others = list(told) if self.there else []
        for peer, presence in self.there.values():
            if peer.channel not in self.safe:
                others.append(Fault(f"{peer.channel} is not covered", presence))
            if self.policy.agent_consent is AgentConsent.REQUIRED and not peer.consenting:
                others.append(Fault(f"{peer.channel} does not consent", presence))
        return told, others

    def _is_somebody_untold(self) -> bool:
        """Somebody is there of whom the domain knows, and who is not covered."""
        return any(p.domain_knows and c not in self.safe for c, (_, p) in self.there.items())

    def _is_safe(self, peer: Participant) -> bool:
        match peer.cover:
            case CoverageBasis.STAFF | CoverageBasis.TOLD:
                return True
            case CoverageBasis.REFUSED:
                return False
            case CoverageBasis.UNKNOWN:
                assumed = not self.met and not self.staff_known
                accepted = self.policy.on_join is OnJoin.CONTINUE
                return assumed or accepted or peer.channel in self.safe

    # -- who comes and leaves ------------------------------------------------------------

    def company_becomes(self, *peers: Participant, two_party: bool = True) -> None:
        """All at once, as after an attended transfer. AMI tells it a little later."""
        at_ms = self.now_ms + self.ami_lag_ms
        before, self.there = self.there, {}
        for peer in peers:
            _, presence = before.get(peer.channel, (peer, Presence(peer.channel)))
            self.there[peer.channel] = peer, presence
            (self.safe.add if self._is_safe(peer) else self.safe.discard)(peer.channel)
        self.met |= bool(peers)
        if bool(peers) != self.bridged:
            self.bridged = bool(peers)
            self.post(Bridged(at_ms) if peers else Unbridged(at_ms), lag_ms=self.ami_lag_ms)
        changed = CompanyChanged(at_ms, tuple(sorted(peers)), two_party=two_party)
        self.post(changed, lag_ms=self.ami_lag_ms)
        self.told_of.append([presence for _, presence in self.there.values()])
        if self.telling and self.telling.command.channel not in {CHANNEL, *self.there}:
            self.whisper_ends(done=False)

    def peers(self) -> list[Participant]:
        return [peer for peer, _ in self.there.values()]

    def hang_up(self, *, ami_first: bool = False) -> None:
        if self.there:
            self.company_becomes()
        if self.telling is not None:
            self.whisper_ends(done=False)
        self.asked_to_begin = self.beginning = None
        super().hang_up(ami_first=ami_first)

    # -- what the domain is told, and what must follow at once -----------------------------

    def feed(self, event: CallEvent) -> None:
        assert self.call is not None
        match event:
            case CompanyChanged(peers=peers):
                self.told_peers = peers
                for presence in self.told_of.popleft():
                    presence.domain_knows = True
            case FileAppeared(recording=recording):
                self.seen.add(recording)
            case PauseAsked(by=by) if self._can_pause():
                self.pausers.add(by.source)
            case ResumeAsked(by=by, everybody=everybody):
                self.pausers -= set(self.pausers) if everybody else {by.source}
            case WithdrawalAsked(by=by) if not (self.pausers and by.actor == Actor.CALLER):
                self.withdrawn = True
            case DeadlinePassed(deadline=Deadline.PAUSE):
                self.pausers.clear()
            case _:
                pass
        super().feed(event)
        if not self.call.capture.is_wanted:
            self.pausers.clear()
        seen = self.recorder.running in self.seen
        if self._must_not_run() and seen and not self.recorder.stop_asked:
            self.not_stopped.append(event)

    def _can_pause(self) -> bool:
        assert self.call is not None
        return self.call.capture.is_wanted

    def _must_not_run(self) -> bool:
        covers = {peer.cover for peer in self.told_peers}
        nobody_of_us = self.staff_known and bool(covers) and CoverageBasis.STAFF not in covers
        return self.withdrawn or CoverageBasis.REFUSED in covers or nobody_of_us

    # -- what the domain does --------------------------------------------------------------

    def perform(self, commands: tuple[Command, ...]) -> None:
        self._check_rows(commands)
        super().perform(commands)

    def _check_rows(self, commands: tuple[Command, ...]) -> None:
        """What is captured again is said, behind a commit, by the row before it."""
        rows = [c.detail for c in commands if isinstance(c, AppendRow)]
        for at, command in enumerate(commands):
            if not isinstance(command, SetMute) or command.mute.level >= self.asked_mute.level:
                continue
            said = [
                c.detail["mute"]
                for c in commands[:at]
                if isinstance(c, AppendRow) and c.kind is Kind.CAPTURE_RESUMED
            ]
            if CommitCommand() not in commands[:at] or not said:
                self.begun_without_row.append(command)
            elif said[-1] != command.mute:
                self.wrong_rows.append(f"{said} before {command}: {rows}")

    def _perform(self, command: Command) -> None:  # noqa: C901, PLR0912 - one arm a command
        match command:
            case SetMute(mute=mute):
                self._set_mute(mute)
            case StartSegment(recording=recording):
                if not self.store.requested(recording):
                    self.begun_without_row.append(command)
                if self.withdrawn:
                    self.begun_after_withdrawal.append(command)
                if self.recorder.running and (self.pausers or self._is_somebody_untold()):
                    self.begun_too_early.append(command)
                self.asked_to_begin = command
                if not self._obeys(StartSegment):
                    self.outcomes.append(SegmentRefused(recording, self.now_ms))
            case CancelSegment():
                self.asked_to_begin = None
            case Whisper():
                self._whisper(command)
            case EndWhisper():
                if self.telling is not None:
                    self.whisper_ends(done=True)
            case Redirect():
                if not self.hung_up:
                    self.company_becomes()
            case HangUp():
                if not self.hung_up:
                    self.hang_up()
            case _:
                super()._perform(command)

    def _set_mute(self, mute: Mute) -> None:
        self.pass_time(self.slow_ms)
        self.asked_mute = mute
        if not self._obeys(SetMute) or self.recorder.running is None:
            self.outcomes.append(MuteRefused(mute, self.now_ms))
            return
        self.recorder.set_mute(mute)
        self.outcomes.append(MuteChanged(mute, self.now_ms))

    def _whisper(self, command: Whisper) -> None:
        there = command.channel in {CHANNEL, *self.there}
        if not there or not self._obeys(Whisper):
            self.post(CommandFailed(CommandStep.WHISPER))
            return
        self.telling = Told(command, self.now_ms)
        self.post(PlaybackStarted(command.playback, self.now_ms, self.now_ms))

    # -- Asterisk's side -------------------------------------------------------------------

    def whisper_is_over(self, *, cut_short_ms: int = 0) -> None:
        """To its end, or a part of it; Asterisk says ``done`` of either."""
        assert self.telling is not None
        length_ms = NOTICE_MS if self.telling.is_notice else ANNOUNCEMENT_MS
        telling = self.telling
        self.live_through(telling.since_ms + length_ms - cut_short_ms - self.now_ms)
        if self.telling is not telling:
            return  # it was ended before it could end
        if self.telling.is_notice and cut_short_ms == 0:
            peer, _ = self.there[self.telling.command.channel]
            if peer.cover is not CoverageBasis.REFUSED:
                self.safe.add(peer.channel)
        self.whisper_ends(done=True)

    def whisper_ends(self, *, done: bool) -> None:
        assert self.telling is not None
        playback, self.telling = self.telling.command.playback, None
        self.post(PlaybackFinished(playback, done, self.now_ms, self.now_ms))

    def routine_reads_the_wish(self) -> None:
        """The feature runs: from now on nobody can take the wish back."""
        self.beginning, self.asked_to_begin = self.asked_to_begin, None

    def segment_begins(self) -> None:
        """The old MixMonitor is stopped, there is silence for a moment, the new one runs."""
        wish = self.beginning or self.asked_to_begin
        assert wish is not None
        self.beginning = self.asked_to_begin = None
        self.recorder.end()
        self.pass_time(SILENT_MS)
        self._monitor(wish.recording, wish.options)
        self.asked_mute = Mute.NONE


def in_dialplan(world: Legs, policy: Policy) -> None:
    """The told party has heard the notice to the end, and is on its way to whoever it called."""
    wiring = replace(arrival().wiring, staff_known=world.staff_known, segments=world.segments)
    world.arrive(arrival(policy=policy, wiring=wiring))
    world.tell_all()
    world.playback_is_over()
    world.tell_all()
    if policy.consent is Consent.OPT_IN:
        world.press(policy.keys.accept)
    elif policy.consent is Consent.OPT_OUT:
        world.wait_ends(Deadline.GRACE)
    world.tell_all()
