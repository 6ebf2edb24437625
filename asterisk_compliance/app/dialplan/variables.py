"""The one variable in which the dialplan routine gets a result: ``COMPLIANCE_RESULT``.

Ten values, joined by commas, taken apart by ``ARRAY()`` in ``dialplan/compliance.conf``. One
variable, so that a result is there whole or not at all, with one request.

    status,reason,purposes,notice,recording id,call id,next,channel,features,capture flags
"""

from __future__ import annotations

from asterisk_compliance.domain.call.commands import CaptureOptions, HandOver
from asterisk_compliance.ids import RecordingId

HEARING_ARGUMENT = "hearing"
"""What the routine gives to ``Stasis()``."""


HEARING_ROUTINE = "compliance-hearing"


RESULT_VARIABLE = "COMPLIANCE_RESULT"
STATUS_VARIABLE = "COMPLIANCE_STATUS"
MIXMONITOR_ID_VARIABLE = "COMPLIANCE_MMID"
SEGMENT_VARIABLE = "COMPLIANCE_SEGMENT"
"""The recording that the routine ``compliance-segment`` is to begin, and how."""
SHOWN_VARIABLE = "COMPLIANCE_SHOWN"
"""On an agent's channel: the status of the call that it is in."""
MAY_CALL_VARIABLE = "COMPLIANCE_MAY_CALL"
"""On a channel that asked: whether a number may be called, ``yes``, ``no`` or ``unknown``."""
HEARING_VARIABLE = "COMPLIANCE_HEARING"
"""On a channel that wanted to hear a recording: what came of it."""
CANARY_VARIABLE = "COMPLIANCE_CANARY"
"""On a synthetic call of the service itself: the policy that it asks for."""
CHECK_VARIABLE, CHECKED_VARIABLE = "COMPLIANCE_CHECK", "COMPLIANCE_CHECKED"
"""On a call of ``asterisk-compliance check``: what it asks for, and what was found."""
CHECK_EVENT = "ComplianceCheck"
"""The user event of such a call; it asks the service for nothing."""
PAST_CALLS_VARIABLE = "COMPLIANCE_PAST_CALLS"
LAST_CALL_VARIABLE = "COMPLIANCE_LAST_CALL"
"""How often the number of the channel called before, and when last; if the site wants it.

The routines empty them: a site may have given them to another channel, which brings them along.
"""
FEATURE_OF_SEGMENTS = "compliancesegment"
FEATURE_OF_WITHDRAWAL = "compliancewithdraw"
"""What the told party's channel may do (``features.conf``); the agent's has features of its own."""

RESULT_VARIABLES = (
    "COMPLIANCE_STATUS",
    "COMPLIANCE_REASON",
    "COMPLIANCE_PURPOSES",
    "COMPLIANCE_NOTICE",
    "COMPLIANCE_RECORDING_ID",
    "COMPLIANCE_CALL_ID",
    "COMPLIANCE_NEXT",
    "COMPLIANCE_CHANNEL",
    "COMPLIANCE_FEATURES",
    "COMPLIANCE_OPTIONS",
)


def encode_result(result: HandOver, *, synchronous: bool = False) -> str:
    """The variable's value; ``synchronous`` as of :func:`capture_flags`.

    Raises:
        ValueError: a value holds a character at which Asterisk would take it apart; none that
            we make does, and none of them comes from a caller.
    """
    values = (
        result.status,
        result.reason,
        "&".join(result.purposes),
        result.notice,
        result.recording or "",
        result.call,
        result.next,
        result.channel or "",
        _features(result),
        capture_flags(result.options, synchronous=synchronous)
        if result.start and result.options
        else "",
    )
    for value in values:
        if set(value) & set(',"\\$\r\n'):
            raise ValueError("a result must not hold characters of dialplan syntax")
    return ",".join(values)


def _features(result: HandOver) -> str:
    if result.channel is None:
        return ""
    withdrawal = f"#{FEATURE_OF_WITHDRAWAL}" if result.withdrawal else ""
    return FEATURE_OF_SEGMENTS + withdrawal


def capture_flags(options: CaptureOptions, *, synchronous: bool = False) -> str:
    """How ``compliance-back`` shall run MixMonitor: ``m`` (it shall), ``b`` (only while
    bridged), ``t`` (the others' direction too), ``S`` (keep both directions together), and the
    seconds between two tones. An Asterisk that is ``synchronous`` does what ``S`` asks for by
    itself, and would say in its log, at every call, that it need not be asked.

    Flags and no options: who may set a channel's variable must not be able to write arguments of
    MixMonitor, which can start programs.
    """
    bridged = "b" if options.bridged_only else ""
    others = "t" if options.others else ""
    together = "" if synchronous else "S"
    return f"m{bridged}{others}{together}{options.beep_s or ''}"


def encode_segment(
    recording: RecordingId, options: CaptureOptions, *, synchronous: bool = False
) -> str:
    """What ``compliance-segment`` is to begin."""
    return f"{recording}-{capture_flags(options, synchronous=synchronous)}"
