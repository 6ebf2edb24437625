"""A simulated Asterisk with one channel, one disk and one store, for any order of events.

It knows the *truth* (what the caller heard, what was kept) and gives the domain only what a
real Asterisk would tell. The rules that are held against the truth are in
``test_call_machine.py``; what a real Asterisk does is in ``docs/asterisk-facts.md``. Everybody
else in the call is in ``simulated_legs.py``.
"""

from __future__ import annotations

from bisect import insort
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.domain.call import machine as rules
from asterisk_compliance.domain.call.commands import (
    Announce,
    AnswerCommand,
    AppendRow,
    AwaitRows,
    CaptureOptions,
    ClearDeadline,
    Command,
    CommandStep,
    CommitCommand,
    Continue,
    Deadline,
    Forget,
    HandOver,
    Judge,
    Play,
    RemoveRecording,
    RemoveSpooled,
    SetDeadline,
    StopCapture,
    StopPlayback,
)
from asterisk_compliance.domain.call.decision import Reason
from asterisk_compliance.domain.call.events import (
    CallEvent,
    CaptureGoesOn,
    CaptureStopped,
    ChannelGone,
    CommandFailed,
    Continued,
    DeadlinePassed,
    DigitReceived,
    FileAppeared,
    HangupRequested,
    LeftStasis,
    MixMonitorStarted,
    PlaybackFinished,
    PlaybackStarted,
    RecordingJudged,
    RecordingRemoved,
    RowsLate,
    RowsRefused,
    SpoolRemoved,
)
from asterisk_compliance.domain.call.state import Arrival, Call, CallLimits
from asterisk_compliance.domain.policy.notice import Consent
from asterisk_compliance.ids import PlaybackId, RecordingId
from domain.simulated_recorder import Fault, Recorder
from domain.simulated_store import Store, Stored
from domain.simulator import ANNOUNCEMENT_MS, CALL, CHANNEL, KEYS, LIMITS, NOTICE_MS

SLOWEST_MS = 100
"""We are told of a fact within this time; the domain is built on that (``SLIP_BEFORE_MS``)."""


@dataclass(order=True)
class Post:
    """An event on its way to us: it reaches us at ``at_ms``, in the order in which it was sent."""

    at_ms: int
    number: int
    event: CallEvent = field(compare=False)


