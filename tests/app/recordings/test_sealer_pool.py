"""Other processes take recordings in: bounded, missed when they die, gone with their parent."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path

import pytest

from asterisk_compliance.age import decrypt, new_identity
from asterisk_compliance.app.recordings.sealer_pool import NotTakenIn, SealerPool
from asterisk_compliance.domain.recording.verdict import Expected, Measured
from asterisk_compliance.ids import call_id, recording_id, spool_name
from asterisk_compliance.storage.recordings.assembly import wav_header
from asterisk_compliance.storage.recordings.vault import vault_path

CALL = call_id(1_700_000_000_000, b"8 bytes!")
RECORDING = recording_id(CALL, 1)
LOUD = b"\x00\x20\x00\xe0" * 4_000  # 1 s
WITHIN_S = 10.0
IDENTITY, RECIPIENT = new_identity()


class Site:
    def __init__(self, home: Path) -> None:
        self.spool, self.vault = home / "spool", home / "vault"
        for directory in (self.spool, self.vault):
            directory.mkdir()
        for number in (1, 2, 3):
            for direction in ("rx", "tx"):
                file = self.spool / spool_name(recording_id(CALL, number), direction)
                file.write_bytes(wav_header(len(LOUD) // 2, 1) + LOUD)

    async def take_in(self, sealers: SealerPool, number: int = 1) -> Measured:
        recording = recording_id(CALL, number)
        async with asyncio.timeout(WITHIN_S):
            return await sealers.take_in(self.spool, recording, self.vault, Expected(1_000))

    def kept(self) -> set[str]:
        return {path.name for path in self.vault.iterdir()}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@asynccontextmanager
async def open_sealers(**options: object) -> AsyncIterator[SealerPool]:
    sealers = SealerPool((RECIPIENT,), **options)  # type: ignore[arg-type]
    try:
        yield sealers
    finally:
        async with asyncio.timeout(WITHIN_S):
            await sealers.close()


def command(home: Path, first: str) -> tuple[str, ...]:
    """A sealer that does something else before the first job of the first process."""
    script = home / "sealer.py"
    script.write_text(
        textwrap.dedent(f"""
        import os, pathlib, signal, sys, time
        from asterisk_compliance.app.recordings import sealer
        HERE = pathlib.Path({str(home)!r})
        perform_job = sealer.perform_job
        def once(job):
            mark = HERE / "began"
            try:
                mark.touch(exist_ok=False)
            except FileExistsError:
                return perform_job(job)
            {first}
            return perform_job(job)
        sealer.perform_job = once
        sealer.main()
        """)
    )
    return sys.executable, str(script)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not holds():  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.01)


def words_of(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def lives(pid: int) -> bool:
    """Whether it runs; one that nobody has waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_a_recording_is_sealed_by_another_process(site: Site) -> None:
    async with open_sealers() as sealers:
        measured = await site.take_in(sealers)
        (pid,) = sealers.pids
        assert pid != os.getpid()
        lowered = min(os.getpriority(os.PRIO_PROCESS, 0) + 10, 19)
        assert os.getpriority(os.PRIO_PROCESS, pid) == lowered
        assert not any(secret in words_of(pid) for secret in (b"age1", b"r-"))
    assert measured.sealed is not None
    assert measured.rx is not None
    assert measured.rx.length_ms == 1_000
    assert site.kept() == {f"{RECORDING}.wav.age"}
    opened = BytesIO()
    decrypt(BytesIO((site.vault / f"{RECORDING}.wav.age").read_bytes()), opened, IDENTITY)
    assert opened.getvalue().startswith(wav_header(len(LOUD) // 2, 2))
    assert not lives(pid)


async def test_a_process_that_is_killed_in_its_work_is_noticed_and_the_work_done(
    site: Site, tmp_path: Path
) -> None:
    dies = command(tmp_path, "os.kill(os.getpid(), signal.SIGKILL)")
    async with open_sealers(command=dies) as sealers:
        assert (await site.take_in(sealers)).sealed is not None
        assert len(sealers.pids) == 1
    assert site.kept() == {f"{RECORDING}.wav.age"}


async def test_a_process_that_was_killed_while_idle_is_replaced(site: Site) -> None:
    async with open_sealers() as sealers:
        await site.take_in(sealers)
        (first,) = sealers.pids
        os.kill(first, signal.SIGKILL)
        await site.take_in(sealers, 2)
        assert sealers.pids != [first]
    assert len(site.kept()) == 2


async def test_who_dies_every_time_is_an_error_and_the_files_stay(site: Site) -> None:
    async with open_sealers(command=(sys.executable, "-c", "raise SystemExit(1)")) as sealers:
        with pytest.raises(NotTakenIn) as refused:
            await site.take_in(sealers)
        assert refused.value.problem == "SEALER"
        assert sealers.pids == []
    assert site.kept() == set()
    assert len(list(site.spool.iterdir())) == 6


async def test_a_process_that_cannot_be_started_is_an_error(site: Site) -> None:
    async with open_sealers(command=("/nowhere/python",)) as sealers:
        with pytest.raises(NotTakenIn) as refused:
            await site.take_in(sealers)
        assert refused.value.problem == "SEALER"


async def test_a_process_that_hangs_is_killed(site: Site, tmp_path: Path) -> None:
    hangs = command(tmp_path, "(HERE / 'pid').write_text(str(os.getpid())); time.sleep(600)")
    async with open_sealers(command=hangs, within_s=2.0) as sealers:
        with pytest.raises(NotTakenIn, match="more than 2") as refused:
            await site.take_in(sealers)
        assert refused.value.problem == "SEALER"
        assert not lives(int((tmp_path / "pid").read_text()))
        assert (await site.take_in(sealers)).sealed is not None


async def test_so_many_at_a_time_and_the_others_wait(site: Site, tmp_path: Path) -> None:
    waits = command(tmp_path, "[time.sleep(0.01) for _ in iter((HERE / 'go').exists, True)]")
    async with open_sealers(command=waits, most=1) as sealers:
        first, second = (asyncio.create_task(site.take_in(sealers, n)) for n in (1, 2))
        await until((tmp_path / "began").exists)
        await asyncio.sleep(0)
        assert len(sealers.pids) == 1
        assert site.kept() == set()
        (tmp_path / "go").touch()
        await asyncio.gather(first, second)
        assert len(sealers.pids) == 1
    assert len(site.kept()) == 2


async def test_two_work_at_the_same_time(site: Site) -> None:
    async with open_sealers(most=2) as sealers:
        await asyncio.gather(*(site.take_in(sealers, number) for number in (1, 2, 3)))
        assert len(sealers.pids) == 2
    assert len(site.kept()) == 3


@pytest.mark.parametrize(
    ("broken", "problem"),
    [
        (lambda site: site.vault.rmdir(), "DISK"),
        (lambda site: (site.spool / spool_name(RECORDING, "rx")).write_bytes(b"?" * 99), "NOT_PCM"),
    ],
)
async def test_what_goes_wrong_there_is_said_here(
    site: Site, broken: Callable[[Site], object], problem: str
) -> None:
    broken(site)
    async with open_sealers() as sealers:
        with pytest.raises(NotTakenIn) as refused:
            await site.take_in(sealers)
        assert refused.value.problem == problem
        assert len(sealers.pids) == 1, "it goes on"


async def test_nobody_whom_it_cannot_encrypt_to(site: Site) -> None:
    sealers = SealerPool(("age1nonsense",))
    with pytest.raises(NotTakenIn) as refused:
        await site.take_in(sealers)
    assert refused.value.problem == "NOT_SEALED"
    await sealers.close()
    assert site.kept() == set()


async def test_a_strange_file_is_sealed_too(site: Site) -> None:
    file = site.spool / spool_name(RECORDING, "rx")
    async with open_sealers() as sealers:
        name, size, _ = await sealers.set_aside(file, site.vault / "quarantine")
    assert (name, size) == (file.name, file.stat().st_size)
    assert [path.name for path in (site.vault / "quarantine").iterdir()] == [f"{file.name}.age"]


async def test_who_stops_waiting_leaves_no_process(site: Site, tmp_path: Path) -> None:
    hangs = command(tmp_path, "(HERE / 'pid').write_text(str(os.getpid())); time.sleep(600)")
    async with open_sealers(command=hangs) as sealers:
        job = asyncio.create_task(site.take_in(sealers))
        await until(lambda: (tmp_path / "pid").exists() and bool((tmp_path / "pid").read_text()))
        job.cancel()
        await asyncio.wait([job])
        assert not lives(int((tmp_path / "pid").read_text()))


async def test_it_dies_with_its_parent_however_that_dies(site: Site, tmp_path: Path) -> None:
    """Or two processes could write one recording, when the service is back at once."""
    hangs = command(tmp_path, "(HERE / 'pid').write_text(str(os.getpid())); time.sleep(600)")
    parent = textwrap.dedent(f"""
        import asyncio, pathlib
        from asterisk_compliance.app.recordings.sealer_pool import SealerPool
        from asterisk_compliance.domain.recording.verdict import Expected
        home = pathlib.Path({str(tmp_path)!r})
        job = (home / "spool", {RECORDING!r}, home / "vault", Expected(None))
        asyncio.run(SealerPool(command={hangs!r}).take_in(*job))
    """)
    with subprocess.Popen([sys.executable, "-c", parent]) as process:  # noqa: ASYNC220
        await until(lambda: (tmp_path / "pid").exists() and bool((tmp_path / "pid").read_text()))
        pid = int((tmp_path / "pid").read_text())
        assert lives(pid)
        process.kill()
    await until(lambda: not lives(pid))


async def test_signals_to_the_group_do_not_end_it(site: Site) -> None:
    """Ctrl-C, and systemd at a stop: the service ends it, when the last file is sealed."""
    async with open_sealers() as sealers:
        await site.take_in(sealers)
        (pid,) = sealers.pids
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(pid, number)
        await site.take_in(sealers, 2)
        assert sealers.pids == [pid]


async def test_the_loop_goes_on_while_a_long_recording_is_sealed(site: Site) -> None:
    for direction in ("rx", "tx"):
        file = site.spool / spool_name(RECORDING, direction)
        file.write_bytes(wav_header(len(LOUD) * 400, 1) + LOUD * 800)
    async with open_sealers() as sealers:
        await site.take_in(sealers, 2)
        longest = 0.0

        async def beat() -> None:
            nonlocal longest
            while True:
                before = time.thread_time()
                await asyncio.sleep(0.001)
                longest = max(longest, time.thread_time() - before)

        beating = asyncio.create_task(beat())
        await site.take_in(sealers)
        beating.cancel()
    assert vault_path(site.vault, RECORDING, sealed=True).stat().st_size > 800 * 2 * len(LOUD)
    assert longest < 0.05, "what this thread computed between two beats"
