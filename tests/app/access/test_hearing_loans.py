"""Copies that are lent: one code each, forgotten soon, and in memory alone."""

from __future__ import annotations

import asyncio
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from asterisk_compliance.app.access import hearing_copies
from asterisk_compliance.app.access.hearing_copies import CopyDirectory, file_system
from asterisk_compliance.app.access.hearing_loans import FILL_S, LoanRegister, NoSuchLoan, TooLong
from asterisk_compliance.app.access.hearing_rows import Lending
from asterisk_compliance.config.settings import HearingSettings
from asterisk_compliance.domain.access.hearing_state import (
    CodeAccepted,
    CodeRefused,
    GiveBack,
    LoanEnd,
)
from asterisk_compliance.domain.audit.rows import Draft, Kind
from asterisk_compliance.errors import RecordingUnreadable, StoreUnavailable
from asterisk_compliance.ids import CallId, LoanId, NodeName, RecordingId
from asterisk_compliance.storage.log.writer import StoreWriter
from asterisk_compliance.storage.recordings.assembly import wav_header
from values import replace

MEMORY = Path("/dev/shm")
CALL = CallId("c-0193a5c2f7e14b6d90f1a2b3c4d5")
WHAT = Lending(
    RecordingId(f"r-{CALL[2:]}-1"), CALL, NodeName("pbx1"), f"q-{CALL[2:]}", "own", "officer"
)
WAV = wav_header(16_000, 1) + b"\x01\x00" * 16_000
WRONG = "0" * 12


class Log:
    """Rows as they were written, or refused."""

    def __init__(self, store: StoreWriter | None = None) -> None:
        self.rows: list[Draft] = []
        self.down = False
        self._store = store

    async def append(self, *drafts: Draft) -> int:
        if self.down:
            raise StoreUnavailable("no")
        self.rows += drafts
        if self._store is not None:
            self._store.commit(drafts)
        return len(self.rows)

    def reasons(self) -> list[str]:
        return [str(r.detail["reason"]) for r in self.rows if r.kind is Kind.HEARING_REMOVED]


