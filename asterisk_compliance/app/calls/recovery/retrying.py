"""Recordings that could not be taken in (``recording_unjudged``), and perhaps can be now.

A disk was full, or the process that seals died; the files are in the spool, closed, in plain. The
row has what the recording was judged by, which was known only then, and by that it is judged again:
once in each life of the service, and when storage works again that did not. What Asterisk had not
closed, and what is no recording, is left to people.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, NamedTuple

import structlog

from asterisk_compliance.app.calls.caller_channel import AriCallerChannel
from asterisk_compliance.clock import monotonic_ms, unix_ms
from asterisk_compliance.domain.audit.encoding import decode
from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.domain.call.recovery import Clock, expected_of, try_again
from asterisk_compliance.domain.call.replay import ReplayedCall, replay_call
from asterisk_compliance.domain.recording.verdict import Expected
from asterisk_compliance.errors import StoreError
from asterisk_compliance.ids import CallId, RecordingId
from asterisk_compliance.storage.log.reader import RecordingQuery, RowQuery, StoreReader

if TYPE_CHECKING:
    from asterisk_compliance.app.calls.node_view import NodeView

_POLL_S = 0.05
_UNDISTURBED_S = 2.0
"""A verb of the control socket is given up after five."""
_GIVEN_UP_S = 900.0

log = structlog.get_logger()


class RecordingRetry:
    """Of one Asterisk: one recording at a time, so that those of live calls do not wait.

    Attributes:
        undisturbed: Held for each while it begins, and for most until it has ended: who disposes of
            recordings, or places holds, has it too, and waits no longer than a moment.
    """

    def __init__(self, node: NodeView, undisturbed: asyncio.Lock) -> None:
        self.undisturbed = undisturbed
        self._node = node
        self._is_due = True
        self._runs = False

    def storage_works(self) -> None:
        """What failed for want of a disk may be possible now."""
        self._is_due = True
        self._node.spawn(self.run())

    async def run(self) -> None:
        """Try what waits, if it is time; a second one that comes meanwhile is done by the first."""
        if self._runs:
            return
        self._runs = True
        try:
            while self._is_due:
                self._is_due = False
                await self._all()
        except StoreError as error:
            self._is_due = True
            log.warning("not_tried_again", node=self._node.node, why=str(error))
        finally:
            self._runs = False

    async def _all(self) -> None:
        waiting = await asyncio.to_thread(_unjudged, self._node)
        for call, recording in waiting:
            if not self._node.is_spooled(recording):
                continue
            async with self.undisturbed:
                await self._begin(call, recording)
                await self._over(call, _UNDISTURBED_S)
            await self._over(call, _GIVEN_UP_S)

    async def _begin(self, call: CallId, recording: RecordingId) -> None:
        node = self._node
        left = await asyncio.to_thread(_left, node, call, recording)
        if left is None or node.ari is None or node.stopping or node.no_storage is not None:
            return
        if node.follows(call) or left.known.channel in node.calls:
            return
        now = Clock(monotonic_ms(), unix_ms())
        stepped = try_again(left.known, recording, left.expected, limits=node.limits, now=now)
        log.info("recording_tried_again", node=node.node, recording=recording)
        node.begin(stepped, AriCallerChannel(node.ari, left.known.channel))

    async def _over(self, call: CallId, within_s: float) -> None:
        """Wait for its end, but not for ever: a disk may hang."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while self._node.follows(call):  # noqa: ASYNC110 - a call does not tell its end
                    await asyncio.sleep(_POLL_S)


class _Left(NamedTuple):
    known: ReplayedCall
    expected: Expected


def _unjudged(node: NodeView) -> list[tuple[CallId, RecordingId]]:
    with StoreReader(node.store) as reader:
        return [(CallId(call), RecordingId(one)) for call, one in reader.unjudged(node.node)]


def _left(node: NodeView, call: CallId, recording: RecordingId) -> _Left | None:
    """What is known of it; ``None`` where it was dealt with meanwhile, or must not be tried."""
    with StoreReader(node.store) as reader:
        if not reader.every_recording(RecordingQuery(recording=recording, level="unjudged")):
            return None
        rows = [decode(stored.data) for stored in reader.rows(RowQuery(call=call))]
    said = [
        row.detail
        for row in rows
        if row.kind == Kind.RECORDING_UNJUDGED and row.detail.get("recording") == recording
    ]
    known = replay_call(rows)
    if known is None or not known.ended or not said:
        return None
    try:
        expected = expected_of(said[-1])
    except ValueError as error:
        log.error("not_tried_again", recording=recording, why=str(error))
        return None
    return None if expected is None else _Left(known, expected)
