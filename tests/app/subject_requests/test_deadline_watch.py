"""The times of requests are watched: numbers, and one row when a moment passes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from app.requested_site import Desk, desk
from asterisk_compliance.app.checks.duties import request_findings
from asterisk_compliance.app.shared.metrics import Metrics
from asterisk_compliance.app.subject_requests.deadline_watch import STATES, RequestWatch
from asterisk_compliance.app.subject_requests.views import listed, next_step
from asterisk_compliance.domain.audit.encoding import timestamp
from asterisk_compliance.domain.subject_requests.codes import Right
from asterisk_compliance.errors import StoreUnavailable
from retained import at

DUE_MS = at("2026-12-08T15:00:00.000Z")
SOON_MS = at("2026-12-05T15:00:00.000Z")
SECOND = 1_000


class Watched:
    """An office with one request to hear a recording, and who watches it."""

    def __init__(self, officer: Desk, request: str) -> None:
        self.officer, self.request = officer, request
        self.metrics = Metrics()
        self.watch = self.begun_again()

    def begun_again(self) -> RequestWatch:
        """As after a restart of the service."""
        officer = self.officer
        return RequestWatch(
            officer.taken, lambda: officer.settings, self.metrics, lambda: officer.now_ms
        )

    async def at(self, at_ms: int) -> str:
        """What the request is said to be then, and by the metric too."""
        self.officer.now_ms = at_ms
        await self.watch.look()
        (state,) = [name for name, count in self.watch.standing.items() if count] or [""]
        shown = self.shown()
        assert {one for one in shown if shown[one]} == ({("HEAR", state)} if state else set())
        return state

    def shown(self) -> dict[tuple[str, str], float]:
        text = generate_latest(self.metrics.registry).decode()
        return {
            (right, state): float(line.rpartition(" ")[2])
            for line in text.splitlines()
            for right in Right
            for state in STATES
            if line.startswith(f'compliance_requests{{right="{right}",state="{state}"}}')
        }

    def overdue_rows(self) -> list[str]:
        return [str(row.detail["due_at"]) for row in self.officer.rows("request_overdue")]


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncIterator[Watched]:
    async with desk(tmp_path) as officer:
        yield Watched(officer, await officer.open("HEAR"))


async def test_a_request_is_open_then_due_soon_then_overdue(watched: Watched) -> None:
    for at_ms, state in (
        (SOON_MS - SECOND, "open"),
        (SOON_MS, "due_soon"),
        (SOON_MS + SECOND, "due_soon"),
        (DUE_MS - SECOND, "due_soon"),
    ):
        assert await watched.at(at_ms) == state
    assert watched.overdue_rows() == []
    assert await watched.at(DUE_MS) == "overdue"
    assert watched.overdue_rows() == [timestamp(DUE_MS)]
    assert len(watched.shown()) == len(Right) * len(STATES)


async def test_the_row_is_written_once_also_by_a_service_that_was_down(watched: Watched) -> None:
    for at_ms in (DUE_MS, DUE_MS + SECOND):
        assert await watched.at(at_ms) == "overdue"
    watched.watch = watched.begun_again()
    assert await watched.at(DUE_MS + 10 * SECOND) == "overdue"
    (row,) = watched.officer.rows("request_overdue")
    assert (row.actor, row.detail["request"]) == ("service", watched.request)


async def test_a_row_that_is_not_stored_is_tried_again(watched: Watched) -> None:
    watched.officer.taken.left = 0
    with pytest.raises(StoreUnavailable):
        await watched.at(DUE_MS)
    watched.officer.taken.left = 10
    assert await watched.at(DUE_MS) == "overdue"
    assert len(watched.overdue_rows()) == 1


async def test_an_answer_is_seen_when_its_row_is(watched: Watched) -> None:
    officer = watched.officer
    assert await watched.at(SOON_MS) == "due_soon"
    seen: list[str] = []
    taken = officer.taken.append

    async def append(*drafts):
        seq = await taken(*drafts)
        for one in drafts:
            seen.append(one.kind)
            watched.watch.observe(one)
        return seq

    officer.taken.append = append  # type: ignore[method-assign]
    await officer("decide", request=watched.request, verdict="REFUSED", reason="NOT_KEPT")
    assert await watched.at(SOON_MS) == "due_soon"
    await officer("answer", request=watched.request, means="POST", given="LETTER")
    assert seen == ["request_decided", "request_answered"]
    assert await watched.at(DUE_MS) == ""
    assert watched.overdue_rows() == []


async def test_a_watch_goes_on_when_the_log_cannot_be_read(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    officer = watched.officer
    officer.now_ms = DUE_MS

    def unreadable(_: object) -> None:
        raise StoreUnavailable("no")

    with monkeypatch.context() as patch:
        patch.setattr(
            "asterisk_compliance.app.subject_requests.deadline_watch.every_request", unreadable
        )
        with pytest.raises(StoreUnavailable):
            await watched.watch.look()
    assert await watched.at(DUE_MS) == "overdue"


async def test_a_watch_that_runs_tries_again(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched.officer.now_ms = DUE_MS
    watched.officer.taken.left = 0
    monkeypatch.setattr("asterisk_compliance.app.subject_requests.deadline_watch.LOOK_S", 0.01)
    async with asyncio.TaskGroup() as tasks, asyncio.timeout(10):
        running = tasks.create_task(watched.watch.run())
        while not watched.officer.taken.refused:  # noqa: ASYNC110  nobody tells
            await asyncio.sleep(0.01)
        watched.officer.taken.left = 10
        while not watched.overdue_rows():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        running.cancel()


async def test_check_counts_them_and_a_list_has_the_first_due_first(watched: Watched) -> None:
    officer = watched.officer
    officer.now_ms = DUE_MS - SECOND
    later = await officer.open("COPY")
    settings = officer.settings
    assert request_findings(settings, DUE_MS - 1) == []
    (finding,) = request_findings(settings, DUE_MS)
    assert finding.id == "REQUESTS_OVERDUE"
    assert finding.what == "overdue requests of people: 1"
    both = [officer.request(later), officer.request(watched.request)]
    lines = listed(both, settings, DUE_MS)
    assert [one["request"] for one in lines] == [watched.request, later]
    assert [one["standing"] for one in lines] == ["overdue", "open"]
    assert [one["late"] for one in lines] == [True, False]
    assert [next_step(one) for one in both] == ["identify", "identify"]


def test_where_there_is_no_store_nobody_waits(tmp_path: Path) -> None:
    from retained import site

    assert request_findings(site(tmp_path), DUE_MS) == []
