"""A simulated Asterisk with one channel, one disk and one store, for any order of events.

It knows the *truth* (what the caller heard, what was kept) and gives the domain only what a
real Asterisk would tell. The rules that are held against the truth are in
``test_call_machine.py``; what a real Asterisk does is in ``docs/asterisk-facts.md``.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from asterisk_compliance.domain import call as rules
from asterisk_compliance.domain.call_state import Arrival, Call, Limits
from asterisk_compliance.domain.commands import (
    Answer,
    AppendRow,
    ClearDeadline,
    Command,
    Commit,
    Continue,
    Forget,
    HandOver,
    Judge,
    Play,
    RemoveSpooled,
    SetDeadline,
    StopCapture,
    StopPlayback,
)
from asterisk_compliance.domain.decision import Reason
from asterisk_compliance.domain.events import (
    ChannelGone,
    CommandFailed,
    Continued,
    Deadline,
    DeadlinePassed,
    DigitReceived,
    Entry,
    Event,
    HangupRequested,
    Judged,
    LeftStasis,
    PlaybackFinished,
    PlaybackStarted,
    RowsRefused,
    SpoolRemoved,
    Step,
)
from asterisk_compliance.domain.notice import (
    Announcement,
    CaptureFrom,
    Consent,
    Keys,
    Notice,
    OnProblem,
    Policy,
    Prompt,
    Wording,
)
from asterisk_compliance.domain.purposes import PurposeCode
from asterisk_compliance.domain.recording import Measured, Track, judge
from asterisk_compliance.domain.rows import Kind
from asterisk_compliance.ids import ChannelId, PlaybackId, call_id

NOTICE_MS, ANNOUNCEMENT_MS = 1_000, 400
LIMITS = Limits(notice_margin_ms=500, dialplan_ms=3_000, growth_ms=300, stop_ms=200)
CALL = call_id(1_700_000_000_000, b"simulate")
CHANNEL = ChannelId("1700000000.1")


KEYS = Keys(accept="1", refuse="9", repeat="*", language="#")


def policy(
    capture: CaptureFrom = CaptureFrom.BRIDGED,
    consent: Consent = Consent.NOTICE,
    on_problem: OnProblem = OnProblem.CONTINUE,
) -> Policy:
    """Asks by the keys 1, 9, * and # in two languages; says all that it may have to say."""
    wordings = {
        language: Wording(
            language,
            "録音します",
            f"sound:/prompts/{language}/notice",
            NOTICE_MS,
            "t" * 64,
            "a" * 64,
        )
        for language in ("ja", "en")
    }
    notice = Notice("standard", "1", (PurposeCode("SERVICE"),), wordings)
    announcements = {
        kind: {
            language: Prompt(f"sound:/prompts/{language}/{kind}", ANNOUNCEMENT_MS)
            for language in wordings
        }
        for kind in Announcement
    }
    return Policy(
        "inbound",
        notice,
        ("ja", "en"),
        capture,
        "p" * 64,
        consent=consent,
        keys=KEYS,
        grace_ms=200,
        repeats_max=1,
        on_refusal=on_problem,
        on_notice_failure=on_problem,
        announcements=announcements,
    )


def arrival(**changed: object) -> Arrival:
    values: dict[str, object] = {
        "channel": CHANNEL,
        "linkedid": CHANNEL,
        "entry": Entry.ARI,
        "at_ms": 0,
        "policy": policy(),
        "policy_name": "inbound",
    }
    return Arrival(**{**values, **changed})  # type: ignore[arg-type]


