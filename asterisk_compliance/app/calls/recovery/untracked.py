"""A channel that we do not follow, under the call by which the log knows it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from asterisk_compliance.app.calls.caller_channel import CallerChannel
from asterisk_compliance.clock import unix_ms
from asterisk_compliance.domain.audit.rows import Draft, Kind
from asterisk_compliance.domain.call.machine import resume_stranded_call
from asterisk_compliance.domain.call.state import Arrival
from asterisk_compliance.errors import StoreError
from asterisk_compliance.ids import CallId, ChannelId
from asterisk_compliance.storage.log.reader import StoreReader

if TYPE_CHECKING:
    from asterisk_compliance.app.calls.node_view import NodeView

log = structlog.get_logger()


async def release_untracked(node: NodeView, arrival: Arrival, line: CallerChannel) -> None:
    """Let a channel go on that no live call belongs to, under the call the log knows it by."""
    standing = await _standing_call(node, arrival.channel)
    if arrival.channel in node.calls:
        return
    if standing is None:
        node.arrive(arrival, line)
        return
    identity, decided = standing
    node.begin(resume_stranded_call(identity, arrival, node.limits, decided=decided), line)


async def _standing_call(node: NodeView, channel: ChannelId) -> tuple[CallId, bool] | None:
    """The call of a channel, and whether that was decided."""

    def look() -> tuple[CallId, bool] | None:
        with StoreReader(node.store) as reader:
            entry = reader.standing(node.node, channel)
        if entry is None:
            return None
        return CallId(str(entry["call"])), entry["decision"] is not None

    try:
        return await asyncio.to_thread(look)
    except StoreError as error:
        log.error("log_not_read", node=node.node, why=str(error))
        return None


async def write_release(node: NodeView, channel: ChannelId) -> None:
    """While we hung our watchdog let this channel go on: say so, of its call if we know it."""
    task = node.calls.get(channel)
    known = (task.call.id, True) if task else await _standing_call(node, channel)
    call = known[0] if known else None
    row = Draft(Kind.CALL_RELEASED, unix_ms(), node.node, call, detail={"channel": channel})
    node.append(row)
