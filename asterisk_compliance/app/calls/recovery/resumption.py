"""Going on after somebody was away: we, Asterisk, or a connection between the two.

On every connect what the log says is compared with the channels that exist and with the files in
the spool. It can be repeated at any moment, also after dying in the middle of it.

    in the log, not over     channel lives                channel is gone
    ─────────────────────    ─────────────────────────    ───────────────────────────────
    followed here            its company is looked at     told that it is gone
    not followed             followed again               finished: rows observed late,
                                                          files judged and taken in
    a file of no call        set aside, readable by nobody, with a row
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NoReturn

import structlog

from asterisk_compliance.app.calls.caller_channel import AriCallerChannel
from asterisk_compliance.app.calls.leg_tracking import STOOD_STILL_MS
from asterisk_compliance.app.calls.recovery.liveness import LIVING, LivenessRecord
from asterisk_compliance.app.calls.recovery.retrying import RecordingRetry
from asterisk_compliance.asterisk.ari.client import AriClient
from asterisk_compliance.asterisk.ari.events import Channel
from asterisk_compliance.asterisk.ari.requests import Bridge
from asterisk_compliance.clock import monotonic_ms, unix_ms
from asterisk_compliance.domain.audit.encoding import Row, decode, milliseconds
from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.domain.call.events import ChannelGone, FileAppeared, LookedAway
from asterisk_compliance.domain.call.recovery import Clock, finish, follow_again
from asterisk_compliance.domain.call.replay import ReplayedCall, replay_call
from asterisk_compliance.domain.policy.notice import OnJoin, Policy
from asterisk_compliance.errors import AsteriskError, StoreError
from asterisk_compliance.ids import CallId, ChannelId, call_id
from asterisk_compliance.storage.log.reader import RowQuery, StoreReader

if TYPE_CHECKING:
    from asterisk_compliance.app.calls.node_view import NodeView

_TRIES = 5
_AMI_S = 3.0
_POLL_S = 0.02
_TICK_S = 0.05
_LAST_MOMENT_MS = 700
"""What a life saw in its last moment has no row: rows come by so much after their fact, and that
AMI is late is noticed by so much too late."""

log = structlog.get_logger()


class CallResumption:
    """The comparisons of one Asterisk: one at a time, and never two that wait.

    Args:
        liveness: Of this service.
        undisturbed: As of :class:`RecordingRetry`.

    Attributes:
        again: What is left of calls that are over; tried after a comparison.
        turn: Held while one runs.
    """

    def __init__(self, node: NodeView, liveness: LivenessRecord, undisturbed: asyncio.Lock) -> None:
        self._node = node
        self._liveness = liveness
        self.again = RecordingRetry(node, undisturbed)
        self.turn = asyncio.Lock()
        self._waits = False

    async def run(self) -> None:
        """Compare, as soon as a comparison that runs is over.

        One that waits has not looked yet: it will see what this one would.
        """
        if self._waits:
            return
        self._waits = True
        try:
            await self.turn.acquire()
        finally:
            self._waits = False
        try:
            await self._node.adoption.run()
            if await recover(self._node, self._liveness):
                self._node.spawn(self.again.run())
        finally:
            self.turn.release()


async def recover(node: NodeView, liveness: LivenessRecord) -> bool:
    """Compare log, channels and spool of one Asterisk, and go on from there.

    Where ARI alone was gone, AMI told of bridges all the time, and nobody could come unseen, unless
    it is late just now.

    Args:
        node: Connected to ARI.
        liveness: Of this service.

    Returns:
        Whether it could be done.
    """
    assert node.ari is not None
    away_since_ms = node.legs.at_the_earliest(monotonic_ms())
    if node.legs.away_since_ms is not None:
        away_since_ms = min(away_since_ms, node.legs.away_since_ms)
    here = tuple(node.calls.items())  # who arrives while we ask is in no answer
    led = {task.call.id for _, task in here} | node.backlog.owed
    before = call_id(unix_ms(), bytes(8))
    try:
        unfinished = await asyncio.to_thread(_unfinished, node, led, liveness.alive_unix_ms)
        left = [one for one in unfinished if one.is_before(before)]
        if left:
            await _until_ami(node)
        hearing = node.legs.hearing
        channels, bridges = await _as_it_is(node, node.ari)
    except (AsteriskError, StoreError) as error:
        log.warning("not_recovered", node=node.node, why=str(error))
        return False
    now = liveness.now()
    for channel, task in here:
        if channel not in channels:
            node.legs.end_seen_on_other_wire(channel, now.at_ms)
            task.feed(ChannelGone(now.at_ms))
        else:
            task.feed(LookedAway(away_since_ms))
            node.legs.is_blind(task)
    taken_up = [one for one in left if not node.follows(one.known.id)]
    for one in taken_up:
        _take_up(node, one, channels.get(one.known.channel), now)
    node.legs.refresh(bridges, channels, now.at_ms, hearing=hearing)
    await node.adoption.set_strangers_aside()
    if taken_up:
        log.warning("calls_taken_up", node=node.node, calls=len(taken_up))
    return True


async def look_again_after_standing_still(node: NodeView) -> NoReturn:
    """A process that was stopped, or had no processor, is told of everything too late.

    Its connections live on, so nobody reconnects; what is late by so much is not blanked by the
    margins of the rules.
    """
    looked_ms = monotonic_ms()
    while True:
        await asyncio.sleep(_TICK_S)
        now_ms = monotonic_ms()
        if now_ms - looked_ms > STOOD_STILL_MS:
            log.warning("stood_still", node=node.node, for_ms=now_ms - looked_ms)
            for task in node.calls.values():  # what waits in our queues may have happened since
                task.feed(LookedAway(looked_ms))
            node.gap_began(looked_ms)
        looked_ms = now_ms
        node.legs.awake(now_ms)


async def _until_ami(node: NodeView) -> None:
    """Without AMI nothing can be muted; after a start it is there a moment after ARI."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_AMI_S):
            while node.ami is not None and not node.ami.connected:  # noqa: ASYNC110 - another wire
                await asyncio.sleep(_POLL_S)


