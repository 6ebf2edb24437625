"""A synthetic call through the whole chain, every so many minutes: does all of it work, now?

The service places it over ARI, a Local channel into the dialplan's ``compliance-canary``, and it
takes the way of every call: routine, notice, decision, MixMonitor, file, verdict, vault. What
makes it synthetic is the id of its channel, which the service has chosen at random: nobody who
calls can have that. Its recording is removed as that of a caller who withdrew. Its own rows tell
whether it passed; a row of its own says so.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field

import structlog

from asterisk_compliance.app.audit.metered_log import MeteredLog
from asterisk_compliance.app.calls.node import Node
from asterisk_compliance.app.calls.playing_notices import NoticeSlots
from asterisk_compliance.app.dialplan.variables import CANARY_VARIABLE
from asterisk_compliance.app.shared.metrics import Metrics
from asterisk_compliance.app.shared.outcomes import ignore_outcome
from asterisk_compliance.app.shared.troubles import HealthTrouble, Trouble
from asterisk_compliance.asterisk.ari import requests as ari_requests
from asterisk_compliance.clock import unix_ms
from asterisk_compliance.config.settings import CanarySettings
from asterisk_compliance.domain.audit.encoding import timestamp
from asterisk_compliance.domain.audit.rows import Draft, Kind
from asterisk_compliance.domain.call.canary import CanaryReason, failure, has_no_time, missing
from asterisk_compliance.errors import AsteriskError, AsteriskUnavailable, StoreError
from asterisk_compliance.ids import CallId, ChannelId

CONTEXT = "compliance-canary"
CALLER, SPEAKER = f"call@{CONTEXT}", f"speak@{CONTEXT}"

PASSED, SKIPPED = "passed", "skipped"

FIRST_S = 10.0
"""A service that just started is connected by then."""
_SLOW_STORE_S = 1.0

log = structlog.get_logger()


@dataclass(slots=True)
class _Flight:
    """A synthetic call under way.

    Attributes:
        over: Resolved with why it failed, or with nothing.
        skipped: It was turned away, because real calls come first.
    """

    channel: ChannelId
    over: asyncio.Future[CanaryReason | None]
    call: CallId | None = None
    seen: set[str] = field(default_factory=set)
    decided: str | None = None
    skipped: bool = False


class Canary:
    """Synthetic calls through one Asterisk. Await :meth:`run` in a task.

    Attributes:
        last: How the last one ended, as ``/health`` shows it; empty before the first.
        trouble: The last one failed.
    """

    def __init__(
        self,
        node: Node,
        settings: CanarySettings,
        rows: MeteredLog,
        notices: NoticeSlots,
        metrics: Metrics,
    ) -> None:
        self.node = node
        self.last: dict[str, str] = {}
        self.trouble: HealthTrouble | None = None
        self._settings = settings
        self._rows = rows
        self._notices = notices
        self._metrics = metrics
        self._flight: _Flight | None = None
        self._one_at_a_time = asyncio.Lock()

    async def run(self) -> None:
        """Place one call after another, until cancelled; none where the settings ask for none."""
        every_s = self._settings.every_min * 60
        if not every_s:
            return
        await asyncio.sleep(min(FIRST_S, every_s))
        while True:
            began = time.monotonic()
            try:
                await self.once(self._settings.policy)
            except Exception:  # a defect here must not end the calls
                log.exception("canary_failed_itself", node=self.node.node)
            await asyncio.sleep(max(0.0, every_s - (time.monotonic() - began)))

    def observe(self, row: Draft) -> None:
        """Look at one durable row."""
        flight = self._flight
        if flight is None or row.call is None:
            return
        if row.kind is Kind.CALL_ARRIVED and row.detail.get("channel") == flight.channel:
            flight.call = row.call
        if row.call != flight.call:
            return
        flight.seen.add(row.kind)
        if row.kind is Kind.DECISION:
            flight.decided = str(row.detail.get("reason"))
        flight.skipped = flight.skipped or has_no_time(row.kind, row.detail)
        why = failure(row.kind, row.detail, followed=self.node.ami is not None)
        if why is None and row.kind is not Kind.RECORDING_REMOVED:
            return
        if not flight.over.done():
            flight.over.set_result(why or missing(flight.seen))

    async def once(self, policy: str) -> str:
        """One synthetic call with this policy, and the row of its outcome.

        Returns:
            ``passed``, ``skipped``, or why it failed.
        """
        async with self._one_at_a_time:
            if self._overloaded():
                self._skip()
                return SKIPPED
            began = time.monotonic()
            channel = ChannelId(str(uuid.uuid4()))
            self._flight = flight = _Flight(channel, asyncio.get_running_loop().create_future())
            self.node.synthetic.add(channel)
            try:
                why = await self._fly(flight, policy)
            finally:
                self._flight = None
                self.node.synthetic.discard(channel)
            if flight.skipped:
                self._skip()
                return SKIPPED
            await self._tell(flight, why, round((time.monotonic() - began) * 1_000))
            return PASSED if why is None else why

    async def _fly(self, flight: _Flight, policy: str) -> CanaryReason | None:
        if (down := self._down()) is not None:
            return down
        speaker = ChannelId(str(uuid.uuid4()))
        try:
            async with asyncio.timeout(self._settings.within_s):
                await self._place(flight.channel, speaker, policy)
                return await flight.over
        except TimeoutError:
            return self._down() or missing(flight.seen) or CanaryReason.NOT_REMOVED
        except AsteriskUnavailable:
            return CanaryReason.ARI_DOWN
        except AsteriskError as error:
            log.error("canary_not_placed", node=self.node.node, why=str(error))
            return CanaryReason.NOT_PLACED
        finally:
            self._hang_up(speaker)

    async def _place(self, caller: ChannelId, speaker: ChannelId, policy: str) -> None:
        assert self.node.ari is not None
        variables = {CANARY_VARIABLE: policy}
        request = ari_requests.originate_local(
            speaker, caller, place=CALLER, then=SPEAKER, variables=variables
        )
        await self.node.ari.send(request)

    def _hang_up(self, channel: ChannelId) -> None:
        """Nothing of a canary goes on when it is over; its other half ends with this one."""
        assert self.node.ari is not None
        self.node.ari.hang_up(channel).add_done_callback(ignore_outcome)

    def _down(self) -> CanaryReason | None:
        if self.node.ari is None or self.node.ari.transport is None:
            return CanaryReason.ARI_DOWN
        if self.node.ami is not None and not self.node.ami.connected:
            return CanaryReason.AMI_DOWN
        return None

    def _overloaded(self) -> bool:
        slow = self._rows.stuck_s > _SLOW_STORE_S or self._rows.refuses
        return self._notices.full or slow or self.node.stopping

    def _skip(self) -> None:
        self._metrics.canary_skipped.labels(self.node.node).inc()
        log.warning("canary_skipped", node=self.node.node)

    async def _tell(self, flight: _Flight, why: CanaryReason | None, took_ms: int) -> None:
        self.trouble = None if why is None else HealthTrouble(Trouble.CANARY_FAILED, self.node.node)
        self.last = {"outcome": PASSED if why is None else why, "at": timestamp(unix_ms())}
        if why is not None:
            log.error("canary_failed", node=self.node.node, reason=why, call=flight.call)
        try:
            await self._rows.append(self._outcome(flight, why, took_ms))
        except StoreError as error:
            log.error("row_refused", kind="canary", why=str(error))

    def _outcome(self, flight: _Flight, why: CanaryReason | None, took_ms: int) -> Draft:
        now_ms, node = unix_ms(), self.node.node
        if why is None:
            return Draft(Kind.CANARY_PASSED, now_ms, node, flight.call, detail={"took_ms": took_ms})
        return Draft(
            Kind.CANARY_FAILED,
            now_ms,
            node,
            flight.call,
            detail={"decided": flight.decided, "reason": why, "took_ms": took_ms},
        )


def canaries(
    nodes: Iterable[Node],
    settings: CanarySettings,
    rows: MeteredLog,
    notices: NoticeSlots,
    metrics: Metrics,
) -> list[Canary]:
    """One for each Asterisk through which a synthetic call can be placed."""
    found = [Canary(node, settings, rows, notices, metrics) for node in nodes if node.ari]
    for canary in found:
        rows.on_durable(canary.observe)
    return found
