"""Everybody else on a recorded call: who may be kept, who is told first, when it must end.

Rule 9:  a party who is not covered is told before it is kept, in a whisper that only it hears;
         or the recording goes on without asking, or stops, as the policy says.
Rule 10: a whisper counts as a notice by the rule that holds for a notice (``shortcoming``).
Rule 11: without anybody of the controller's side, nothing is recorded.

The first company of a call is the controller's, unless the site lists its staff: the site's own
dialplan brought it there.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from asterisk_compliance.domain.audit.rows import Kind, PersonalFact
from asterisk_compliance.domain.call.audit_rows import lasted_ms, standing_status
from asterisk_compliance.domain.call.commands import (
    Announce,
    AppendRow,
    ClearDeadline,
    Command,
    CommandStep,
    Deadline,
    EndWhisper,
    HangUp,
    Redirect,
    SetDeadline,
    Show,
    Whisper,
)
from asterisk_compliance.domain.call.decision import Reason, Status
from asterisk_compliance.domain.call.events import (
    CallEvent,
    CommandFailed,
    CompanyChanged,
    DeadlinePassed,
    PlaybackFinished,
    PlaybackStarted,
)
from asterisk_compliance.domain.call.participants import CoverageBasis, Participant, Participants
from asterisk_compliance.domain.call.state import (
    EARLY_TOLERANCE_MS,
    AfterWhisper,
    Call,
    CallStep,
    WhisperInProgress,
)
from asterisk_compliance.domain.call.transitions.capture import (
    align_capture,
    begin_segment,
    mark_others_uncertain,
    stop,
    unseen_detail,
)
from asterisk_compliance.domain.call.transitions.decision import then
from asterisk_compliance.domain.call.transitions.visibility_gaps import (
    gap_ended,
    looks_again,
    unseen,
)
from asterisk_compliance.domain.policy.notice import (
    Consent,
    OnJoin,
    OnProblem,
    RecordingDuty,
    announcement_for,
)
from asterisk_compliance.domain.recording.interruption_reasons import StopReason
from asterisk_compliance.ids import PlaybackId, playback_id

_OWN = frozenset({"staff", "assumed"})

LEFT_MS = 1_000
"""How long a party whose whisper failed may take to be seen to have left."""


def company_changed(call: Call, event: CompanyChanged) -> CallStep:
    """Somebody came or left. What the recording does follows from who is there now."""
    looks = looks_again(call, event.at_ms)
    if call.decision is None:  # AMI is behind ARI, or before it: it counts when the call goes on
        early = replace(call, early=event if event.peers else None)
        return gap_ended(early) if looks else early, ()
    call = replace(call, early=None)
    before = call.company
    known = {peer.channel for peer in before.peers} | before.covered
    newcomers = tuple(peer for peer in event.peers if peer.channel not in known)
    company = replace(before, peers=event.peers, met=before.met or bool(event.peers))
    rows: list[Command] = []
    for peer in newcomers:
        how, company = _received(call, company, peer, first=not before.met)
        call = replace(call, parties=call.parties + 1)
        rows.append(_joined_row(call, peer, how, event.at_ms))
    arrived = bool(event.peers)
    call = replace(call, company=company, transfer_seen=call.transfer_seen and not arrived)
    if call.joins:
        return replace(call, parties=1), ()
    assert call.decision is not None
    if not call.decision.allowed:
        return replace(call, parties=1), _shown(call, newcomers)
    call, gap = unseen(call, event.at_ms) if looks else (call, ())
    call, ended = _whisper_to_who_left(call)
    if newcomers and before.met and event.two_party and call.capture_is_open:
        at_ms = event.at_ms
        call = (
            replace(call, heal_due=True)
            if call.wiring.segments
            else mark_others_uncertain(call, at_ms)
        )
    looked, commands = apply_participants(call, event.at_ms)
    looked = gap_ended(looked) if looks else looked
    return looked, (*gap, *rows, *ended, *_shown(call, newcomers), *commands)


def _shown(call: Call, newcomers: tuple[Participant, ...]) -> tuple[Command, ...]:
    """Who comes sees what the call is now; that it was ``ALLOWED``, his own dialplan tells him.

    Who is no agent is shown nothing: a party who is told first becomes one only by that.
    """
    assert call.decision is not None
    status = standing_status(call)
    if not call.wiring.shows:
        return (Announce(status),) if newcomers and status is not call.decision.status else ()
    agents = tuple(peer.channel for peer in newcomers if _is_agent(call, peer))
    if status is Status.ALLOWED and not call.is_recorded:
        status = Status.NOT_RECORDED  # on demand, and nobody demanded it
    return (Show(status, agents),) if agents else ()


def _is_agent(call: Call, peer: Participant) -> bool:
    """Whoever came through us himself is none, and who is not yet covered.

    Where nothing is recorded and the site lists no staff, everybody else.
    """
    assert call.decision is not None
    if peer.cover in {CoverageBasis.TOLD, CoverageBasis.REFUSED}:
        return False
    listed = call.decision.allowed or call.wiring.staff_known
    return not listed or peer.channel in call.company.controller


def apply_participants(call: Call, at_ms: int) -> CallStep:
    """Go on, tell, or stop: what follows from the company of a recorded call."""
    reason = stop_reason(call)
    if reason is not None:
        return _ended_by_company(call, reason, at_ms)
    waiting = call.company.uncovered
    if call.start_wanted and not waiting and call.company.peers:
        return begin_segment(call)
    settled, commands = align_capture(call, at_ms)
    if not waiting or settled.whispering is not None or not settled.is_recorded:
        return settled, commands
    return then(commands, _tell(settled, waiting[0]))


def _received(
    call: Call, company: Participants, peer: Participant, *, first: bool
) -> tuple[str, Participants]:
    """How a newcomer is taken: the word for the row, and the company with him in it."""
    listed = call.wiring.staff_known
    match peer.cover:
        case CoverageBasis.STAFF:
            return "staff", company.accept(peer, as_controller=True)
        case CoverageBasis.TOLD:
            return "told", company.accept(peer, as_controller=not listed)
        case CoverageBasis.REFUSED:
            return "refused", company
        case CoverageBasis.UNKNOWN if first and not listed:
            return "assumed", company.accept(peer, as_controller=True)
        case CoverageBasis.UNKNOWN if (
            call.policy is not None and call.policy.on_join is OnJoin.CONTINUE
        ):
            return "accepted", company.accept(peer, as_controller=not listed)
        case _:
            return "unknown", company


def stop_reason(call: Call) -> StopReason | None:
    """Why nobody in this company may be recorded, if so."""
    assert call.policy is not None
    company = call.company
    if not call.is_recorded or not company.peers:
        return None
    if call.wiring.staff_known and not company.has_controller:
        return StopReason.CONTROLLER_LEFT
    if any(peer.cover is CoverageBasis.REFUSED for peer in company.uncovered):
        return StopReason.PARTY_REFUSED
    if not company.uncovered:
        return None
    asks = call.policy.consent is not Consent.NOTICE  # a whisper cannot ask
    return StopReason.JOINED if asks or call.policy.on_join is OnJoin.STOP else None


def _joined_row(call: Call, peer: Participant, how: str, at_ms: int) -> AppendRow:
    """The controller's own people are to be found again by their endpoints; nobody else is."""
    party = call.party(call.parties)
    row = AppendRow(
        Kind.PARTY_JOINED,
        {"channel": peer.channel, "cover": how, "party": party, **unseen_detail(call, at_ms)},
    )
    if how not in _OWN or not peer.endpoint:
        return row
    endpoint = PersonalFact("endpoint", peer.endpoint, peer.endpoint)
    others = {name: value for name, value in row.detail.items() if name != "party"}
    return replace(row, detail=others, party=party, facts=(endpoint,))


