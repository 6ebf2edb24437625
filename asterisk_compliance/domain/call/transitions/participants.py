"""Everybody else in a recorded call: who may be kept, who is told first, when recording must end.

Rule 9:  a party who is not covered is told before it is kept, in a whisper that only it hears;
         or the recording goes on without asking, or stops, as the policy says.
Rule 10: a whisper counts as a notice by the rule that holds for a notice (``incompleteness``).
Rule 11: without anybody of the controller's side, nothing is recorded.

The first participant of a call is the controller's, unless the site lists its staff: the site's own
dialplan connected the call to them.
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
from asterisk_compliance.domain.call.decision import Decision, Reason, Status
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
    AfterDecision,
    AfterWhisper,
    Call,
    CallStep,
    Decided,
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
    Policy,
    RecordingDuty,
    Wording,
    announcement_for,
)
from asterisk_compliance.domain.recording.interruption_reasons import StopReason
from asterisk_compliance.ids import ChannelId, PlaybackId, party_id, playback_id

_OWN = frozenset({"staff", "assumed"})

LEFT_MS = 1_000
"""How long it may take to see that a party whose whisper failed has left."""


def seen_before_decision(call: Call, event: CompanyChanged) -> Call:
    """Keep who is there before the decision, which AMI may report early; it counts afterwards."""
    early = replace(call, participants_before_decision=event if event.peers else None)
    if not looks_again(call.visibility, event.at_ms):
        return early
    return replace(early, visibility=gap_ended(call.visibility))


def company_changed(call: Call, stage: AfterDecision, event: CompanyChanged) -> CallStep:
    """Somebody joined or left. What the recording does follows from who is there now."""
    looks = looks_again(call.visibility, event.at_ms)
    before = call.participants
    known = {peer.channel for peer in before.peers} | before.covered
    newcomers = tuple(peer for peer in event.peers if peer.channel not in known)
    arrived = bool(event.peers)
    participants = replace(
        before,
        peers=event.peers,
        met=before.met or arrived,
        transfer_seen=before.transfer_seen and not arrived,
    )
    rows: list[Command] = []
    for peer in newcomers:
        how, participants = _received(call, stage, participants, peer, first=not before.met)
        participants = replace(participants, numbered=participants.numbered + 1)
        rows.append(_joined_row(call, participants.numbered, peer, how, event.at_ms))
    call = replace(call, participants=participants, participants_before_decision=None)
    if call.joins or not isinstance(stage, Decided) or not stage.decision.allowed:
        unrecorded = replace(call, participants=replace(participants, numbered=1))
        shown = () if call.joins else _shown(unrecorded, stage.decision, newcomers)
        return unrecorded, shown
    call, gap = unseen(call, event.at_ms) if looks else (call, ())
    call, ended = _end_whisper_to_who_left(call)
    if newcomers and before.met and event.two_party and call.capture.is_open:
        call = _needs_new_segment(call, event.at_ms)
    looked, commands = apply_participants(call, stage, event.at_ms)
    if looks:
        looked = replace(looked, visibility=gap_ended(looked.visibility))
    shown = _shown(call, stage.decision, newcomers)
    return looked, (*gap, *rows, *ended, *shown, *commands)


def _needs_new_segment(call: Call, at_ms: int) -> Call:
    """A MixMonitor that lives across a transfer may lose the new participant's audio."""
    if call.wiring.segments:
        return replace(call, capture=replace(call.capture, restart_due=True))
    file_ms = call.file_clock.file_ms(at_ms)
    return replace(call, capture=mark_others_uncertain(call.capture, file_ms))


def _shown(
    call: Call, decision: Decision, newcomers: tuple[Participant, ...]
) -> tuple[Command, ...]:
    """Show newcomers the status of the call. Their own dialplan tells them of ``ALLOWED``.

    Only agents are shown it: a party who has to be told first is none before that.
    """
    status = standing_status(call, decision)
    if not call.wiring.shows:
        return (Announce(status),) if newcomers and status is not decision.status else ()
    agents = tuple(peer.channel for peer in newcomers if _is_agent(call, decision, peer))
    if status is Status.ALLOWED and not call.capture.is_wanted:
        status = Status.NOT_RECORDED  # on demand, and nobody demanded it
    return (Show(status, agents),) if agents else ()


def _is_agent(call: Call, decision: Decision, peer: Participant) -> bool:
    """Whether a participant stands for the controller.

    A party that entered our routine itself does not. Where nothing is recorded and the site lists
    no staff, everybody else does.
    """
    if peer.cover in {CoverageBasis.TOLD, CoverageBasis.REFUSED}:
        return False
    listed = decision.allowed or call.wiring.staff_known
    return not listed or peer.channel in call.participants.controller


