"""The canary judges its own rows alone, in time, and stays out of the way."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest
import structlog

from asterisk_compliance.app.checks.live.canary import Canary, canaries
from asterisk_compliance.app.shared.metrics import Metrics
from asterisk_compliance.config.settings import CanarySettings
from asterisk_compliance.domain.audit.rows import Detail, Draft, Kind
from asterisk_compliance.domain.call.canary import CHAIN
from asterisk_compliance.errors import AsteriskUnavailable, RequestRefused, StoreUnavailable
from asterisk_compliance.ids import NodeName, call_id

POLICY = "inbound"
CALL, OTHER_CALL = call_id(1_700_000_000_000, b"8 bytes!"), call_id(1_700_000_000_000, b"9 bytes!")
GOOD: Mapping[Kind, dict[str, Detail]] = {
    Kind.DECISION: {"status": "ALLOWED", "reason": "NOTICE_COMPLETED"},
    Kind.RECORDING_CLOSED: {"whole": True, "expected_ms": 4_000},
}


@dataclass
class Rows:
    """A log that keeps what it is given."""

    kept: list[Draft] = field(default_factory=list)
    observers: list[Any] = field(default_factory=list)
    stuck_s: float = 0.0
    refuses: bool = False

    def on_durable(self, observer: Any) -> None:
        self.observers.append(observer)

    def append(self, *drafts: Draft, patient: bool = False) -> asyncio.Future[int]:
        if self.refuses:
            raise StoreUnavailable("full")
        self.kept += drafts
        done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        done.set_result(len(self.kept))
        return done


class Ari:
    """Takes every request; ``failure``: or fails it."""

    transport: str | None = "websocket"

    def __init__(self) -> None:
        self.placed: list[Mapping[str, Any]] = []
        self.hung_up: list[str] = []
        self.failure: Exception | None = None
        self.arrived = asyncio.Event()

    def send(self, request: Any) -> asyncio.Future[None]:
        self.placed.append(request.content)
        self.arrived.set()
        return self._done(self.failure)

    def hang_up(self, channel: str) -> asyncio.Future[None]:
        self.hung_up.append(channel)
        return self._done(AsteriskUnavailable("gone"))

    def _done(self, failure: Exception | None) -> asyncio.Future[None]:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if failure is None:
            done.set_result(None)
        else:
            done.set_exception(failure)
        return done


class Bird:
    """A canary in surroundings of our own."""

    def __init__(self, within_s: float = 5.0, every_min: float = 60.0) -> None:
        self.ari, self.rows, self.metrics = Ari(), Rows(), Metrics()
        self.notices = SimpleNamespace(full=False)
        self.node: Any = SimpleNamespace(
            node=NodeName("pbx1"),
            ari=self.ari,
            ami=SimpleNamespace(connected=True),
            synthetic=set(),
            stopping=False,
        )
        settings = CanarySettings(every_min=every_min, policy=POLICY, within_s=within_s)
        (self.canary,) = canaries(
            [self.node],
            settings,
            cast("Any", self.rows),
            cast("Any", self.notices),
            self.metrics,
        )

    def row(self, kind: Kind, call: Any = CALL, **detail: Detail) -> None:
        told = {**GOOD.get(kind, {}), **detail}
        for observe in self.rows.observers:
            observe(Draft(kind, 0, NodeName("pbx1"), call, detail=told))

    async def arrives(self) -> None:
        await asyncio.wait_for(self.ari.arrived.wait(), 5)
        self.row(Kind.CALL_ARRIVED, channel=self.channel)

    @property
    def channel(self) -> str:
        return str(self.ari.placed[0]["otherChannelId"])

    @property
    def outcome(self) -> tuple[Kind, Any, Any]:
        (row,) = self.rows.kept
        return row.kind, row.call, row.detail.get("reason")

    def skipped(self) -> float | None:
        return self.metrics.registry.get_sample_value(
            "compliance_canary_skipped_total", {"node": "pbx1"}
        )


async def test_it_passes_when_its_last_row_is_durable() -> None:
    bird = Bird()
    flies = asyncio.create_task(bird.canary.once(POLICY))
    await bird.arrives()
    assert bird.node.synthetic == {bird.channel}
    for link in CHAIN[1:]:
        assert not flies.done()
        bird.row(link.kind)
    await asyncio.wait_for(flies, 5)
    assert bird.outcome == (Kind.CANARY_PASSED, CALL, None)
    assert bird.canary.trouble is None
    assert bird.canary.last["outcome"] == "passed"
    assert bird.node.synthetic == set()
    (placed,) = bird.ari.placed
    assert placed["variables"] == {"COMPLIANCE_CANARY": "inbound"}
    assert placed["endpoint"] == "Local/call@compliance-canary/n"
    assert len(bird.ari.hung_up) == 1
    assert bird.ari.hung_up != [bird.channel]


async def test_rows_of_other_calls_are_not_its_own() -> None:
    bird = Bird(within_s=0.3)
    flies = asyncio.create_task(bird.canary.once(POLICY))
    await bird.arrives()
    bird.row(Kind.CALL_ARRIVED, OTHER_CALL, channel="1700000000.1")
    for link in CHAIN[1:]:
        bird.row(link.kind, OTHER_CALL)
    bird.row(Kind.NOTICE_INCOMPLETE, OTHER_CALL)
    bird.row(Kind.SERVICE_STOPPED, None)
    await asyncio.wait_for(flies, 5)
    assert bird.outcome == (Kind.CANARY_FAILED, CALL, "NO_NOTICE")
    assert str(bird.canary.trouble) == "CANARY_FAILED pbx1"


async def test_a_row_that_says_so_ends_it_at_once() -> None:
    bird = Bird()
    flies = asyncio.create_task(bird.canary.once(POLICY))
    await bird.arrives()
    bird.row(Kind.NOTICE_COMPLETED)
    bird.row(Kind.DECISION, status="NOT_RECORDED", reason="CONSENT_MISSING")
    bird.row(Kind.CALL_ENDED)
    await asyncio.wait_for(flies, 5)
    assert bird.outcome == (Kind.CANARY_FAILED, CALL, "NOT_ALLOWED")
    assert bird.rows.kept[0].detail["decided"] == "CONSENT_MISSING"
    assert len(bird.ari.hung_up) == 1


@pytest.mark.parametrize("lost", [None, "ari", "ami"])
async def test_what_never_comes_is_missed_in_time(lost: str | None) -> None:
    bird = Bird(within_s=0.1)
    flies = asyncio.create_task(bird.canary.once(POLICY))
    await asyncio.wait_for(bird.ari.arrived.wait(), 5)
    if lost == "ari":
        bird.ari.transport = None
    if lost == "ami":
        bird.node.ami.connected = False
    await asyncio.wait_for(flies, 5)
    reason = {None: "NOT_ARRIVED", "ari": "ARI_DOWN", "ami": "AMI_DOWN"}[lost]
    assert bird.outcome == (Kind.CANARY_FAILED, None, reason)


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (RequestRefused("originate", 400, "Allocation failed"), "NOT_PLACED"),
        (AsteriskUnavailable("lost"), "ARI_DOWN"),
    ],
)
async def test_a_call_that_cannot_be_placed(failure: Exception, reason: str) -> None:
    bird = Bird()
    bird.ari.failure = failure
    with structlog.testing.capture_logs():
        await asyncio.wait_for(bird.canary.once(POLICY), 5)
    assert bird.outcome == (Kind.CANARY_FAILED, None, reason)


@pytest.mark.parametrize("down", ["ari", "ami"])
async def test_without_a_connection_no_call_is_placed(down: str) -> None:
    bird = Bird()
    if down == "ari":
        bird.ari.transport = None
    else:
        bird.node.ami.connected = False
    await asyncio.wait_for(bird.canary.once(POLICY), 5)
    assert bird.outcome == (Kind.CANARY_FAILED, None, f"{down.upper()}_DOWN")
    assert bird.ari.placed == []


@pytest.mark.parametrize("why", ["notices", "slow", "refuses", "stopping"])
async def test_real_calls_come_first(why: str) -> None:
    bird = Bird()
    bird.notices.full = why == "notices"
    bird.rows.stuck_s = 5.0 if why == "slow" else 0.0
    bird.rows.refuses = why == "refuses"
    bird.node.stopping = why == "stopping"
    await asyncio.wait_for(bird.canary.once(POLICY), 5)
    assert (bird.ari.placed, bird.rows.kept, bird.skipped()) == ([], [], 1)


async def test_a_canary_that_is_turned_away_has_not_failed() -> None:
    bird = Bird()
    flies = asyncio.create_task(bird.canary.once(POLICY))
    await bird.arrives()
    bird.row(Kind.DECISION, status="NOT_RECORDED", reason="OVERLOADED")
    await asyncio.wait_for(flies, 5)
    assert (bird.rows.kept, bird.skipped(), bird.canary.trouble) == ([], 1, None)


async def test_a_row_that_is_refused_and_a_defect_end_no_canary() -> None:
    bird = Bird(every_min=0.000_1)
    tries = asyncio.Event()

    async def once(policy: str) -> None:
        if len(bird.ari.hung_up) < 2:
            bird.ari.hung_up.append("tried")
            raise RuntimeError("a defect")
        tries.set()

    cast("Any", bird.canary).once = once
    with structlog.testing.capture_logs() as logs:
        runs = asyncio.create_task(bird.canary.run())
        await asyncio.wait_for(tries.wait(), 5)
        runs.cancel()
    assert [entry["event"] for entry in logs].count("canary_failed_itself") == 2
    flies = asyncio.create_task(Canary.once(bird.canary, POLICY))
    await bird.arrives()
    bird.rows.refuses = True
    bird.row(Kind.NOTICE_INCOMPLETE)
    with structlog.testing.capture_logs() as logs:
        await asyncio.wait_for(flies, 5)
    assert {"canary_failed", "row_refused"} <= {entry["event"] for entry in logs}


async def test_none_is_placed_where_none_is_asked_for_or_none_can_be() -> None:
    nowhere: Any = SimpleNamespace(ari=None)
    rows, metrics = cast("Any", Rows()), Metrics()
    assert canaries([nowhere], CanarySettings(every_min=5), rows, cast("Any", None), metrics) == []
    assert rows.observers == []
    bird = Bird(every_min=0)
    async with asyncio.timeout(5):
        await bird.canary.run()
    assert bird.ari.placed == []


async def test_one_that_is_asked_for_waits_for_the_one_under_way() -> None:
    bird = Bird()
    first = asyncio.create_task(bird.canary.once(POLICY))
    await bird.arrives()
    second = asyncio.create_task(bird.canary.once("other"))
    for _ in range(10):
        await asyncio.sleep(0)
    assert len(bird.ari.placed) == 1
    bird.ari.arrived.clear()
    bird.row(Kind.NOTICE_INCOMPLETE)
    assert await asyncio.wait_for(first, 5) == "NO_NOTICE"
    await asyncio.wait_for(bird.ari.arrived.wait(), 5)
    assert [one["variables"]["COMPLIANCE_CANARY"] for one in bird.ari.placed] == [POLICY, "other"]
    second.cancel()
