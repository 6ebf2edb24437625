"""Past calls of a number: whose may be shown, to whom, behind which row; no call waits for it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

import asterisk_compliance.app.access.past_calls as past_calls_module
from app.live_call import CHANNEL, LIMITS, NOTICE, POLICY, arrival
from asterisk_compliance.app.access.past_calls import (
    MOST,
    WAITING_MAX,
    BadQuestion,
    NobodyCalls,
    PastCalls,
    past_calls,
    show_past_calls,
    variables,
)
from asterisk_compliance.app.access.permission import UseRefused
from asterisk_compliance.app.calls.node import Node
from asterisk_compliance.clock import unix_ms
from asterisk_compliance.config.access import PastCallsSettings
from asterisk_compliance.config.settings import Settings
from asterisk_compliance.domain.access.roles import Asker
from asterisk_compliance.domain.audit.rows import Draft, Kind, PersonalFact
from asterisk_compliance.domain.call import machine as rules
from asterisk_compliance.domain.call.decision import Decision, Reason, Status
from asterisk_compliance.domain.call.state import Call, CallPhase, Decided, WithoutPolicy
from asterisk_compliance.domain.purposes import PurposeCode
from asterisk_compliance.errors import RequestRefused, StoreUnavailable
from asterisk_compliance.ids import CallId, ChannelId, NodeName, call_id, party_id
from asterisk_compliance.storage.log.writer import StoreWriter
from domain.call_builder import undecided
from sample_rows import draft
from sample_settings import settings as sample
from values import replace

NUMBER, OUTSIDE, OTHER = "0312345678", "81312345678", "0398765432"
DAY_MS = 86_400_000
HERE = NodeName("pbx1")
WITHIN_S = 5.0


def a_past_call(
    ago_ms: int = DAY_MS,
    number: str = NUMBER,
    *,
    leg: str = "caller",
    purposes: tuple[str, ...] = ("SERVICE", "QUALITY"),
    queue: str = "support",
    ended: bool = True,
) -> tuple[CallId, list[Draft]]:
    call = call_id(unix_ms() - ago_ms, number[-8:].rjust(8).encode())
    field_name = "dialled" if leg == "callee" else "number"
    facts = (PersonalFact(field_name, number, number.lstrip("+")),) if number else ()
    arrived = {"channel": f"{call[-6:]}.1", "leg": leg, "policy": "inbound", "queue": queue}
    allowed = {"status": "ALLOWED", "reason": "NOTICE_COMPLETED", "purposes": purposes}
    rows = [
        draft(Kind.CALL_ARRIVED, call, detail=arrived, party=party_id(call, 1), facts=facts),
        draft(Kind.DECISION, call, detail=allowed),
    ]
    return call, [*rows, draft(Kind.CALL_ENDED, call, unix_ms())] if ended else rows


def written(store: Path, *calls: tuple[CallId, list[Draft]]) -> list[CallId]:
    with StoreWriter.open(store) as writer:
        for _, rows in calls:
            writer.commit(rows)
    return [call for call, _ in calls]


def found(store: Path, number: str = NUMBER, **options: Any) -> list[Any]:
    return [one["call"] for one in past_calls(store, number, "JP", 365, **options).calls]


# -- whose may be shown ------------------------------------------------------------------------


def test_they_are_found_in_whatever_notation_newest_first(tmp_path: Path) -> None:
    older, newer, called, _ = written(
        tmp_path,
        a_past_call(2 * DAY_MS),
        a_past_call(DAY_MS, "+81312345678"),
        a_past_call(3 * DAY_MS, leg="callee"),
        a_past_call(number=OTHER),
    )
    for typed in (NUMBER, "+81 3-1234-5678", "81312345678", f"+{OUTSIDE}"):
        assert found(tmp_path, typed) == [newer, older, called]
    assert found(tmp_path, before=newer) == [older, called]
    assert found(tmp_path, "anonymous") == []


def test_not_those_that_were_not_told_service_nor_those_that_are_too_old(tmp_path: Path) -> None:
    written(tmp_path, a_past_call(purposes=("QUALITY",)), a_past_call(366 * DAY_MS))
    assert found(tmp_path) == []


def test_nothing_of_who_withdrew(tmp_path: Path) -> None:
    call, rows = a_past_call()
    written(tmp_path, (call, [*rows, draft(Kind.CONSENT, call, detail={"state": "withdrawn"})]))
    assert found(tmp_path) == []


@pytest.mark.parametrize(
    ("purposes", "resumed", "shown"),
    [
        ((), False, False),
        (("SERVICE",), False, False),
        (("QUALITY",), False, True),
        ((), True, True),
    ],
)
def test_nothing_of_a_call_whose_use_was_stopped(tmp_path, purposes, resumed, shown) -> None:
    call, rows = a_past_call()
    about = {"request": "q-1", "purposes": purposes}
    stopped = [draft(Kind.USE_STOPPED, call, detail=about)]
    if resumed:
        stopped.append(draft(Kind.USE_RESUMED, call, detail={"request": "q-1", "purposes": ()}))
    written(tmp_path, (call, [*rows, *stopped]))
    assert found(tmp_path) == ([call] if shown else [])


def test_an_erased_person_has_no_past(tmp_path: Path) -> None:
    call, rows = a_past_call()
    erased = draft(Kind.PERSON_ERASED, call, detail={}, erases=party_id(call, 1))
    written(tmp_path, (call, [*rows, erased]))
    assert found(tmp_path) == []


def test_of_a_number_that_calls_all_the_time_not_all_are_looked_through(tmp_path: Path) -> None:
    calls = written(tmp_path, *(a_past_call(DAY_MS + 1_000 * at) for at in range(MOST + 1)))
    past = past_calls(tmp_path, NUMBER, "JP", 365)
    assert [one["call"] for one in past.calls] == calls[:MOST]
    assert past.more


# -- on the channel ----------------------------------------------------------------------------


class Line:
    """Answers at once, refuses, or does not answer any more."""

    def __init__(self, happened: list[str]) -> None:
        self._happened = happened
        self.answers: str = "yes"

    def set_variable(self, name: str, value: str) -> asyncio.Future[None]:
        self._happened.append(f"line {name}={value}")
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self.answers == "yes":
            answer.set_result(None)
        elif self.answers == "no":
            answer.set_exception(RequestRefused("set", 409))
        return answer


class Ami:
    connected = True

    def __init__(self, happened: list[str]) -> None:
        self._happened = happened

    async def setvar(self, channel: ChannelId, name: str, value: str) -> None:
        assert channel == CHANNEL
        self._happened.append(f"ami {name}={value}")


@dataclass
class Site:
    """An Asterisk with one live call. ``disk``: its rows become durable."""

    store: Path
    happened: list[str] = field(default_factory=list)
    rows: list[Draft] = field(default_factory=list)
    live: Call | None = None
    full: bool = False
    waiting: list[asyncio.Future[int]] = field(default_factory=list)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    node: NodeName = HERE
    policies: Any = field(default_factory=lambda: SimpleNamespace(home="JP"))

    def __post_init__(self) -> None:
        self.ari = None
        self.line = Line(self.happened)
        self.ami: Any = Ami(self.happened)
        self.past_calls = PastCalls(cast("Node", self), self, lambda: PastCallsSettings(shown=True))

    def live_call(self, call: CallId) -> Any:
        return (
            None if self.live is None else SimpleNamespace(call=self.live, caller_channel=self.line)
        )

    def append(self, *drafts: Draft) -> asyncio.Future[int]:
        if self.full:
            raise StoreUnavailable("rows wait for the disk")
        self.rows += drafts
        self.happened.append("row")
        self.waiting.append(asyncio.get_running_loop().create_future())
        return self.waiting[-1]

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self.tasks.append(asyncio.get_running_loop().create_task(work))

    def step(self, before: Call, after: Call) -> None:
        self.live = after
        self.past_calls.stepped(before, after)

    async def looked(self) -> None:
        """Wait until the log was asked."""
        await asyncio.wait_for(asyncio.gather(*self.past_calls._sought.values()), WITHIN_S)

    async def durable(self, error: Exception | None = None) -> None:
        """Let the rows become durable, and what follows happen."""
        for row in self.waiting:
            row.set_exception(error) if error else row.set_result(7)
        await asyncio.wait_for(asyncio.gather(*self.tasks), WITHIN_S)
        await asyncio.wait_for(asyncio.gather(*self.tasks), WITHIN_S)


def arrived() -> Call:
    """A call in its notice."""
    call, _ = rules.arrive(
        call_id(unix_ms(), b"the live"), replace(arrival(), outside=OUTSIDE), LIMITS
    )
    assert call.undecided
    return call


def decided(call: Call, *purposes: str, status: Status = Status.ALLOWED) -> Call:
    reason = Reason.NOTICE_COMPLETED if status is Status.ALLOWED else Reason.CONSENT_REFUSED
    decision = Decision(status, reason, tuple(map(PurposeCode, purposes)))
    stage = undecided(call)
    return replace(call, stage=Decided(stage.policy, stage.wording, decision))


def withdrawn(call: Call) -> Call:
    return replace(call, consent=replace(call.consent, withdrawn=True))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    written(tmp_path / "store", a_past_call(5 * DAY_MS), a_past_call(2 * DAY_MS))
    site = Site(tmp_path / "store")
    yield site
    site.past_calls._thread.shutdown()


async def test_row_then_variables_before_the_call_is_let_go(site: Site) -> None:
    call = arrived()
    site.step(call, call)
    await site.looked()
    assert site.happened == []
    site.step(call, decided(call, "SERVICE"))
    assert site.happened == ["row"], "in front of the rows of the decision"
    await site.durable()
    last_s = (unix_ms() - 2 * DAY_MS) // 1_000
    first, second = site.happened[1:]
    assert first == "line COMPLIANCE_PAST_CALLS=2"
    assert abs(int(second.removeprefix("line COMPLIANCE_LAST_CALL=")) - last_s) < 10
    (row,) = site.rows
    assert (row.kind, row.call, row.actor) == (Kind.PAST_CALLS_SHOWN, call.id, "service")
    assert row.detail == {"calls": 2, "on": "channel", "purpose": "SERVICE"}
    assert (row.facts, row.party) == ((), None)


async def test_a_row_that_cannot_be_stored_means_that_nothing_is_shown(site: Site) -> None:
    call = arrived()
    site.step(call, call)
    await site.looked()
    site.step(call, decided(call, "SERVICE"))
    await site.durable(StoreUnavailable("the disk is full"))
    assert site.happened == ["row"]
    site.full = True
    site.step(call, call)
    await site.looked()
    site.step(call, decided(call, "SERVICE"))
    assert site.happened == ["row"]


@pytest.mark.parametrize("answers", ["no", "never"])
async def test_over_ami_where_the_line_is_let_go(site, monkeypatch, answers) -> None:
    monkeypatch.setattr(past_calls_module, "LINE_S", 0.05)
    call = arrived()
    site.line.answers = answers
    site.step(call, call)
    await site.looked()
    site.step(call, decided(call, "SERVICE"))
    await site.durable()
    ami = [one for one in site.happened if one.startswith("ami")]
    assert len(ami) == 2
    assert "ami COMPLIANCE_PAST_CALLS=2" in ami


async def test_over_ami_when_the_call_has_gone_on(site: Site) -> None:
    call = arrived()
    site.step(call, call)
    await site.looked()
    site.step(call, decided(call, "SERVICE").in_phase(CallPhase.DIALPLAN))
    await site.durable()
    assert [one.split()[0] for one in site.happened] == ["row", "ami", "ami"]


@pytest.mark.parametrize(
    "after",
    [
        lambda call: decided(call, status=Status.REFUSED),
        lambda call: decided(call, "QUALITY"),
        lambda call: withdrawn(decided(call, "SERVICE")),
    ],
    ids=["refused", "told something else", "withdrawn at once"],
)
async def test_not_to_a_caller_who_was_not_told_service(site: Site, after) -> None:
    call = arrived()
    site.step(call, call)
    await site.looked()
    site.step(call, after(call))
    assert site.happened == []
    assert site.past_calls._sought == {}


NOT_ALLOWED = Decision(Status.NOT_RECORDED, Reason.POLICY_MISSING)
OTHER_NOTICE = replace(POLICY, notice=replace(NOTICE, purposes=(PurposeCode("QUALITY"),)))


@pytest.mark.parametrize(
    "changed",
    [
        lambda call: replace(call, outside=""),
        lambda call: replace(call, synthetic=True),
        lambda call: replace(call, joins=True),
        lambda call: replace(call, stage=WithoutPolicy(NOT_ALLOWED)),
        lambda call: replace(call, stage=replace(undecided(call), policy=OTHER_NOTICE)),
        lambda call: decided(call, "SERVICE").in_phase(CallPhase.DIALPLAN),
    ],
    ids=["withheld", "synthetic", "joins", "no policy", "not for SERVICE", "decided before"],
)
async def test_nobody_looks_where_nothing_may_be_shown(site: Site, changed) -> None:
    call = changed(arrived())
    site.step(call, call)
    assert site.past_calls._sought == {}


async def test_nobody_looks_unless_the_site_wants_it(site: Site) -> None:
    site.past_calls = PastCalls(cast("Node", site), site, PastCallsSettings)
    call = arrived()
    site.step(call, call)
    assert site.past_calls._sought == {}


@dataclass
class SlowStore:
    """A store that answers when it is told to."""

    answers: threading.Event = field(default_factory=threading.Event)
    asked: int = 0

    def __call__(self, store: Path, number: str, *rest: Any) -> Any:
        self.asked += 1
        assert self.answers.wait(WITHIN_S)
        return past_calls(store, number, *rest)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch, site: Site) -> Iterator[SlowStore]:
    slow = SlowStore()
    monkeypatch.setattr(past_calls_module, "past_calls", slow)
    yield slow
    slow.answers.set()


async def test_what_comes_late_is_shown_late(site: Site, slow: SlowStore) -> None:
    call = arrived()
    site.step(call, call)
    site.step(call, decided(call, "SERVICE"))
    assert site.happened == []
    slow.answers.set()
    async with asyncio.timeout(WITHIN_S):
        while not site.waiting:  # noqa: ASYNC110 - of another thread
            await asyncio.sleep(0.01)
    await site.durable()
    assert "line COMPLIANCE_PAST_CALLS=2" in site.happened


@pytest.mark.parametrize("over", [True, False])
async def test_what_comes_when_the_call_is_over_or_withdrawn_is_not_shown(site, slow, over) -> None:
    call = arrived()
    site.step(call, call)
    site.step(call, decided(call, "SERVICE"))
    (sought,) = site.past_calls._sought.values()
    site.live = None if over else withdrawn(decided(call, "SERVICE"))
    slow.answers.set()
    await asyncio.wait_for(sought, WITHIN_S)
    await asyncio.sleep(0)
    assert site.happened == []
    assert site.past_calls._sought == {}


async def test_a_store_that_does_not_answer_is_not_asked_by_everybody(site, slow) -> None:
    calls = [arrived() for _ in range(WAITING_MAX + 5)]
    calls = [replace(call, id=call_id(at, b"the live")) for at, call in enumerate(calls)]
    for call in calls:
        site.step(call, call)
        site.step(call, call)
    assert len(site.past_calls._sought) == WAITING_MAX
    slow.answers.set()
    await site.looked()
    site.step(calls[-1], calls[-1])
    assert len(site.past_calls._sought) == WAITING_MAX + 1
    await site.looked()


async def test_a_store_that_cannot_be_read_shows_nothing(site: Site, tmp_path: Path) -> None:
    site.store = tmp_path / "nowhere"
    call = arrived()
    site.step(call, call)
    with pytest.raises(StoreUnavailable):
        await site.looked()
    site.step(call, decided(call, "SERVICE"))
    assert site.happened == []


def test_who_never_called_has_no_last_call() -> None:
    assert variables(past_calls_module.Past(())) == {"COMPLIANCE_PAST_CALLS": "0"}


# -- by command --------------------------------------------------------------------------------


class Log:
    """Rows that are durable at once."""

    def __init__(self) -> None:
        self.rows: list[Draft] = []

    def append(self, *drafts: Draft) -> Awaitable[int]:
        self.rows += drafts
        done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        done.set_result(11)
        return done


def configured(store: Path, *roles: dict[str, Any]) -> Settings:
    return sample(audit={"store": str(store)}, rules={"home": "JP"}, role=list(roles))


Ask = Callable[..., Awaitable[Any]]


async def test_by_number_by_call_and_by_channel(tmp_path: Path) -> None:
    older, live = written(tmp_path, a_past_call(), a_past_call(1_000, "+81312345678", ended=False))
    log = Log()
    for asked in ({"number": NUMBER}, {"call": live}, {"channel": f"{live[-6:]}.1"}):
        answer = await show_past_calls(log, configured(tmp_path), "yoko", asked)
        wanted = [live, older] if "number" in asked else [older]
        assert [one["call"] for one in answer["calls"]] == wanted
        assert (answer["known"], answer["more"], answer["seq"]) == (True, False, 11)
    assert set(answer["calls"][0]) == {
        "began_at", "call", "queue", "policy", "decision", "reason", "lasted_ms",
    }  # fmt: skip
    assert [(row.call, row.node, row.detail["calls"]) for row in log.rows] == [
        (None, "service", 2),
        (live, "pbx1", 1),
        (live, "pbx1", 1),
    ]
    assert {row.detail["on"] for row in log.rows} == {"command"}
    assert [fact.value for row in log.rows for fact in row.facts] == ["yoko"] * 3
    assert not any(NUMBER in str(row) or OUTSIDE in str(row) for row in log.rows)


async def test_of_whom_we_called_it_is_the_number_that_was_dialled(tmp_path: Path) -> None:
    older, live = written(tmp_path, a_past_call(), a_past_call(1_000, leg="callee"))
    answer = await show_past_calls(Log(), configured(tmp_path), "yoko", {"call": live})
    assert [one["call"] for one in answer["calls"]] == [older]


@pytest.mark.parametrize("number", ["", "anonymous"])
async def test_of_a_withheld_number_nothing_is_known_and_no_row_written(tmp_path, number) -> None:
    (live,) = written(tmp_path, a_past_call(1_000, number))
    log = Log()
    answer = await show_past_calls(log, configured(tmp_path), "yoko", {"call": live})
    assert answer == {"known": False, "calls": [], "more": False, "seq": None}
    assert log.rows == []


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({}, BadQuestion),
        ({"number": NUMBER, "call": "c-1"}, BadQuestion),
        ({"number": "nobody"}, BadQuestion),
        ({"call": "c-1"}, NobodyCalls),
        ({"call": call_id(1, bytes(8))}, NobodyCalls),
        ({"channel": "1.1' OR 1"}, NobodyCalls),
    ],
)
async def test_a_question_that_means_nobody_is_refused(tmp_path, asked, error) -> None:
    written(tmp_path, a_past_call())
    log = Log()
    with pytest.raises(error):
        await show_past_calls(log, configured(tmp_path), "yoko", asked)
    assert log.rows == []


def role(
    user: str, *purposes: str, queues: tuple[str, ...] = (), action: str = "PAST_CALLS"
) -> dict[str, Any]:
    return {
        "name": f"of-{user}", "users": [user], "purposes": list(purposes), "actions": [action],
        "queues": list(queues),
    }  # fmt: skip


async def test_with_roles_only_to_those_who_may_and_of_their_queues(tmp_path) -> None:
    sales, support = written(
        tmp_path, a_past_call(DAY_MS, queue="sales"), a_past_call(2 * DAY_MS, queue="support")
    )
    settings = configured(
        tmp_path,
        role("yoko", "SERVICE"),
        role("akira", "SERVICE", queues=("support",)),
        role("mari", "QUALITY"),
        role("kei", "SERVICE", action="LISTEN"),
    )

    async def shown(user: str) -> list[str]:
        answer = await show_past_calls(Log(), settings, user, {"number": NUMBER})
        return [one["call"] for one in answer["calls"]]

    assert await shown("yoko") == [sales, support]
    assert await shown("akira") == [support]
    for stranger in ("mari", "kei", "nobody-at-all"):
        with pytest.raises(UseRefused, match="NOT_IN_ROLE"):
            await shown(stranger)


async def test_who_may_not_gets_a_row_that_names_the_call_and_nobody(tmp_path: Path) -> None:
    _, live = written(tmp_path, a_past_call(), a_past_call(1_000, ended=False))
    settings, log = configured(tmp_path, role("yoko", "SERVICE")), Log()
    for asked in ({"number": NUMBER}, {"channel": f"{live[-6:]}.1"}):
        with pytest.raises(UseRefused):
            await show_past_calls(log, settings, "kei", asked)
    assert [(row.kind, row.call, row.node) for row in log.rows] == [
        (Kind.USE_REFUSED, None, "service"),
        (Kind.USE_REFUSED, live, "pbx1"),
    ]
    assert log.rows[0].detail == {
        "action": "PAST_CALLS",
        "ground": "",
        "purpose": "SERVICE",
        "reason": "CALL",
        "recording": "",
        "refusal": "NOT_IN_ROLE",
        "request": "",
    }
    assert [fact.value for row in log.rows for fact in row.facts] == ["kei"] * 2


async def test_a_directory_that_is_slow_to_name_groups_holds_nobody(tmp_path, monkeypatch) -> None:
    """Groups can come over the network; the loop must not wait for them."""
    written(tmp_path, a_past_call())
    asked, answers = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def slow(user: str) -> Asker:
        loop.call_soon_threadsafe(asked.set)
        assert answers.wait(WITHIN_S)
        return Asker(user)

    monkeypatch.setattr(past_calls_module, "asker", slow)
    settings = configured(tmp_path, role("yoko", "SERVICE"))
    showing = asyncio.create_task(show_past_calls(Log(), settings, "yoko", {"number": NUMBER}))
    await asyncio.wait_for(asked.wait(), WITHIN_S)
    assert not showing.done()
    answers.set()
    assert len((await asyncio.wait_for(showing, WITHIN_S))["calls"]) == 1
