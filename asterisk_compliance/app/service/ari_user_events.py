"""Tells other Stasis applications what becomes of a live call, as ARI user events: best effort.

A fact is told once its row is durable. Each application has a bounded queue, and one request of it
is under way at a time, so that a call's own commands never wait for more than that one. What does
not arrive is counted and forgotten: the log has it, and ``seq`` shows the gap.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import structlog

from asterisk_compliance.app.calls.node import Node
from asterisk_compliance.app.shared.metrics import Metrics
from asterisk_compliance.asterisk.ari.client import AriClient
from asterisk_compliance.config.settings import AsteriskSettings
from asterisk_compliance.domain.audit.encoding import Row
from asterisk_compliance.domain.audit.rows import Actor, Kind
from asterisk_compliance.errors import AsteriskError, RequestRefused
from asterisk_compliance.ids import NodeName
from asterisk_compliance.storage.log.reader import StoredRow

EVENT = "call_fact"
"""Name of the user event. AMI never sees it, and ``Compliance…`` is what AMI tells us."""
QUEUE_FACTS = 1_000

LIVE_KINDS = frozenset(
    {
        Kind.CALL_ARRIVED,
        Kind.NOTICE_STARTED,
        Kind.NOTICE_COMPLETED,
        Kind.NOTICE_INCOMPLETE,
        Kind.CONSENT,
        Kind.DECISION,
        Kind.CALL_CONTINUED,
        Kind.CALL_FOLLOWED,
        Kind.PARTY_JOINED,
        Kind.PARTY_TOLD,
        Kind.PARTY_NOT_TOLD,
        Kind.RECORDING_REQUESTED,
        Kind.RECORDING_STARTED,
        Kind.RECORDING_GROWING,
        Kind.RECORDING_STALLED,
        Kind.CAPTURE_ASKED,
        Kind.CAPTURE_PAUSED,
        Kind.CAPTURE_RESUMED,
        Kind.CAPTURE_STOPPED,
        Kind.CALL_DIVERTED,
        Kind.CALL_ENDED,
    }
)

log = structlog.get_logger()
_rows = msgspec.json.Decoder(Row)


class AriUserEventPublisher:
    """What is told to whom. Make it, have it :meth:`observe` what is stored, and :meth:`run` it."""

    def __init__(
        self, nodes: Sequence[Node], settings: Sequence[AsteriskSettings], metrics: Metrics
    ) -> None:
        self._nodes = {node.node: node for node in nodes}
        self._listeners = {
            one.node: [
                _Listener(self._nodes[NodeName(one.node)], application, metrics)
                for application in one.ari.tell
            ]
            for one in settings
            if one.ari is not None
        }
        self._anybody = any(self._listeners.values())

    def observe(self, stored: Sequence[StoredRow]) -> None:
        """Queue what others are to hear of rows that are durable; never waits."""
        if not self._anybody:
            return
        for one in stored:
            row = _rows.decode(one.data)
            if row.call is not None and row.kind in LIVE_KINDS:
                self._tell(row)

    async def run(self) -> None:
        """Tell, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for listeners in self._listeners.values():
                for listener in listeners:
                    tasks.create_task(listener.run())

    def _tell(self, row: Row) -> None:
        listeners = self._listeners.get(row.node)
        if not listeners or row.call is None:
            return
        task = self._nodes[row.node].live_call(row.call)
        if task is None or task.call.synthetic:
            return
        fact = {
            "seq": row.seq,
            "at": row.at,
            "kind": row.kind,
            "node": row.node,
            "call": row.call,
            "channel": task.call.channel,
            "actor": row.actor if row.actor in _ACTORS else "staff",
            "detail": dict(_plain(row)),
        }
        for listener in listeners:
            listener.queue(fact)


_ACTORS = frozenset(Actor)


def _plain(row: Row) -> Iterator[tuple[str, Any]]:
    """The details, without what stands for a person."""
    for name, value in row.detail.items():
        if name not in {"party", "role"} and not name.startswith("commit."):
            yield name, value


class _Listener:
    """One application that is told."""

    def __init__(self, node: Node, application: str, metrics: Metrics) -> None:
        assert node.ari is not None
        self._ari: AriClient = node.ari
        self._application = application
        self._facts: deque[dict[str, Any]] = deque()
        self._queued = asyncio.Event()
        self._told = metrics.facts_told[node.node, application]
        self._not_told = metrics.facts_not_told[node.node, application]
        self._listens = True
        self._log = log.bind(node=node.node)

    def queue(self, fact: dict[str, Any]) -> None:
        """Behind what waits; if too much does, the oldest is forgotten."""
        if len(self._facts) == QUEUE_FACTS:
            self._facts.popleft()
            self._not_told.inc()
        self._facts.append(fact)
        self._queued.set()

    async def run(self) -> None:
        while True:
            await self._queued.wait()
            self._queued.clear()
            while self._facts:
                await self._tell(self._facts.popleft())

    async def _tell(self, fact: dict[str, Any]) -> None:
        try:
            await self._ari.user_event(self._application, EVENT, fact)
        except AsteriskError as error:
            self._not_told.inc()
            if self._listens:
                self._listens = False
                nobody = isinstance(error, RequestRefused) and error.status == 404
                why = "no such application is there" if nobody else str(error)
                self._log.warning("facts_not_told", application=self._application, why=why)
        else:
            self._told.inc()
            if not self._listens:
                self._listens = True
                self._log.info("facts_told_again", application=self._application)
