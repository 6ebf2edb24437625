"""The one variable in which the dialplan routine gets a result: ``COMPLIANCE_RESULT``.

Nine values, joined by commas, taken apart by ``ARRAY()`` in ``dialplan/compliance.conf``. One
variable, so that a result is there whole or not at all, with one request.

    status,reason,purposes,notice,recording id,call id,next,channel,MixMonitor options
"""

from __future__ import annotations

from pathlib import PurePath

from asterisk_compliance.domain.commands import HandOver
from asterisk_compliance.ids import spool_name

RESULT_VARIABLE = "COMPLIANCE_RESULT"
STATUS_VARIABLE = "COMPLIANCE_STATUS"
MIXMONITOR_ID_VARIABLE = "COMPLIANCE_MMID"

RESULT_VARIABLES = (
    "COMPLIANCE_STATUS",
    "COMPLIANCE_REASON",
    "COMPLIANCE_PURPOSES",
    "COMPLIANCE_NOTICE",
    "COMPLIANCE_RECORDING_ID",
    "COMPLIANCE_CALL_ID",
    "COMPLIANCE_NEXT",
    "COMPLIANCE_CHANNEL",
    "COMPLIANCE_OPTIONS",
)


def encode_result(result: HandOver, spool: PurePath) -> str:
    """The variable's value. ``spool`` is the directory as Asterisk sees it.

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
        _mixmonitor_options(result, spool) if result.start else "",
    )
    for value in values:
        if set(value) & set(',"\\$\r\n'):
            raise ValueError("a result must not hold characters of dialplan syntax")
    return ",".join(values)


def _mixmonitor_options(result: HandOver, spool: PurePath) -> str:
    """``b``: only while bridged; ``i``: the id to stop it by; ``r``, ``t``: one file a direction.

    Source: apps/app_mixmonitor.c. There is no mixed file: the two directions are the recording.
    """
    assert result.recording is not None
    rx = spool / spool_name(result.recording, "rx")
    tx = spool / spool_name(result.recording, "tx")
    bridged = "b" if result.bridged_only else ""
    return f"{bridged}i({MIXMONITOR_ID_VARIABLE})r({rx})t({tx})"