async def _as_it_is(
    node: NodeView, ari: AriClient
) -> tuple[dict[ChannelId, Channel], list[Bridge]]:
    """Channels and bridges of one moment: asked again if somebody came or left meanwhile.

    On a busy Asterisk that never ends, so it ends; what AMI told last is then told again by it.
    """
    for left in reversed(range(_TRIES)):
        seen = node.legs.changes
        channels = {channel.id: channel for channel in await ari.channels()}
        bridges = await ari.bridges()
        if node.legs.changes == seen or not left:
            return channels, bridges
    raise AssertionError("unreachable")


@dataclass(frozen=True, slots=True)
class _Left:
    """A call that the log does not know the end of.

    Attributes:
        ours: It is one of this life of the service.
        looked_unix_ms: When the last life that followed it was last seen to live.
        first_seq: Of its first row.
    """

    known: ReplayedCall
    ours: bool
    looked_unix_ms: int
    first_seq: int

    def is_before(self, newest: CallId) -> bool:
        """Whether it was there before that id was made; somebody may set the clock in between."""
        return not self.ours or self.known.id < newest


def _take_up(node: NodeView, left: _Left, channel: Channel | None, now: Clock) -> None:
    assert node.ari is not None
    known = left.known
    line = AriCallerChannel(node.ari, known.channel)
    now = now.from_row(left.first_seq)
    unseen_ms = now.since_ms(left.looked_unix_ms - _LAST_MOMENT_MS)
    if channel is None:
        node.begin(finish(known, limits=node.limits, now=now, unseen_ms=unseen_ms), line)
        return
    if channel.dialplan.app_name == "Stasis":
        return  # it waits for us, and is sent on by whoever found it (ears.py)
    stepped = follow_again(
        known,
        policy_of(node, known),
        limits=node.limits,
        wiring=node.wiring,
        now=now,
        unseen_ms=unseen_ms,
    )
    task = node.begin(stepped, line)
    node.spawn(_look_whether_gone(node, node.ari, known.channel))
    for recording in (known.coming, known.running):
        if recording is not None and node.is_spooled(recording):
            task.feed(FileAppeared(recording, now.at_ms))
            return