# -- whispers ----------------------------------------------------------------------------------


def _tell(call: Call, peer: Participant) -> CallStep:
    """Begin to tell one party, in the language of the call."""
    assert call.policy is not None
    assert call.wording is not None
    wording = (call.policy.joined or call.policy.notice).wordings[call.wording.language]
    return _whisper(
        call,
        WhisperInProgress(peer.channel, _next_playback(call), wording.length_ms, wording=wording),
    )


def say(call: Call, what: OnProblem, *, refused: bool) -> CallStep:
    """Tell the told party that it is not recorded any more, and do what the policy wants then."""
    leaving = call.whispering is not None and call.whispering.then is not AfterWhisper.NOTHING
    if call.hanging_up or leaving:
        return call, ()
    assert call.policy is not None
    assert call.wording is not None
    after = _AFTER.get(what, AfterWhisper.NOTHING)
    kind = announcement_for(what, refused=refused)
    prompt = call.policy.announcements.get(kind, {}).get(call.wording.language) if kind else None
    if prompt is None:
        return call, _FOLLOWS[after]
    spoken = WhisperInProgress(call.channel, _next_playback(call), prompt.length_ms, then=after)
    return then(_end_whisper(call), _whisper(call, spoken, prompt.media))


_AFTER = {OnProblem.ALTERNATIVE: AfterWhisper.REDIRECT, OnProblem.END: AfterWhisper.HANG_UP}


def _whisper(call: Call, whispering: WhisperInProgress, media: str = "") -> CallStep:
    sound = whispering.wording.media if whispering.wording else media
    limit = SetDeadline(Deadline.WHISPER, whispering.length_ms + call.limits.notice_margin_ms)
    begun = replace(call, whispering=whispering, playbacks=call.playbacks + 1)
    return begun, (Whisper(whispering.channel, whispering.playback, sound), limit)


def is_of_whisper(call: Call, event: CallEvent) -> bool:
    """Whether it tells of what is being said to one party of this call."""
    assert call.whispering is not None
    match event:
        case PlaybackStarted(playback=playback) | PlaybackFinished(playback=playback):
            return playback == call.whispering.playback
        case DeadlinePassed(deadline=Deadline.WHISPER) | CommandFailed(step=CommandStep.WHISPER):
            return True
        case _:
            return False