def apply_participants(call: Call, decided: Decided, at_ms: int) -> CallStep:
    """Go on, tell, or stop: what follows from the participants of a recorded call."""
    reason = stop_reason(call, decided.policy)
    if reason is not None:
        return _ended_by_participants(call, decided, reason, at_ms)
    waiting = call.participants.uncovered
    if call.capture.start_wanted and not waiting and call.participants.peers:
        return begin_segment(call, decided.policy)
    settled, commands = align_capture(call, at_ms)
    if not waiting or settled.whispering is not None or not settled.capture.is_wanted:
        return settled, commands
    return then(commands, _tell(settled, decided, waiting[0]))


def _received(
    call: Call,
    stage: AfterDecision,
    participants: Participants,
    peer: Participant,
    *,
    first: bool,
) -> tuple[str, Participants]:
    """How a newcomer is taken: the word for the row, and the participants with the newcomer."""
    listed = call.wiring.staff_known
    match peer.cover:
        case CoverageBasis.STAFF:
            return "staff", participants.accept(peer, as_controller=True)
        case CoverageBasis.TOLD:
            return "told", participants.accept(peer, as_controller=not listed)
        case CoverageBasis.REFUSED:
            return "refused", participants
        case CoverageBasis.UNKNOWN if first and not listed:
            return "assumed", participants.accept(peer, as_controller=True)
        case CoverageBasis.UNKNOWN if (
            isinstance(stage, Decided) and stage.policy.on_join is OnJoin.CONTINUE
        ):
            return "accepted", participants.accept(peer, as_controller=not listed)
        case _:
            return "unknown", participants


def stop_reason(call: Call, policy: Policy) -> StopReason | None:
    """Why the recording must end with these participants; ``None`` if it may go on."""
    participants = call.participants
    if not call.capture.is_wanted or not participants.peers:
        return None
    if call.wiring.staff_known and not participants.has_controller:
        return StopReason.CONTROLLER_LEFT
    if any(peer.cover is CoverageBasis.REFUSED for peer in participants.uncovered):
        return StopReason.PARTY_REFUSED
    if not participants.uncovered:
        return None
    asks = policy.consent is not Consent.NOTICE  # a whisper cannot ask
    return StopReason.JOINED if asks or policy.on_join is OnJoin.STOP else None


def _joined_row(call: Call, number: int, peer: Participant, how: str, at_ms: int) -> AppendRow:
    """The row names the endpoint of the controller's own people, and of nobody else."""
    party = party_id(call.id, number)
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


def _tell(call: Call, decided: Decided, peer: Participant) -> CallStep:
    """Begin to tell one party, in the language of the call."""
    notice = decided.policy.joined or decided.policy.notice
    wording = notice.wordings[decided.wording.language]
    playback = _next_playback(call)
    whisper = WhisperInProgress(peer.channel, playback, wording.length_ms, wording=wording)
    return _whisper(call, whisper, wording.media)


def say(call: Call, decided: Decided, what: OnProblem, *, refused: bool) -> CallStep:
    """Tell the told party that it is not recorded any more, and do what the policy wants then."""
    leaving = call.whispering is not None and call.whispering.then is not AfterWhisper.NOTHING
    if call.hanging_up or leaving:
        return call, ()
    after = _AFTER.get(what, AfterWhisper.NOTHING)
    kind = announcement_for(what, refused=refused)
    by_language = decided.policy.announcements.get(kind, {}) if kind else {}
    prompt = by_language.get(decided.wording.language)
    if prompt is None:
        return call, _FOLLOWS[after]
    spoken = WhisperInProgress(call.channel, _next_playback(call), prompt.length_ms, then=after)
    return then(_end_whisper(call), _whisper(call, spoken, prompt.media))


_AFTER = {OnProblem.ALTERNATIVE: AfterWhisper.REDIRECT, OnProblem.END: AfterWhisper.HANG_UP}


def _whisper(call: Call, whisper: WhisperInProgress, media: str) -> CallStep:
    limit = SetDeadline(Deadline.WHISPER, whisper.length_ms + call.limits.notice_margin_ms)
    begun = replace(call, whispering=whisper, playbacks=call.playbacks + 1)
    return begun, (Whisper(whisper.channel, whisper.playback, media), limit)


def is_of_whisper(whisper: WhisperInProgress, event: CallEvent) -> bool:
    """Whether the event is about what is being said to one party of this call."""
    match event:
        case PlaybackStarted(playback=playback) | PlaybackFinished(playback=playback):
            return playback == whisper.playback
        case DeadlinePassed(deadline=Deadline.WHISPER) | CommandFailed(step=CommandStep.WHISPER):
            return True
        case _:
            return False


def whispered(
    call: Call, decided: Decided, whisper: WhisperInProgress, event: CallEvent
) -> CallStep:
    match event:
        case PlaybackStarted():
            return whisper_started(call, whisper, event)
        case _ if whisper.wording is None:
            return _said(call, whisper)
        case PlaybackFinished():
            return whisper_finished(call, decided, whisper, whisper.wording, event)
        case DeadlinePassed(at_ms=at_ms):
            return whisper_is_late(call, decided, whisper, at_ms)
        case _:
            return whisper_failed(call, whisper, Reason.ASTERISK_REFUSED)