@dataclass
class World:
    """What is really so. ``perform`` lets the commands of the domain act on it."""

    call: Call | None = None
    now_ms: int = 0
    store_works: bool = True
    reachable: bool = True
    prompt_exists: bool = True

    in_stasis: bool = True
    hung_up: bool = False
    answered: bool = False
    playing: PlaybackId | None = None
    playing_since: int | None = None
    plays_notice: bool = False
    heard_whole: bool = False
    result: HandOver | None = None
    monitor_runs: bool = False
    spooled: bool = False
    audio: bool = False

    inbox: list[Event] = field(default_factory=list)
    done: list[Command] = field(default_factory=list)
    rows: list[AppendRow] = field(default_factory=list)
    effects_without_row: list[Command] = field(default_factory=list)
    captured_unheard: bool = False
    rows_lost: bool = False
    waits: set[Deadline] = field(default_factory=set)
    told_keys: list[str] = field(default_factory=list)
    captured_against_consent: bool = False

    # -- the domain's side ---------------------------------------------------------------

    def arrive(self, value: Arrival) -> None:
        self.call, commands = rules.arrive(CALL, value, LIMITS)
        self.perform(commands)

    def feed(self, event: Event) -> None:
        assert self.call is not None
        if isinstance(event, DigitReceived) and self.call.undecided:
            self.told_keys.append(event.digit)
        self.call, commands = rules.step(self.call, event)
        self.perform(commands)

    def perform(self, commands: tuple[Command, ...]) -> None:
        """Do what the shell would do: rows of one step are stored together, or none is."""
        if Forget() in self.done:
            assert commands == (), "something is done for a call that is over"
        pending: list[AppendRow] = []
        for command in commands:
            self.done.append(command)
            match command:
                case AppendRow():
                    pending.append(command)
                case Commit() if not self.store_works:
                    self.rows_lost = True
                    self.feed(RowsRefused(at_commit=True))  # told before anything else
                    return
                case Commit():
                    self.rows += pending
                    pending = []
                case _:
                    self._perform(command)
        if self.store_works:
            self.rows += pending
        elif pending:
            self.rows_lost = True
            self.inbox.append(RowsRefused())

    def _perform(self, command: Command) -> None:  # noqa: C901, PLR0912 - one arm a command
        match command:
            case Answer():
                self._refuse(Step.ANSWER) or setattr(self, "answered", True)
            case Play(playback=playback, media=media):
                if self._refuse(Step.PLAY):
                    return
                self.playing, self.plays_notice = playback, media.endswith("notice")
                self.inbox.append(PlaybackStarted(playback, self.now_ms, self.now_ms))
                if self.prompt_exists:
                    self.playing_since = self.now_ms
                else:
                    self._finish(done=False)
            case StopPlayback():
                if self.playing is not None:
                    self._finish(done=True)
            case HandOver():
                if self._refuse(Step.HAND_OVER):
                    return
                self.result = command
                if command.start and not self._durable(Kind.RECORDING_REQUESTED):
                    self.effects_without_row.append(command)
            case Continue():
                if not self._refuse(Step.CONTINUE):
                    self.in_stasis = False
                    self.inbox += [Continued(self.now_ms), LeftStasis()]
                    self.dialplan_goes_on()
            case SetDeadline(deadline=deadline):
                self.waits.add(deadline)
            case ClearDeadline(deadline=deadline):
                self.waits.discard(deadline)
            case StopCapture():
                self.monitor_runs = False
            case Judge(recording=_, expected_ms=expected_ms):
                length_ms = 500 if self.audio else 0
                track = Track(length_ms, length_ms, "d" * 64, closed=True)
                measured = Measured(track, track) if self.spooled else Measured(None, None)
                self.inbox.append(Judged(judge(measured, expected_ms)))
            case RemoveSpooled():
                if not self._durable(Kind.RECORDING_CLOSED, Kind.RECORDING_EMPTY):
                    self.effects_without_row.append(command)
                self.spooled = False
                self.inbox.append(SpoolRemoved(2))
            case _:
                pass

    def _durable(self, *kinds: Kind) -> bool:
        return any(row.kind in kinds for row in self.rows)

    def _refuse(self, step: Step) -> bool:
        if self.reachable and self.in_stasis and not self.hung_up:
            return False
        self.inbox.append(CommandFailed(step, reachable=self.reachable))
        return True

    # -- Asterisk's side -----------------------------------------------------------------

    def dialplan_goes_on(self) -> None:
        """The routine behind Stasis(): MixMonitor only where the result names this channel."""
        result = self.result
        if result is None or self.hung_up or not result.start or result.channel != CHANNEL:
            return
        self.monitor_runs = self.spooled = True
        self.captured_unheard |= not self.heard_whole
        self.captured_against_consent |= not self._consented()
        self.result = None

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
        self.inbox.append(DeadlinePassed(deadline, self.now_ms))

    def press(self, digit: str) -> None:
        """A key; Asterisk reports it when it is released."""
        self.inbox.append(DigitReceived(digit, self.now_ms))

    def dialplan_takes_back(self) -> None:
        """The routine's own time limit: it goes on as if we had released the channel."""
        self.in_stasis = False
        self.playing = self.playing_since = None
        self.inbox.append(LeftStasis())
        self.dialplan_goes_on()

    def playback_is_over(self, *, cut_short_ms: int = 0) -> None:
        """``done`` either way: Asterisk does not tell a stopped playback from a whole one."""
        assert self.playing_since is not None
        length_ms = NOTICE_MS if self.plays_notice else ANNOUNCEMENT_MS
        self.now_ms = max(self.now_ms, self.playing_since + length_ms - cut_short_ms)
        self.heard_whole |= self.plays_notice and cut_short_ms == 0
        self._finish(done=True)

    def _finish(self, *, done: bool) -> None:
        assert self.playing is not None
        self.inbox.append(PlaybackFinished(self.playing, done, self.now_ms, self.now_ms))
        self.playing = self.playing_since = None

    def hang_up(self) -> None:
        self.hung_up = True
        self.inbox.append(HangupRequested())
        if self.playing_since is not None:
            self._finish(done=False)
        if self.in_stasis:
            self.inbox.append(LeftStasis())
        self.in_stasis = self.monitor_runs = False
        self.inbox.append(ChannelGone(self.now_ms))

    def decisions(self) -> list[Reason]:
        return [Reason(str(r.detail["reason"])) for r in self.rows if r.kind is Kind.DECISION]