async def _look_whether_gone(node: NodeView, ari: AriClient, channel: ChannelId) -> None:
    """Who hung up while we asked was no call of ours yet: nobody says so again."""
    try:
        if await ari.channel(channel) is None:
            node.feed(channel, ChannelGone(monotonic_ms()))
    except AsteriskError as error:
        log.warning("channel_not_looked_at", channel=channel, why=str(error))


def policy_of(node: NodeView, known: ReplayedCall) -> Policy | None:
    """The policy under which a call was decided, as far as this configuration still has it.

    The same name with other words is not the same: then whoever joins ends the recording.
    """
    found = node.policies.with_digest(known.policy, known.policy_digest)
    if found is not None or known.policy not in node.policies.by_name:
        return found
    other = node.policies.by_name[known.policy]
    if known.language and known.language not in other.notice.wordings:
        return None
    return replace(other, on_join=OnJoin.STOP)


def _unfinished(node: NodeView, led: AbstractSet[CallId], alive_unix_ms: int) -> list[_Left]:
    """Calls of this Asterisk that the log does not know the end of, but for those ``led`` here.

    A life that died before it looked has not followed them: then nobody has since the life before.
    When that was last seen to live its own rows say, and only the mark of the newest life is left.
    """
    found = []
    with StoreReader(node.store) as reader:
        calls = [call for call in reader.unfinished(node.node) if call not in led]
        if not calls:
            return []
        starts = [row.seq for row in reader.rows(RowQuery(kind=Kind.SERVICE_STARTED))]
        told = _told(reader, node)
        for call in calls:
            rows = [decode(stored.data) for stored in reader.rows(RowQuery(call=call))]
            known = replay_call(rows)
            if known is None:
                continue
            followed = max(row.seq for row in rows if row.kind in LIVING)  # others write too
            next_start = next((seq for seq in starts if seq > followed), None)
            looked_unix_ms = alive_unix_ms
            if next_start is not None and next_start != starts[-1]:
                living = reader.last_at(LIVING, before_seq=next_start)
                looked_unix_ms = alive_unix_ms if living is None else milliseconds(living)
            blind_unix_ms = _blind_since(
                rows, [one for one in told if one.seq < (next_start or one.seq + 1)]
            )
            if blind_unix_ms is not None:
                looked_unix_ms = min(looked_unix_ms, blind_unix_ms)
            ours = bool(starts) and rows[0].seq > starts[-1]
            found.append(_Left(known, ours, looked_unix_ms, rows[0].seq))
    return found


@dataclass(frozen=True, slots=True)
class _Told:
    """From that row on, AMI tells of bridges or does not."""

    seq: int
    at_unix_ms: int
    hears: bool


def _told(reader: StoreReader, node: NodeView) -> list[_Told]:
    if node.ami is None:
        return []
    rows = [
        decode(stored.data)
        for kind in (Kind.SERVICE_STARTED, Kind.ASTERISK_CONNECTED, Kind.ASTERISK_DISCONNECTED)
        for stored in reader.rows(RowQuery(kind=kind))
    ]
    ours = (
        _Told(row.seq, milliseconds(row.at) - _late_ms(row), row.kind == Kind.ASTERISK_CONNECTED)
        for row in rows
        if row.kind == Kind.SERVICE_STARTED
        or (row.node == node.node and row.detail.get("wire") == "ami")
    )
    return sorted(ours, key=lambda one: one.seq)


def _late_ms(row: Row) -> int:
    late_ms = row.detail.get("late_ms", 0)
    return late_ms if isinstance(late_ms, int) else 0


def _blind_since(rows: list[Row], told: list[_Told]) -> int | None:
    """Since when nobody told of a call's bridges, and no row of the call says so."""
    known = [row for row in rows if row.kind == Kind.CALL_FOLLOWED] or rows[:1]
    before = [one for one in told if one.seq < known[-1].seq]
    if before and not before[-1].hears:
        return milliseconds(known[-1].at)
    later = (one.at_unix_ms for one in told if one.seq > known[-1].seq and not one.hears)
    return next(later, None)