def whisper_started(call: Call, whisper: WhisperInProgress, event: PlaybackStarted) -> CallStep:
    return replace(call, whispering=replace(whisper, started=event)), ()


def whisper_finished(
    call: Call,
    decided: Decided,
    whisper: WhisperInProgress,
    wording: Wording,
    event: PlaybackFinished,
) -> CallStep:
    """It counts only if it was whole: its own length on both clocks, as for every notice."""
    lasted = lasted_ms(whisper.started, event)
    if not event.done:
        return whisper_failed(call, whisper, Reason.NOTICE_FAILED)
    if lasted < whisper.length_ms - EARLY_TOLERANCE_MS:
        return whisper_failed(call, whisper, Reason.NOTICE_CUT_SHORT)
    peer = Participant(whisper.channel)
    participants = call.participants.accept(peer, as_controller=not call.wiring.staff_known)
    told = replace(call, participants=participants, whispering=None)
    shown = _shown(told, decided.decision, (peer,)) if call.wiring.shows else ()
    row = _told_row(decided.policy, whisper.channel, wording, lasted)
    return then(
        (row, EndWhisper(), ClearDeadline(Deadline.WHISPER), *shown),
        apply_participants(told, decided, event.at_ms),
    )


def whisper_failed(call: Call, whisper: WhisperInProgress, reason: Reason) -> CallStep:
    """The party was not told, perhaps because it left: that will be seen in a moment."""
    if whisper.failed is not None:
        return call, ()
    failed = replace(call, whispering=replace(whisper, failed=reason))
    return failed, (SetDeadline(Deadline.WHISPER, LEFT_MS),)


def whisper_is_late(
    call: Call, decided: Decided, whisper: WhisperInProgress, at_ms: int
) -> CallStep:
    """The party did not leave, and was not told: the recording ends."""
    row = _not_told_row(whisper, whisper.failed or Reason.NOTICE_TIMED_OUT)
    return _ended_by_participants(call, decided, StopReason.PARTY_NOT_TOLD, at_ms, row)


def _ended_by_participants(
    call: Call, decided: Decided, reason: StopReason, at_ms: int, *rows: AppendRow
) -> CallStep:
    """A participant ends the recording. A call that must be recorded does not go on without.

    The exception is a call that the controller has left: it is not the controller's any more.
    """
    policy = decided.policy
    stopped, commands = stop(call, reason, *rows, at_ms=at_ms)
    mandatory = policy.duty is RecordingDuty.MANDATORY and reason is not StopReason.CONTROLLER_LEFT
    if not mandatory:
        return stopped, commands
    return then(commands, say(stopped, decided, policy.on_recording_failure, refused=False))


def _said(call: Call, whisper: WhisperInProgress) -> CallStep:
    """The announcement is over; now do what the policy wants."""
    over = (EndWhisper(), ClearDeadline(Deadline.WHISPER))
    return replace(call, whispering=None), (*over, *_FOLLOWS[whisper.then])


_FOLLOWS: Mapping[AfterWhisper, tuple[Command, ...]] = {
    AfterWhisper.NOTHING: (),
    AfterWhisper.REDIRECT: (AppendRow(Kind.CALL_DIVERTED, {"to": "alternative"}), Redirect()),
    AfterWhisper.HANG_UP: (AppendRow(Kind.CALL_DIVERTED, {"to": "end"}), HangUp()),
}


def _end_whisper_to_who_left(call: Call) -> CallStep:
    whisper = call.whispering
    there = {peer.channel for peer in call.participants.peers}
    if whisper is None or whisper.wording is None or whisper.channel in there:
        return call, ()
    row = _not_told_row(whisper, Reason.PARTY_LEFT)
    return replace(call, whispering=None), (row, *_end_whisper(call))


def _end_whisper(call: Call) -> tuple[Command, ...]:
    if call.whispering is None:
        return ()
    return EndWhisper(), ClearDeadline(Deadline.WHISPER)


def _told_row(policy: Policy, channel: ChannelId, wording: Wording, lasted: int) -> AppendRow:
    notice = policy.joined or policy.notice
    return AppendRow(
        Kind.PARTY_TOLD,
        {
            "audio_digest": wording.audio_digest,
            "channel": channel,
            "lasted_ms": lasted,
            "length_ms": wording.length_ms,
            "notice": notice.label(wording.language),
            "purposes": notice.purposes,
            "text_digest": wording.text_digest,
        },
    )


def _not_told_row(whisper: WhisperInProgress, reason: Reason) -> AppendRow:
    return AppendRow(Kind.PARTY_NOT_TOLD, {"channel": whisper.channel, "reason": reason})


def _next_playback(call: Call) -> PlaybackId:
    return playback_id(call.id, call.playbacks + 1)