@dataclass
class World:
    """What is really so. ``perform`` lets the commands of the domain act on it.

    Attributes:
        ami_lag_ms: How long after the fact AMI tells it.
        slow_ms: How long Asterisk takes to do what steers a MixMonitor.
        refuses: Commands that Asterisk does not obey now.
        inbox: What we have not been told yet.
        outcomes: Answers that a call waited for: they come before anything else.
    """

    call: Call | None = None
    limits: CallLimits = LIMITS
    now_ms: int = 0
    store: Store = field(default_factory=Store)
    reachable: bool = True
    prompt_exists: bool = True
    ami_lag_ms: int = 0
    slow_ms: int = 0
    refuses: set[type[Command]] = field(default_factory=set)

    in_stasis: bool = True
    hung_up: bool = False
    over: bool = False
    answered: bool = False
    bridged: bool = False
    playing: PlaybackId | None = None
    playing_since: int | None = None
    plays_notice: bool = False
    heard_whole: bool = False
    result: HandOver | None = None
    recorder: Recorder = field(default_factory=Recorder)

    inbox: list[Post] = field(default_factory=list)
    posted: int = 0
    outcomes: deque[CallEvent] = field(default_factory=deque)
    done: list[Command] = field(default_factory=list)
    effects_without_row: list[Command] = field(default_factory=list)
    captured_unheard: bool = False
    waits: set[Deadline] = field(default_factory=set)
    told_keys: list[str] = field(default_factory=list)
    captured_against_consent: bool = False

    # -- time ----------------------------------------------------------------------------

    def pass_time(self, ms: int) -> None:
        if ms > 0:
            told, others = self.faults()
            self.recorder.hear(ms, bridged=self.bridged, told=told, others=others)
            self.now_ms += ms

    def live_through(self, ms: int) -> None:
        """Time passes, and we are told of every fact within ``SLOWEST_MS``."""
        until = self.now_ms + ms
        patience_ms = SLOWEST_MS - self.ami_lag_ms
        while self.inbox and self.inbox[0].at_ms + patience_ms < until:
            self.pass_time(self.inbox[0].at_ms + patience_ms - self.now_ms)
            self.tell()
        self.pass_time(until - self.now_ms)

    def faults(self) -> tuple[Iterable[Fault], Iterable[Fault]]:
        """Why what the told party says now must not be kept, and what the others say."""
        return (), ()

    # -- the domain's side ---------------------------------------------------------------

    def post(self, event: CallEvent, *, lag_ms: int = 0) -> None:
        """Something that we shall be told after ``lag_ms``, as its time stamp then says."""
        self.posted += 1
        insort(self.inbox, Post(self.now_ms + lag_ms, self.posted, event))

    def tell(self) -> None:
        """Give the domain the next thing that happened."""
        post = self.inbox.pop(0)
        self.pass_time(post.at_ms - self.now_ms)
        self.feed(post.event)

    def tell_all(self) -> None:
        while self.inbox:
            self.tell()

    def arrive(self, value: Arrival) -> None:
        self.call, commands = rules.arrive(CALL, value, self.limits)
        self.perform(commands)

    def feed(self, event: CallEvent) -> None:
        """One fact, and what follows from it until the call waits for the next."""
        self._step(event)
        self._hear_outcomes()

    def _hear_outcomes(self) -> None:
        while self.outcomes:
            self._step(self.outcomes.popleft())

    def _step(self, event: CallEvent) -> None:
        assert self.call is not None
        if isinstance(event, DigitReceived) and self.call.undecided:
            self.told_keys.append(event.digit)
        self.call, commands = rules.step(self.call, event)
        self.perform(commands)

    def perform(self, commands: tuple[Command, ...]) -> None:
        """Do what the shell would do: rows of one step are stored together, or none is."""
        if self.over:
            assert commands == (), "something is done for a call that is over"
        pending: list[AppendRow] = []
        for at, command in enumerate(commands):
            self.done.append(command)
            match command:
                case AppendRow():
                    self.store.attempted.append(command)
                    pending.append(command)
                case CommitCommand():
                    undone = commands[at + 1 :]
                    stored = self.store.commit(pending, undone)
                    if stored is not Stored.YES:
                        late = stored is Stored.LATE
                        refused = RowsRefused(at_commit=True, undone=undone)
                        self._step(RowsLate(undone) if late else refused)
                        return
                    pending = []
                case AwaitRows():
                    self.outcomes += self.store.settle()
                case Announce() | Judge() | RemoveSpooled() | StopCapture():
                    self._append(pending)
                    pending = []
                    self._perform(command)
                case _:
                    self._perform(command)
        self._append(pending)

    def _append(self, rows: list[AppendRow]) -> None:
        if not self.store.append(rows):
            self.post(RowsRefused())

    def late_rows_settle(self) -> None:
        self.outcomes += self.store.settle()
        self._hear_outcomes()

    def _perform(self, command: Command) -> None:  # noqa: C901, PLR0912 - one arm a command
        match command:
            case AnswerCommand():
                self.answered |= not self._refuse(CommandStep.ANSWER)
            case Play(playback=playback, media=media):
                if self._refuse(CommandStep.PLAY):
                    return
                self.playing, self.plays_notice = playback, media.endswith("notice")
                self.post(PlaybackStarted(playback, self.now_ms, self.now_ms))
                if self.prompt_exists:
                    self.playing_since = self.now_ms
                else:
                    self._finish(done=False)
            case StopPlayback():
                if self.playing is not None:
                    self._finish(done=True)
            case HandOver():
                if self._refuse(CommandStep.HAND_OVER):
                    return
                self.result = command
                if command.start and not self.store.requested(command.recording):
                    self.effects_without_row.append(command)
            case Continue():
                if not self._refuse(CommandStep.CONTINUE):
                    self.in_stasis = False
                    self.post(Continued(self.now_ms))
                    self.post(LeftStasis())
                    self.dialplan_goes_on()
            case SetDeadline(deadline=deadline):
                self.waits.add(deadline)
            case ClearDeadline(deadline=deadline):
                self.waits.discard(deadline)
            case StopCapture(recording=recording):
                self._stop_capture(recording)
            case Judge(recording=recording, expected=expected):
                self.post(RecordingJudged(recording, self.recorder.judge(recording, expected)))
            case RemoveSpooled(recording=recording):
                self._remove_spooled(command, recording)
            case Forget():
                self.over = True
            case RemoveRecording(recording=recording):
                self.post(RecordingRemoved(recording, gone=True))
            case _:
                pass

    def _stop_capture(self, recording: RecordingId) -> None:
        self.pass_time(self.slow_ms)
        self.recorder.stop_asked = True
        if not self._obeys(StopCapture) or self.recorder.running is None:
            self.outcomes.append(CaptureGoesOn(recording))
            return
        self.recorder.end()
        self.outcomes.append(CaptureStopped(recording, self.now_ms))

    def _remove_spooled(self, command: Command, recording: RecordingId) -> None:
        if not self.store.concluded(recording, Kind.RECORDING_CLOSED, Kind.RECORDING_EMPTY):
            self.effects_without_row.append(command)
        self.recorder.files[recording].in_spool = False
        self.post(SpoolRemoved(recording, 2))

    def _refuse(self, step: CommandStep) -> bool:
        if self.reachable and self.in_stasis and not self.hung_up:
            return False
        self.post(CommandFailed(step, reachable=self.reachable))
        return True

    def _obeys(self, command: type[Command]) -> bool:
        return self.reachable and not self.hung_up and command not in self.refuses

    # -- Asterisk's side -----------------------------------------------------------------

    def dialplan_goes_on(self) -> None:
        """The routine behind Stasis(): MixMonitor only where the result names this channel."""
        result = self.result
        if result is None or self.hung_up or not result.start or result.channel != CHANNEL:
            return
        assert result.recording is not None
        assert result.options is not None
        self._monitor(result.recording, result.options)
        self.captured_unheard |= not self.heard_whole
        self.captured_against_consent |= not self._consented()
        self.result = None

    def _monitor(self, recording: RecordingId, options: CaptureOptions) -> None:
        """MixMonitor runs, and both wires tell it."""
        self.recorder.begin(recording, others=options.others, bridged_only=options.bridged_only)
        self.post(MixMonitorStarted(self.now_ms + self.ami_lag_ms), lag_ms=self.ami_lag_ms)
        self.post(FileAppeared(recording, self.now_ms))

    def _consented(self) -> bool:
        assert self.call is not None
        assert self.call.policy is not None
        match self.call.policy.consent:
            case Consent.NOTICE:
                return True
            case Consent.OPT_OUT:
                return KEYS.refuse not in self.told_keys
            case Consent.OPT_IN:
                return KEYS.accept in self.told_keys and KEYS.refuse not in self.told_keys

    def wait_ends(self, deadline: Deadline) -> None:
        """A time-out that was set passes."""
        self.waits.discard(deadline)
        self.post(DeadlinePassed(deadline, self.now_ms))

    def press(self, digit: str) -> None:
        """A key; Asterisk reports it when it is released."""
        self.post(DigitReceived(digit, self.now_ms))

    def dialplan_takes_back(self) -> None:
        """The routine's own time limit: it goes on as if we had released the channel."""
        self.in_stasis = False
        self.playing = self.playing_since = None
        self.post(LeftStasis())
        self.dialplan_goes_on()

    def playback_is_over(self, *, cut_short_ms: int = 0) -> None:
        """``done`` either way: Asterisk does not tell a stopped playback from a whole one."""
        assert self.playing_since is not None
        length_ms = NOTICE_MS if self.plays_notice else ANNOUNCEMENT_MS
        playback = self.playing
        self.live_through(self.playing_since + length_ms - cut_short_ms - self.now_ms)
        if self.playing != playback:
            return  # it was ended, or another was begun, before it could end
        self.heard_whole |= self.plays_notice and cut_short_ms == 0
        self._finish(done=True)

    def _finish(self, *, done: bool) -> None:
        assert self.playing is not None
        self.post(PlaybackFinished(self.playing, done, self.now_ms, self.now_ms))
        self.playing = self.playing_since = None

    def hang_up(self, *, ami_first: bool = False) -> None:
        """Both wires tell the end; the first is believed."""
        self.hung_up, self.bridged = True, False
        self.post(HangupRequested())
        if self.playing_since is not None:
            self._finish(done=False)
        if self.in_stasis:
            self.post(LeftStasis())
        self.in_stasis = False
        self.recorder.end()
        lag_ms = self.ami_lag_ms if ami_first else 0
        self.post(ChannelGone(self.now_ms + lag_ms), lag_ms=lag_ms)

    def decisions(self) -> list[Reason]:
        return [Reason(str(r.detail["reason"])) for r in self.store.rows if r.kind is Kind.DECISION]
