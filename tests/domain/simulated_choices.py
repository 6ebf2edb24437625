"""What the machine of a running call chooses from: perils, parties, policies and times."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeAlias

from hypothesis import strategies as st

from asterisk_compliance.domain.audit.rows import Actor
from asterisk_compliance.domain.call.commands import SetMute, StartSegment, StopCapture, Whisper
from asterisk_compliance.domain.call.participants import CoverageBasis, Participant
from asterisk_compliance.domain.policy.notice import (
    AgentConsent,
    CaptureFrom,
    Consent,
    OnJoin,
    OnPauseForgotten,
    OnProblem,
    OnWithdrawal,
)
from asterisk_compliance.ids import ChannelId
from domain.simulator import policy
from values import replace

After: TypeAlias = tuple[bool, int]
"""Whether we are told all before anything else happens, and how many ms pass then."""
AFTER = st.sampled_from([(True, 30), (True, 400), (True, 0), (True, 150), (False, 0), (False, 15)])


class Peril(StrEnum):
    """What can go wrong. A run has only some of them: with all, hardly any recording lives."""

    MUTE = "mute refused"
    STOP = "stop refused"
    SEGMENT = "segment refused"
    LATE = "segment is late"
    WHISPER = "whisper refused"
    CUT = "whisper cut"
    STORE = "store"
    SLOW = "slow store"
    CONNECTION = "connection"
    HANG_UP = "hang-up"
    OVERFLOW = "overflow"
    WITHDRAWAL = "withdrawal"
    STOPPED = "stopped"
    REFUSAL = "refusal"
    WAITS = "waits end"


REFUSABLE = {
    Peril.MUTE: SetMute,
    Peril.STOP: StopCapture,
    Peril.SEGMENT: StartSegment,
    Peril.WHISPER: Whisper,
}
CHANNELS = [ChannelId(f"1700000000.{n}") for n in range(2, 10)]
ACTORS = [Actor.AGENT, Actor.CALLER, Actor.DIALPLAN]

policies = st.builds(
    lambda capture, consent, problem, changes: replace(
        policy(capture, consent, problem), on_recording_failure=problem, **changes
    ),
    st.sampled_from([CaptureFrom.BRIDGED, CaptureFrom.BRIDGED, *CaptureFrom]),
    st.sampled_from([Consent.NOTICE, Consent.NOTICE, Consent.NOTICE, Consent.OPT_OUT]),
    st.sampled_from(OnProblem),
    st.fixed_dictionaries(
        {
            "on_join": st.sampled_from([OnJoin.RENOTIFY, OnJoin.RENOTIFY, *OnJoin]),
            "agent_consent": st.sampled_from(AgentConsent),
            "on_pause_forgotten": st.sampled_from(OnPauseForgotten),
            "on_withdrawal": st.sampled_from(OnWithdrawal),
        }
    ),
)


def anybody(*, staff_known: bool, refusal: bool) -> st.SearchStrategy[Participant]:
    """The first channels are staff where the site lists it."""
    staff = CHANNELS[:3] if staff_known else []
    covers = [
        CoverageBasis.UNKNOWN,
        CoverageBasis.UNKNOWN,
        CoverageBasis.TOLD,
        *([CoverageBasis.REFUSED] if refusal else []),
    ]
    guests = [channel for channel in CHANNELS if channel not in staff]
    guest = st.builds(Participant, st.sampled_from(guests), st.sampled_from(covers), st.booleans())
    if not staff:
        return guest
    return (
        st.builds(Participant, st.sampled_from(staff), st.just(CoverageBasis.STAFF), st.booleans())
        | guest
    )
