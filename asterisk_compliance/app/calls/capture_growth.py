"""Recordings that grew, and do not any more: a full disk, or a recorder that died.

Asterisk says nothing about either (docs/asterisk-facts.md). But a file also stands still while
nobody on the call sends anything; so packets are counted before anything is said.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NoReturn

import structlog

from asterisk_compliance.app.recordings.intake import RecordingIntake
from asterisk_compliance.clock import monotonic_ms
from asterisk_compliance.domain.call.events import FileStopped
from asterisk_compliance.errors import AsteriskError
from asterisk_compliance.ids import ChannelId, RecordingId, call_of

if TYPE_CHECKING:
    from asterisk_compliance.app.calls.node_view import NodeView

_LOOKS = 3
"""In the time after which a recording that does not grow is noticed."""
_PACKETS_S = 0.3
"""In so long a party gets or sends packets, be they of 20 ms or of 100."""

log = structlog.get_logger()


async def watch_growth(node: NodeView, intake: RecordingIntake) -> NoReturn:
    """Look for recordings whose files did not grow for ``growth_s``, until cancelled."""
    within_s = node.limits.growth_ms / 1_000
    while True:
        await asyncio.sleep(within_s / _LOOKS)
        for recording in intake.standing_still(within_s):
            node.spawn(_tell_if_it_should_grow(node, intake, recording))


async def _tell_if_it_should_grow(
    node: NodeView, intake: RecordingIntake, recording: RecordingId
) -> None:
    task = node.live_call(call_of(recording))
    if task is None or not task.call.capture.runs or task.call.recording != recording:
        return
    if await _packets_pass(node, task.call.channel):
        log.warning("recording_stopped_growing", recording=recording)
        intake.expect_growth(recording)
        task.feed(FileStopped(recording, monotonic_ms()))


async def _packets_pass(node: NodeView, channel: ChannelId) -> bool:
    """Whether the channel sends or gets anything; where nobody can tell, it should."""
    if node.ari is None:
        return True
    try:
        before = await node.ari.packets(channel)
        await asyncio.sleep(_PACKETS_S)
        return before is None or await node.ari.packets(channel) != before
    except AsteriskError as error:
        log.info("packets_not_counted", channel=channel, why=str(error))
        return True
