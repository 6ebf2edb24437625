"""Everything that a call can say is said by some story, once, and no story tells a digit."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import pytest

from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.domain.call import machine as rules
from asterisk_compliance.domain.call.commands import AppendRow, CommandStep, Mute
from asterisk_compliance.domain.call.decision import Reason
from asterisk_compliance.domain.call.events import (
    Bridged,
    CallEvent,
    CaptureGoesOn,
    CommandFailed,
    DiallerGone,
    EntryWire,
    EventsOverflowed,
    HangupRequested,
    LeftStasis,
    MixMonitorStarted,
    MuteChanged,
    RecordingJudged,
    RecordingRemoved,
    Reentered,
    RowsRefused,
    ServiceHung,
    ServiceStopping,
    SpoolKept,
    SpoolRemoved,
    StopAsked,
    StorageChanged,
    WithdrawalAsked,
)
from asterisk_compliance.domain.policy.notice import Consent, OnProblem, OnWithdrawal, ToldBy
from domain.leg_traces import AGENT, OTHER, PAUSE, RESUME, WITH_AGENT, company, whispered
from domain.simulator import CALL, LIMITS, arrival, policy
from domain.traces import (
    ASKED,
    CLOSING,
    CONTINUED,
    CUT,
    EMPTY,
    FAILED,
    GONE,
    GRACE_IS_OVER,
    GROWTH_IS_LATE,
    IN_DIALPLAN,
    JUDGED,
    MISSING,
    NOTICE_IS_LATE,
    RECORDED,
    RECORDING,
    STARTED,
    STOP_IS_LATE,
    TELL_IS_LATE,
    UNJUDGED,
    WHOLE,
    key,
)
from values import replace

POINTING = replace(policy().notice, told_by=ToldBy.PUBLICATION)


@dataclass(frozen=True)
class Story:
    events: tuple[CallEvent, ...]
    given: dict[str, object] = field(default_factory=dict)

    def rows(self) -> list[AppendRow]:
        call, commands = rules.arrive(CALL, arrival(**self.given), LIMITS)
        rows = [command for command in commands if isinstance(command, AppendRow)]
        for event in self.events:
            call, commands = rules.step(call, event)
            rows += [command for command in commands if isinstance(command, AppendRow)]
        return rows


STORIES = {
    "recorded": Story((*CLOSING, JUDGED, SpoolRemoved(RECORDING, 2))),
    "gave up in the queue": Story(
        (*IN_DIALPLAN, GONE, RecordingJudged(RECORDING, EMPTY), SpoolKept(RECORDING))
    ),
    "nothing on disk": Story(
        (*IN_DIALPLAN, Bridged(2_000), GROWTH_IS_LATE, GONE, RecordingJudged(RECORDING, MISSING))
    ),
    "unreadable": Story((*CLOSING, RecordingJudged(RECORDING, UNJUDGED))),
    "came again": Story((*IN_DIALPLAN, Reentered(), GONE)),
    "prompt missing": Story((STARTED, FAILED, CONTINUED, GONE)),
    "cut short": Story((STARTED, CUT, CommandFailed(CommandStep.CONTINUE), GONE)),
    "timed out": Story((STARTED, NOTICE_IS_LATE)),
    "hung up": Story((STARTED, HangupRequested(), LeftStasis(), GONE)),
    "taken back": Story((Reentered(), LeftStasis())),
    "no policy": Story((), {"policy": Reason.POLICY_MISSING}),
    "unknown policy": Story((), {"policy": Reason.POLICY_UNKNOWN}),
    "rules conflict": Story((), {"policy": Reason.RULES_CONFLICT}),
    "garbled": Story((), {"policy": Reason.ARGUMENTS_INVALID}),
    "stranded": Story((), {"policy": Reason.SERVICE_RESTARTED}),
    "refused": Story((CommandFailed(CommandStep.PLAY),)),
    "lost": Story((CommandFailed(CommandStep.PLAY, reachable=False),)),
    "stopping": Story((ServiceStopping(), STOP_IS_LATE)),
    "store failed": Story((RowsRefused(),)),
    "overflowed": Story((EventsOverflowed(),)),
    "said no": Story((STARTED, key("9")), {"policy": policy(consent=Consent.OPT_OUT)}),
    "said nothing": Story((*ASKED, GRACE_IS_OVER), {"policy": policy(consent=Consent.OPT_OUT)}),
    "said yes": Story((*ASKED, key("1", 1_100)), {"policy": policy(consent=Consent.OPT_IN)}),
    "did not say yes": Story((*ASKED, GRACE_IS_OVER), {"policy": policy(consent=Consent.OPT_IN)}),
    "said yes over FastAGI": Story(
        (*ASKED, key("1", 1_100)),
        {"policy": policy(consent=Consent.OPT_IN), "entry": EntryWire.AGI},
    ),
    "was told": Story(
        (STARTED, key("#"), key("9"), TELL_IS_LATE, CONTINUED, GONE),
        {"policy": policy(consent=Consent.OPT_IN, on_problem=OnProblem.END)},
    ),
    "cannot be stopped": Story((*RECORDED, RowsRefused(), CaptureGoesOn(RECORDING))),
    "too many at once": Story((), {"overloaded": True}),
    "the disk is about to be full": Story((), {"no_storage": Reason.DISK_LOW}),
    "the page is not published yet": Story(
        (), {"policy": replace(policy(), notice=POINTING), "published": False}
    ),
    "the spool is read-only": Story((STARTED, StorageChanged(Reason.STORAGE_NOT_WRITABLE))),
    "nobody listened": Story((STARTED, ServiceHung(), LeftStasis(), GONE)),
    "the dialler gave up": Story((STARTED, DiallerGone(500), LeftStasis(), GONE)),
    "somebody came and was told": Story(
        (
            *WITH_AGENT,
            PAUSE,
            MuteChanged(Mute.ALL, 3_010),
            RESUME,
            company(7_000, AGENT, OTHER),
            *whispered(2, 7_100, 8_100),
            MixMonitorStarted(8_200),
            RecordingJudged(RECORDING, replace(WHOLE, lost=((0, 1_500),))),
            SpoolRemoved(RECORDING, 2),
            StopAsked(8_500),
            WithdrawalAsked(8_600),
            RecordingRemoved(RECORDING, gone=True),
        ),
        {"policy": replace(policy(), on_withdrawal=OnWithdrawal.DELETE)},
    ),
    "somebody came and left": Story(
        (*WITH_AGENT, company(7_000, AGENT, OTHER), company(7_500, AGENT), GONE)
    ),
    "must be recorded": Story(
        (*WITH_AGENT, EventsOverflowed()),
        {"policy": replace(policy(), on_recording_failure=OnProblem.ALTERNATIVE, announcements={})},
    ),
}

NOT_OF_A_CALL = {
    Kind.SERVICE_STARTED,
    Kind.SERVICE_STOPPED,
    Kind.CONFIG_LOADED,
    Kind.CONFIG_REFUSED,
    Kind.NOTICE_REGISTERED,
    Kind.ASTERISK_CONNECTED,
    Kind.ASTERISK_DISCONNECTED,
    Kind.EVENT_MALFORMED,
    Kind.STORAGE_FAILED,
    Kind.STORAGE_MENDED,
    Kind.SIGNING_KEY_SET,
    Kind.SIGNING_KEY_ROTATED,
    Kind.CHECKPOINT_NOT_SHIPPED,
    Kind.CHECKPOINT_SHIPPED,
    Kind.MARK,
    Kind.CANARY_PASSED,
    Kind.CANARY_FAILED,
    Kind.RECORDING_OBSERVED,
    Kind.OBSERVED_ENDED,
    Kind.RETENTION_RUN,
    Kind.HOLD_PLACED,
    Kind.HOLD_RELEASED,
    Kind.PERSON_ERASED,
    *(kind for kind in Kind if kind.startswith(("request_", "incident_", "provision_"))),
}


TOLD_ELSEWHERE = {
    Kind.CALL_FOLLOWED,  # of a call that an earlier life of the service began
    Kind.CALL_RELEASED,  # by the watchdog
    Kind.FILE_QUARANTINED,
    Kind.RECORDING_ADOPTED,  # made by the dialplan alone
    Kind.RECORDING_SEALED,  # where the site has recipients
    Kind.RECORDING_RELEASED,  # later than its call, as all that follows it here
    Kind.RECORDING_DRILLED,
    Kind.USE_REFUSED,
    Kind.EVIDENCE_EXPORTED,
    Kind.DISPOSAL_BEGUN,
    Kind.DISPOSAL_FAILED,
    Kind.RECORDING_DISPOSED,
    Kind.INTRODUCTION_COMPLETED,  # of calls that we place
    Kind.CALL_BLOCKED,
    Kind.DO_NOT_CALL_ADDED,
    Kind.DO_NOT_CALL_REMOVED,
    Kind.USE_STOPPED,  # when a request was granted
    Kind.USE_RESUMED,
    Kind.CALL_ANNOTATED,
    Kind.CALL_EXPORTED,
    Kind.PAST_CALLS_SHOWN,  # to the agent, of whoever called before
    Kind.ANSWER_PACKAGED,
    *(kind for kind in Kind if kind.startswith("hearing_")),  # by telephone, in another call
}


def test_every_kind_of_row_of_a_call_is_told_by_some_story() -> None:
    seen = {row.kind for story in STORIES.values() for row in story.rows()}
    assert seen == set(Kind) - NOT_OF_A_CALL - TOLD_ELSEWHERE


def test_every_reason_is_the_end_of_some_story() -> None:
    rows = [row for story in STORIES.values() for row in story.rows()]
    seen = {row.detail["reason"] for row in rows if row.kind is Kind.DECISION}
    assert seen == set(Reason) - {Reason.PARTY_LEFT, Reason.FALLBACK_NOTICE}
    untold = {row.detail["reason"] for row in rows if row.kind is Kind.PARTY_NOT_TOLD}
    assert Reason.PARTY_LEFT in untold, "the only one that is no reason to decide"
    # FALLBACK_NOTICE is decided in the dialplan: test_fallback.py


@pytest.mark.parametrize("story", STORIES)
def test_no_story_tells_a_digit(story: str) -> None:
    """Which key was pressed is nobody's business: what it meant is enough."""
    written = re.findall(r"'([^']*)'", repr([row.detail for row in STORIES[story].rows()]))
    assert not set(written) & set("0123456789*#")


@pytest.mark.parametrize("story", STORIES)
def test_every_story_has_one_decision(story: str) -> None:
    kinds = [row.kind for row in STORIES[story].rows()]
    assert kinds.count(Kind.DECISION) == 1