class Lender:
    """Loans with a clock that is ours."""

    def __init__(self, directory: Path, log: Log | None = None, **settings: object) -> None:
        self.now_s = 1_000.0
        self.log = log or Log()
        self.directory = directory
        chosen = HearingSettings(directory=Path("/inside"), **settings)  # type: ignore[arg-type]
        self.copies = CopyDirectory(directory)
        self.loans = LoanRegister(
            self.log, chosen, self.copies, store_s=5.0, clock=lambda: self.now_s
        )

    async def lend(self, what: Lending = WHAT, audio: bytes = WAV) -> str:
        loan, file = await self.loans.begin(what)
        with file:
            file.write(audio)
        return str((await self.loans.lend(loan, what.user))["code"])

    async def takes(self, code: str) -> CodeAccepted | CodeRefused:
        return await self.loans.take(code, lambda: None)

    async def opened(self, code: str) -> LoanId:
        found = await self.takes(code)
        assert isinstance(found, CodeAccepted)
        return found.loan.id

    async def hear(self, code: str, *, heard: bool) -> None:
        await self.loans.give_back(await self.opened(code), GiveBack(begun=True, heard=heard))

    def files(self) -> list[str]:
        return sorted(path.name for path in self.directory.iterdir())

    async def passes(self, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
        """Time passes, and the watch looks once more."""
        self.now_s += seconds
        monkeypatch.setattr("asterisk_compliance.app.access.hearing_loans.EXPIRY_S", 0.001)
        watch = asyncio.ensure_future(self.loans.run())
        async with asyncio.timeout(5):
            while self.files():  # noqa: ASYNC110 - of another thread
                await asyncio.sleep(0.001)
            await asyncio.sleep(0.01)
        watch.cancel()


@pytest.fixture
def memory() -> Iterator[Path]:
    with TemporaryDirectory(dir=MEMORY, prefix="compliance-test-") as made:
        yield Path(made) / "lent"


@pytest.fixture
def lender(memory: Path) -> Lender:
    return Lender(memory)


async def test_a_code_opens_its_copy_and_asterisk_may_read_it(lender: Lender) -> None:
    code = await lender.lend()
    assert code.isdigit()
    assert len(code) == 10
    found = await lender.takes(code)
    assert isinstance(found, CodeAccepted)
    loan = found.loan
    assert (loan.call, loan.recording, loan.length_ms) == (CALL, WHAT.recording, 2_000)
    assert loan.media == f"sound:/inside/{loan.id}"
    file = lender.directory / f"{loan.id}.wav"
    assert file.read_bytes() == WAV
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


async def test_the_row_says_what_was_lent_and_not_the_code(lender: Lender) -> None:
    code = await lender.lend()
    (row,) = lender.log.rows
    assert row.kind is Kind.HEARING_LENT
    assert (row.call, row.node, row.role) == (CALL, "pbx1", "staff")
    assert row.detail["directions"] == "own"
    assert row.detail["length_ms"] == 2_000
    assert code not in json.dumps(dict(row.detail))
    assert code.encode() not in repr(vars(lender.loans)).encode()


async def test_a_copy_that_was_heard_to_its_end_is_gone(lender: Lender) -> None:
    code = await lender.lend()
    await lender.hear(code, heard=True)
    assert lender.files() == []
    assert lender.log.reasons() == [LoanEnd.HEARD]
    assert await lender.takes(code) == CodeRefused()


async def test_a_copy_may_be_begun_only_so_often(memory: Path) -> None:
    lender = Lender(memory, begins_max=2)
    code = await lender.lend()
    await lender.hear(code, heard=False)
    assert len(lender.files()) == 1
    await lender.hear(code, heard=False)
    assert lender.files() == []
    assert lender.log.reasons() == [LoanEnd.USED_UP]


async def test_what_was_not_begun_does_not_count(lender: Lender) -> None:
    code = await lender.lend()
    for _ in range(5):
        loan = await lender.opened(code)
        await lender.loans.give_back(loan, GiveBack(begun=False))
        await lender.loans.give_back(loan, GiveBack(begun=True))  # it is nobody's any more
    assert len(lender.files()) == 1


async def test_two_do_not_hear_at_once(lender: Lender) -> None:
    code = await lender.lend()
    await lender.opened(code)
    assert await lender.takes(code) == CodeRefused()


async def test_too_many_wrong_codes_lock_every_code_until_time_has_passed(memory: Path) -> None:
    lender = Lender(memory, wrong_max=2, lockout_min=10.0)
    code = await lender.lend()
    for _ in range(2):
        assert await lender.takes(WRONG) == CodeRefused()
    assert await lender.takes(code) == CodeRefused(locked=True)
    lender.now_s += 601
    assert isinstance(await lender.takes(code), CodeAccepted)


@pytest.mark.parametrize(("after_s", "there"), [(-1.0, True), (0.0, False), (1.0, False)])
async def test_it_can_be_heard_until_its_last_moment(
    lender: Lender, after_s: float, there: bool
) -> None:
    code = await lender.lend()
    lender.now_s += 72 * 3_600 + after_s
    assert isinstance(await lender.takes(code), CodeAccepted) is there


@pytest.mark.parametrize(("after_s", "locked"), [(-1.0, True), (0.0, False), (1.0, False)])
async def test_a_wrong_code_counts_until_its_last_moment(
    memory: Path, after_s: float, locked: bool
) -> None:
    lender = Lender(memory, wrong_max=1, lockout_min=10.0)
    code = await lender.lend()
    await lender.takes(WRONG)
    lender.now_s += 600 + after_s
    found = await lender.takes(code)
    assert (found == CodeRefused(locked=True)) is locked
    assert isinstance(found, CodeAccepted) is not locked


async def test_it_expires(lender: Lender, monkeypatch: pytest.MonkeyPatch) -> None:
    code = await lender.lend()
    told: list[str] = []
    await lender.loans.take(code, lambda: told.append("gone"))
    await lender.passes(72 * 3_600 + 1, monkeypatch)
    assert lender.files() == []
    assert lender.log.reasons() == [LoanEnd.EXPIRED]
    assert told == ["gone"], "who hears it hears no more"


async def test_a_copy_that_nobody_fills_goes(
    lender: Lender, monkeypatch: pytest.MonkeyPatch
) -> None:
    loan, file = await lender.loans.begin(WHAT)
    with file:
        assert stat.S_IMODE((lender.directory / f"{loan}.part").stat().st_mode) == 0o600
        await lender.passes(FILL_S + 1, monkeypatch)
    assert lender.files() == []
    with pytest.raises(NoSuchLoan):
        await lender.loans.lend(loan, WHAT.user)


async def test_nobody_finishes_what_another_began(lender: Lender) -> None:
    loan, file = await lender.loans.begin(WHAT)
    file.close()
    with pytest.raises(NoSuchLoan):
        await lender.loans.lend(loan, "somebody")


async def test_lending_again_replaces(lender: Lender) -> None:
    first, second = await lender.lend(), await lender.lend()
    assert len(lender.files()) == 1
    assert lender.log.reasons() == [LoanEnd.REPLACED]
    assert await lender.takes(first) == CodeRefused()
    assert isinstance(await lender.takes(second), CodeAccepted)


async def test_the_officer_takes_it_back(lender: Lender) -> None:
    await lender.lend()
    assert await lender.loans.take_back(WHAT.recording, "q-other") == 0
    assert await lender.loans.take_back(WHAT.recording, WHAT.request) == 1
    assert lender.files() == []
    assert lender.log.reasons() == [LoanEnd.TAKEN_BACK]


async def test_no_copy_waits_for_the_row_of_another(lender: Lender) -> None:
    await lender.lend()
    await lender.lend(replace(WHAT, recording=RecordingId(f"r-{CALL[2:]}-2")))
    write, there = lender.log.append, []

    async def append(*drafts: Draft) -> int:
        there.append(lender.files())
        return await write(*drafts)

    lender.log.append = append  # type: ignore[method-assign]
    await lender.loans.close()
    assert there == [[], []]
    assert lender.log.reasons() == [LoanEnd.SERVICE_STOPPED] * 2


async def test_the_officer_takes_back_all_of_a_request(lender: Lender) -> None:
    other = replace(WHAT, recording=RecordingId(f"r-{CALL[2:]}-2"))
    await lender.lend()
    await lender.lend(other)
    assert await lender.loans.take_back("", "q-other") == 0
    assert await lender.loans.take_back("", WHAT.request) == 2
    assert lender.files() == []


GONE = [
    (Kind.DISPOSAL_BEGUN, {"recording": WHAT.recording}, LoanEnd.DISPOSED),
    (Kind.RECORDING_REMOVED, {"recording": WHAT.recording}, LoanEnd.DISPOSED),
    (Kind.REQUEST_WITHDRAWN, {"request": WHAT.request}, LoanEnd.WITHDRAWN),
]


@pytest.mark.parametrize(("kind", "detail", "why"), GONE)
async def test_what_it_is_a_copy_of_or_for_goes_and_so_does_it(
    lender: Lender,
    monkeypatch: pytest.MonkeyPatch,
    kind: Kind,
    detail: dict[str, str],
    why: LoanEnd,
) -> None:
    code = await lender.lend()
    told: list[str] = []
    await lender.loans.take(code, lambda: told.append("gone"))
    for other in (Kind.MARK, Kind.DISPOSAL_FAILED):
        lender.loans.observe(Draft(other, 1, WHAT.node, CALL, detail=detail))
    lender.loans.observe(Draft(kind, 1, WHAT.node, CALL, detail=dict.fromkeys(detail, "other")))
    assert told == []
    lender.loans.observe(Draft(kind, 1, WHAT.node, CALL, detail=detail))
    assert told == ["gone"], "who hears it hears no more, at once"
    assert await lender.takes(code) == CodeRefused()
    await lender.passes(0, monkeypatch)
    assert lender.files() == []
    assert lender.log.reasons() == [why]


async def test_the_watch_is_woken_by_what_has_to_go(lender: Lender) -> None:
    await lender.lend()
    kind, detail, why = GONE[0]
    async with asyncio.timeout(0.9):  # it looks by itself every second
        watch = asyncio.ensure_future(lender.loans.run())
        await asyncio.sleep(0)
        lender.loans.observe(Draft(kind, 1, WHAT.node, CALL, detail=detail))
        while not lender.log.reasons():  # noqa: ASYNC110 - of another thread
            await asyncio.sleep(0.001)
    watch.cancel()
    assert lender.log.reasons() == [why]


@pytest.mark.parametrize(("kind", "detail", "why"), GONE)
async def test_what_is_gone_before_it_was_lent_is_not_lent(
    lender: Lender, kind: Kind, detail: dict[str, str], why: LoanEnd
) -> None:
    loan, file = await lender.loans.begin(WHAT)
    with file:
        file.write(WAV)
    lender.loans.observe(Draft(kind, 1, WHAT.node, CALL, detail=detail))
    with pytest.raises(NoSuchLoan, match="gone meanwhile"):
        await lender.loans.lend(loan, WHAT.user)
    assert (lender.files(), lender.log.rows) == ([], [])


async def test_what_goes_while_its_row_is_written_is_gone_behind_it(lender: Lender) -> None:
    kind, detail, why = GONE[0]
    write = lender.log.append

    async def append(*drafts: Draft) -> int:
        if drafts[0].kind is Kind.HEARING_LENT:
            lender.loans.observe(Draft(kind, 1, WHAT.node, CALL, detail=detail))
        return await write(*drafts)

    lender.log.append = append  # type: ignore[method-assign]
    with pytest.raises(NoSuchLoan, match="gone meanwhile"):
        await lender.lend()
    assert lender.files() == []
    assert [row.kind for row in lender.log.rows] == [Kind.HEARING_LENT, Kind.HEARING_REMOVED]
    assert lender.log.reasons() == [why]


async def test_a_service_that_stops_while_it_is_lent_leaves_no_copy(lender: Lender) -> None:
    write = lender.log.append

    async def append(*drafts: Draft) -> int:
        if drafts[0].kind is Kind.HEARING_LENT:
            await lender.loans.close()
        return await write(*drafts)

    lender.log.append = append  # type: ignore[method-assign]
    with pytest.raises(NoSuchLoan):
        await lender.lend()
    assert (lender.files(), lender.log.reasons()) == ([], [LoanEnd.SERVICE_STOPPED])


async def test_a_copy_is_finished_once(lender: Lender) -> None:
    loan, file = await lender.loans.begin(WHAT)
    with file:
        file.write(WAV)
    done = await asyncio.gather(
        lender.loans.lend(loan, WHAT.user), lender.loans.lend(loan, WHAT.user),
        return_exceptions=True,
    )  # fmt: skip
    assert sorted(type(one).__name__ for one in done) == ["NoSuchLoan", "dict"]
    assert len(lender.files()) == 1


@pytest.mark.parametrize(("call_s", "lent"), [(1.999, False), (2.0, False), (2.001, True)])
async def test_what_no_call_could_hear_to_its_end_is_not_lent(
    memory: Path, call_s: float, lent: bool
) -> None:
    lender = Lender(memory, call_s=call_s)
    if lent:
        await lender.lend()
    else:
        with pytest.raises(TooLong):
            await lender.lend()
    assert len(lender.files()) == len(lender.log.rows) == lent


async def test_what_could_not_be_removed_is_not_said_to_be_gone_and_is_tried_again(
    lender: Lender, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = await lender.lend()

    def broken(*_: object) -> None:
        raise OSError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(CopyDirectory, "remove", broken)
        await lender.hear(code, heard=True)
        assert lender.log.reasons() == []
        assert await lender.takes(code) == CodeRefused(), "but no code opens it"
    assert len(lender.files()) == 1
    await lender.passes(0, monkeypatch)
    assert lender.log.reasons() == [LoanEnd.HEARD]


async def test_a_next_life_that_cannot_remove_it_says_nothing_of_it(
    memory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with StoreWriter.open(tmp_path / "store") as store:
        await Lender(memory, Log(store)).lend()

        def broken(*_: object) -> None:
            raise OSError(13, "Permission denied")

        born = Lender(memory, Log(store))
        with monkeypatch.context() as patch:
            patch.setattr(CopyDirectory, "clear", broken)
            await born.loans.open(tmp_path / "store")
        assert born.log.reasons() == []
        again = Lender(memory, Log(store))
        await again.loans.open(tmp_path / "store")
        assert again.log.reasons() == [LoanEnd.SERVICE_RESTARTED]
        assert again.files() == []


async def test_without_its_row_nothing_is_lent(lender: Lender) -> None:
    lender.log.down = True
    with pytest.raises(StoreUnavailable):
        await lender.lend()
    assert lender.files() == []


async def test_a_copy_goes_also_where_its_row_cannot_be_written(lender: Lender) -> None:
    code = await lender.lend()
    lender.log.down = True
    await lender.hear(code, heard=True)
    assert lender.files() == []


@pytest.mark.parametrize(
    "audio", [b"", b"RIFF", wav_header(8, 2) + bytes(32), WAV + b"\x00", WAV[:-2]]
)
async def test_only_a_recording_is_lent(lender: Lender, audio: bytes) -> None:
    with pytest.raises(RecordingUnreadable):
        await lender.lend(audio=audio)
    assert lender.files() == []
    assert lender.log.rows == []


async def test_what_is_too_long_is_not_lent(
    lender: Lender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hearing_copies, "MOST_BYTES", len(WAV) - 1)
    with pytest.raises(RecordingUnreadable, match="too long"):
        await lender.lend()


async def test_a_service_that_stops_leaves_no_copy(lender: Lender) -> None:
    await lender.lend()
    _, file = await lender.loans.begin(WHAT)
    file.close()
    await lender.loans.close()
    assert lender.files() == []
    assert lender.log.reasons() == [LoanEnd.SERVICE_STOPPED]


async def test_the_next_life_removes_what_is_left_and_says_so(memory: Path, tmp_path: Path) -> None:
    with StoreWriter.open(tmp_path / "store") as store:
        dead = Lender(memory, Log(store))
        code = await dead.lend()
        loan = await dead.opened(code)
        detail = {"channel": "1.1", "loan": loan, "recording": WHAT.recording}
        begun = Draft(
            Kind.HEARING_BEGUN, 1, WHAT.node, CALL, detail={**detail, "request": WHAT.request}
        )
        await dead.log.append(begun)
        (memory / "strange").write_text("not ours to remove")

        born = Lender(memory, Log(store))
        await born.loans.open(tmp_path / "store")
        assert born.files() == ["strange"]
        kinds = [(row.kind, row.detail["reason"]) for row in born.log.rows]
        assert kinds == [
            (Kind.HEARING_ENDED, "SERVICE_DIED"),
            (Kind.HEARING_REMOVED, "SERVICE_RESTARTED"),
        ]
        assert await born.takes(code) == CodeRefused()
        again = Lender(memory, Log(store))
        await again.loans.open(tmp_path / "store")
        assert again.log.rows == []


# -- the directory -----------------------------------------------------------------------------


def test_it_is_made_for_us_and_a_group(memory: Path) -> None:
    CopyDirectory(memory).prepare()
    assert stat.S_IMODE(memory.stat().st_mode) == 0o2750


def test_a_disk_is_refused(tmp_path: Path) -> None:
    assert file_system(tmp_path.stat().st_dev) != "tmpfs", "the test needs a disk"
    with pytest.raises(StoreUnavailable, match="not in memory"):
        CopyDirectory(tmp_path / "lent").prepare()


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o751])
def test_a_directory_that_others_may_use_is_refused(memory: Path, mode: int) -> None:
    memory.mkdir()
    memory.chmod(mode)
    with pytest.raises(StoreUnavailable, match="others"):
        CopyDirectory(memory).prepare()


def test_a_link_is_refused(memory: Path) -> None:
    (memory.parent / "real").mkdir(mode=0o750)
    memory.symlink_to(memory.parent / "real")
    with pytest.raises(StoreUnavailable, match="is no directory"):
        CopyDirectory(memory).prepare()


def test_the_directory_of_another_user_is_refused(
    memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory.mkdir(mode=0o750)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(StoreUnavailable, match="another user"):
        CopyDirectory(memory).prepare()


def test_what_cannot_be_made_is_said(memory: Path) -> None:
    memory.parent.joinpath("file").write_text("")
    with pytest.raises(StoreUnavailable, match="Not a directory"):
        CopyDirectory(memory.parent / "file" / "lent").prepare()


def test_no_mount_has_a_device_that_is_not_there() -> None:
    assert file_system(os.makedev(4_000, 4_000)) == ""


async def test_what_a_life_owes_and_cannot_write_stops_no_service(
    memory: Path, tmp_path: Path
) -> None:
    with StoreWriter.open(tmp_path / "store") as store:
        await Lender(memory, Log(store)).lend()
    born = Lender(memory)
    born.log.down = True
    await born.loans.open(tmp_path / "store")
    assert born.files() == []


async def test_a_directory_that_will_not_do_stops_no_service(tmp_path: Path) -> None:
    with StoreWriter.open(tmp_path / "store"):
        pass
    lender = Lender(tmp_path / "disk")
    await lender.loans.open(tmp_path / "store")
    with pytest.raises(StoreUnavailable, match="not in memory"):
        await lender.lend()