def whispered(call: Call, event: CallEvent) -> CallStep:
    match event:
        case PlaybackStarted():
            return whisper_started(call, event)
        case PlaybackFinished():
            return whisper_finished(call, event)
        case DeadlinePassed(at_ms=at_ms):
            return whisper_is_late(call, at_ms)
        case _:
            return whisper_failed(call, Reason.ASTERISK_REFUSED)


def whisper_started(call: Call, event: PlaybackStarted) -> CallStep:
    assert call.whispering is not None
    return replace(call, whispering=replace(call.whispering, started=event)), ()


def whisper_finished(call: Call, event: PlaybackFinished) -> CallStep:
    """It counts only if it was whole: its own length on both clocks, as for every notice."""
    whispering = call.whispering
    assert whispering is not None
    if whispering.wording is None:
        return said(call)
    lasted = lasted_ms(whispering.started, event)
    if not event.done:
        return whisper_failed(call, Reason.NOTICE_FAILED)
    if lasted < whispering.length_ms - EARLY_TOLERANCE_MS:
        return whisper_failed(call, Reason.NOTICE_CUT_SHORT)
    peer = Participant(whispering.channel)
    company = call.company.accept(peer, as_controller=not call.wiring.staff_known)
    told = replace(call, company=company, whispering=None)
    shown = _shown(told, (peer,)) if call.wiring.shows else ()
    return then(
        (_told_row(call, lasted), EndWhisper(), ClearDeadline(Deadline.WHISPER), *shown),
        apply_participants(told, event.at_ms),
    )


def whisper_failed(call: Call, reason: Reason) -> CallStep:
    """It was not told. Perhaps because it left: that will be seen in a moment."""
    whispering = call.whispering
    assert whispering is not None
    if whispering.wording is None:
        return said(call)
    if whispering.failed is not None:
        return call, ()
    failed = replace(call, whispering=replace(whispering, failed=reason))
    return failed, (SetDeadline(Deadline.WHISPER, LEFT_MS),)


def whisper_is_late(call: Call, at_ms: int) -> CallStep:
    """Nobody left, and the party was not told: the recording ends."""
    whispering = call.whispering
    assert whispering is not None
    if whispering.wording is None:
        return said(call)
    row = _not_told_row(call, whispering.failed or Reason.NOTICE_TIMED_OUT)
    return _ended_by_company(call, StopReason.PARTY_NOT_TOLD, at_ms, row)


def _ended_by_company(call: Call, reason: StopReason, at_ms: int, *rows: AppendRow) -> CallStep:
    """Who is there ends the recording. Where it is mandatory the call does not go on without.

    But for a call that the controller is no party of any more: that one is not the controller's.
    """
    assert call.policy is not None
    stopped, commands = stop(call, reason, *rows, at_ms=at_ms)
    mandatory = (
        call.policy.duty is RecordingDuty.MANDATORY and reason is not StopReason.CONTROLLER_LEFT
    )
    if not mandatory:
        return stopped, commands
    return then(commands, say(stopped, call.policy.on_recording_failure, refused=False))


def said(call: Call) -> CallStep:
    """The told party has been told; now what the policy wants."""
    assert call.whispering is not None
    over = (EndWhisper(), ClearDeadline(Deadline.WHISPER))
    return replace(call, whispering=None), (*over, *_FOLLOWS[call.whispering.then])


_FOLLOWS: Mapping[AfterWhisper, tuple[Command, ...]] = {
    AfterWhisper.NOTHING: (),
    AfterWhisper.REDIRECT: (AppendRow(Kind.CALL_DIVERTED, {"to": "alternative"}), Redirect()),
    AfterWhisper.HANG_UP: (AppendRow(Kind.CALL_DIVERTED, {"to": "end"}), HangUp()),
}


def _whisper_to_who_left(call: Call) -> CallStep:
    whispering = call.whispering
    there = {peer.channel for peer in call.company.peers}
    if whispering is None or whispering.wording is None or whispering.channel in there:
        return call, ()
    row = _not_told_row(call, Reason.PARTY_LEFT)
    return then((row,), (replace(call, whispering=None), _end_whisper(call)))


def _end_whisper(call: Call) -> tuple[Command, ...]:
    if call.whispering is None:
        return ()
    return EndWhisper(), ClearDeadline(Deadline.WHISPER)


def _told_row(call: Call, lasted: int) -> AppendRow:
    assert call.policy is not None
    assert call.whispering is not None
    wording = call.whispering.wording
    assert wording is not None
    notice = call.policy.joined or call.policy.notice
    return AppendRow(
        Kind.PARTY_TOLD,
        {
            "audio_digest": wording.audio_digest,
            "channel": call.whispering.channel,
            "lasted_ms": lasted,
            "length_ms": wording.length_ms,
            "notice": notice.label(wording.language),
            "purposes": notice.purposes,
            "text_digest": wording.text_digest,
        },
    )


def _not_told_row(call: Call, reason: Reason) -> AppendRow:
    assert call.whispering is not None
    channel = call.whispering.channel
    return AppendRow(Kind.PARTY_NOT_TOLD, {"channel": channel, "reason": reason})


def _next_playback(call: Call) -> PlaybackId:
    return playback_id(call.id, call.playbacks + 1)
