"""Bugs put into the service on purpose: each must be found, or the simulation proves nothing.

The last ones are defects that the simulation found in the service, and that were mended.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from unittest import mock

from asterisk_compliance.app.audit.call_rows import CallRows, CommitOutcome
from asterisk_compliance.app.calls import leg_tracking
from asterisk_compliance.app.calls.asterisk_listeners import AmiEventRouter
from asterisk_compliance.app.calls.call_task import CallTask
from asterisk_compliance.app.calls.channel_control import ChannelControl
from asterisk_compliance.app.calls.leg_tracking import EndpointDirectory
from asterisk_compliance.app.calls.recovery import resumption as recovery
from asterisk_compliance.app.calls.recovery import untracked as standing
from asterisk_compliance.app.recordings.intake import RecordingIntake
from asterisk_compliance.domain.call import recovery as call_recovery
from asterisk_compliance.domain.call.commands import (
    ClearDeadline,
    CommitCommand,
    Deadline,
    Mute,
    RemoveSpooled,
    SetDeadline,
)
from asterisk_compliance.domain.call.events import DigitReceived
from asterisk_compliance.domain.call.participants import CoverageBasis, Participant
from asterisk_compliance.domain.call.transitions import (
    capture as call_capture,
)
from asterisk_compliance.domain.call.transitions import (
    notice as call_notice,
)
from asterisk_compliance.domain.call.transitions import (
    participants as call_company,
)
from asterisk_compliance.domain.call.transitions import (
    visibility_gaps as call_unseen,
)
from asterisk_compliance.domain.recording.verdict import Expected
from asterisk_compliance.ids import CallId
from asterisk_compliance.storage.log.reader import StoreReader
from simulation.schedule import Fault
from values import replace


@dataclass(frozen=True)
class Bug:
    """A defect.

    Attributes:
        says: Words that one of the findings must hold: it is found for what it is.
        among: Faults under which it is looked for.
        likely: The seed that showed it when this was written; it is tried first.
    """

    name: str
    plant: Callable[[], contextlib.AbstractContextManager[Any]]
    says: str
    among: frozenset[Fault] = frozenset()
    likely: int = 0

    def find(
        self, run: Callable[[int, frozenset[Fault]], list[str]], seeds: Iterable[int]
    ) -> tuple[int, str] | None:
        """The first seed that shows it, and what is said of it."""
        with self.plant():
            for seed in (self.likely, *seeds):
                for finding in run(seed, self.among):
                    if self.says in finding:
                        return seed, finding
        return None


def _instead(of: Any, name: str, by: Any) -> Callable[[], Any]:
    return lambda: mock.patch.object(of, name, by)


async def _commit_does_not_wait(
    rows: CallRows, drafts: Any, behind: Any, *, patient: bool = False
) -> CommitOutcome:
    rows._append(drafts).add_done_callback(lambda done: done.exception())
    return CommitOutcome.STORED


async def _late_rows_are_waited_for(
    rows: CallRows, drafts: Any, behind: Any, *, patient: bool = False
) -> CommitOutcome:
    await rows._append(drafts)
    return CommitOutcome.STORED


@contextlib.contextmanager
def _the_restarted_decide_again() -> Iterator[None]:
    strand = standing.resume_stranded_call
    with mock.patch.object(
        standing, "resume_stranded_call", lambda *given, decided: strand(*given, decided=False)
    ):
        yield


@contextlib.contextmanager
def _spool_goes_first() -> Iterator[None]:
    taking_in = call_capture.taking_in

    def hasty(*given: Any) -> Any:
        after, commands = taking_in(*given)
        if not any(isinstance(one, RemoveSpooled) for one in commands):
            return after, commands
        rows = [one for one in commands if not isinstance(one, RemoveSpooled | CommitCommand)]
        gone = [one for one in commands if isinstance(one, RemoveSpooled)]
        return after, (*gone, *rows)

    with mock.patch("asterisk_compliance.domain.call.machine.taking_in", hasty):
        yield


@contextlib.contextmanager
def _no_limit_to_a_notice() -> Iterator[None]:
    start = CallTask._start

    def forgetful(task: CallTask, command: Any) -> None:
        if isinstance(command, SetDeadline | ClearDeadline) and command.deadline is Deadline.NOTICE:
            return  # nor is it taken back
        start(task, command)

    with mock.patch.object(CallTask, "_start", forgetful):
        yield


@contextlib.contextmanager
def _a_refusal_is_not_heard() -> Iterator[None]:
    before_decision = call_notice.before_decision

    def deaf(call: Any, stage: Any, event: Any) -> Any:
        digit = isinstance(event, DigitReceived)
        return (call, ()) if digit else before_decision(call, stage, event)

    with mock.patch("asterisk_compliance.domain.call.machine.before_decision", deaf):
        yield


@contextlib.contextmanager
def _nothing_is_blanked() -> Iterator[None]:
    judge = RecordingIntake.judge

    async def generous(intake: RecordingIntake, recording: Any, expected: Expected) -> Any:
        return await judge(intake, recording, replace(expected, blanks=()))

    with mock.patch.object(RecordingIntake, "judge", generous):
        yield


_only_who_is_there_counts = _instead(call_unseen, "_not_kept_meanwhile", lambda call, _: call)


@contextlib.contextmanager
def _all_of_an_ended_call() -> Iterator[None]:
    finish = recovery.finish

    def trusting(*given: Any, unseen_ms: int, **more: Any) -> Any:
        return finish(*given, unseen_ms=-call_recovery.SLIP_BEFORE_MS, **more)

    with mock.patch.object(recovery, "finish", trusting):
        yield


@contextlib.contextmanager
def _every_mark_counts() -> Iterator[None]:
    with mock.patch.object(StoreReader, "last_at", return_value=None):
        yield


@contextlib.contextmanager
def _awake_all_the_time() -> Iterator[None]:
    with mock.patch.object(leg_tracking, "STOOD_STILL_MS", 10**9):
        yield


def _stopped_is_heard(*_: Any) -> None:
    return None


@contextlib.contextmanager
def _no_pause() -> Iterator[None]:
    set_mute = ChannelControl.set_mute

    async def deaf(control: ChannelControl, channel: Any, mute: Mute) -> bool:
        return True if mute is Mute.ALL else await set_mute(control, channel, mute)

    with mock.patch.object(ChannelControl, "set_mute", deaf):
        yield


async def _believed(*_: Any) -> bool:
    return True


def _no_events(ears: AmiEventRouter, event: Any, received: float) -> None:
    if type(event).__name__ != "Hangup":
        _on_event(ears, event, received)


_on_event = AmiEventRouter.on_event


def _by_the_clock(left: Any, newest: CallId) -> bool:
    return bool(left.known.id < newest)


BUGS = (
    Bug(
        "the effect comes before its row",
        _instead(CallRows, "commit", _commit_does_not_wait),
        "the log says",
        frozenset({Fault.STORE_FAILS}),
    ),
    Bug(
        "a restart decides again",
        _the_restarted_decide_again,
        "has 2 decisions",
        frozenset({Fault.KILL, Fault.KILL_AT_COMMIT}),
        likely=50,
    ),
    Bug(
        "a mute is believed, and never asked for",
        _instead(ChannelControl, "set_mute", _believed),
        "untold",
        likely=73,
    ),
    Bug(
        "a pause mutes nobody",
        _no_pause,
        "in a pause",
        likely=6,
    ),
    Bug(
        "the spool is emptied before the row",
        _spool_goes_first,
        "row",
        frozenset({Fault.KILL_AT_COMMIT, Fault.STORE_FAILS}),
        likely=12,
    ),
    Bug(
        "a notice has no time limit",
        _no_limit_to_a_notice,
        "was held",
        frozenset({Fault.SOUND_HANGS}),
        likely=8,
    ),
    Bug(
        "a stopped notice counts as heard",
        _instead(call_notice, "incompleteness", _stopped_is_heard),
        "has not heard",
        likely=6,
    ),
    Bug("a refusal is not heard", _a_refusal_is_not_heard, "untold", likely=26),
    Bug("nothing is blanked", _nothing_is_blanked, "untold", likely=10),
    Bug(
        "nobody looks back after an outage",
        _instead(call_company, "unseen", lambda call, _: (call, ())),
        "untold",
        frozenset({Fault.AMI_DROP, Fault.KILL, Fault.STOP}),
        likely=23,
    ),
    Bug(
        "who came and left while nobody was told of bridges is kept",
        _only_who_is_there_counts,
        "untold",
        frozenset({Fault.AMI_DROP, Fault.KILL, Fault.STOP}),
        likely=22,
    ),
    Bug(
        "of a call that ended meanwhile all is kept",
        _all_of_an_ended_call,
        "untold",
        frozenset({Fault.KILL, Fault.STOP}),
        likely=287,
    ),
    Bug(
        "everybody who joins is taken for staff",
        _instead(
            EndpointDirectory,
            "peer",
            lambda _, channel, name: Participant(channel, CoverageBasis.STAFF),
        ),
        "untold",
        likely=10,
    ),
    Bug(
        "a hang-up that AMI tells is not heard",
        _instead(AmiEventRouter, "on_event", _no_events),
        "does not come to rest",
    ),
    Bug(
        "a hung store holds its callers",
        _instead(CallRows, "commit", _late_rows_are_waited_for),
        "was held",
        frozenset({Fault.STORE_SLOW}),
        likely=3,
    ),
    Bug(
        "a life that never looked counts as one that did",
        _every_mark_counts,
        "untold",
        frozenset({Fault.CRASHES}),
        likely=117,
    ),
    Bug(
        "who stood still dates what happened by when he woke up",
        _awake_all_the_time,
        "untold",
        frozenset({Fault.FREEZE}),
        likely=26,
    ),
    Bug(
        "calls from before the clock was set back are left",
        _instead(recovery._Left, "is_before", _by_the_clock),
        "has no end",
        frozenset({Fault.CLOCK}),
        likely=19,
    ),
)
