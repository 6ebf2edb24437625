"""Places for recordings and rows: what is wrong with them, from when on, and who is told."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app.calls.test_overload import arrive, calls_in, reason
from app.serving import Serving, write_config, write_whole
from asterisk_compliance.app.checks.finding import OperatorFinding
from asterisk_compliance.app.checks.storage import storage_findings
from asterisk_compliance.app.recordings import storage_monitor as module
from asterisk_compliance.app.recordings.storage_monitor import (
    MIB,
    PlaceName,
    PlaceProblem,
    StoragePlace,
    places_of,
)
from asterisk_compliance.config.consistency import SERVICE_NODE
from asterisk_compliance.config.settings import load
from asterisk_compliance.domain.call.decision import Reason
from asterisk_compliance.errors import ConfigError, StoreUnavailable


def place(directory: Path, free_mib: int = 0, *, store: bool = False) -> StoragePlace:
    name = PlaceName.STORE if store else PlaceName.SPOOL
    return StoragePlace(name, "pbx1", directory, free_mib * MIB, must_be_writable=not store)


class FileSystem:
    """What ``statvfs`` says: how much is free, and whether it is read-only; or it hangs."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.free_mib, self.flags = 1_000.0, 0
        self.answers = threading.Event()
        self.answers.set()
        self.asked = 0
        monkeypatch.setattr(module.os, "statvfs", self._statvfs)

    def _statvfs(self, _: object) -> Any:
        self.asked += 1
        assert self.answers.wait(10)
        size = 4_096
        free = int(self.free_mib * MIB / size)
        return SimpleNamespace(f_bavail=free, f_frsize=size, f_flag=self.flags)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> FileSystem:
    return FileSystem(monkeypatch)


# -- one place ---------------------------------------------------------------------------------


async def test_so_much_must_be_free_and_a_little_more_before_it_is_enough_again(
    tmp_path: Path, disk: FileSystem
) -> None:
    here = place(tmp_path, 100)
    for free, problem in [
        (100.0, None),
        (99.9, PlaceProblem.LOW),
        (105.0, PlaceProblem.LOW),
        (110.5, None),
        (105.0, None),
    ]:
        disk.free_mib = free
        await here.look_within(5)
        assert here.problem is problem, free
    assert here.free_bytes == int(105.0 * MIB)


def test_without_a_watermark_a_full_disk_is_none_of_our_business(
    tmp_path: Path, disk: FileSystem
) -> None:
    disk.free_mib = 0
    assert place(tmp_path, 0).look() == (None, 0)


def test_what_cannot_be_written_is_worse_than_what_is_low(tmp_path: Path, disk: FileSystem) -> None:
    disk.free_mib, disk.flags = 1, os.ST_RDONLY
    assert place(tmp_path, 100).look()[0] is PlaceProblem.NOT_WRITABLE
    assert place(tmp_path, 100, store=True).look()[0] is PlaceProblem.LOW, "its writer tells"


def test_a_directory_that_is_gone(tmp_path: Path) -> None:
    assert place(tmp_path / "gone").look() == (PlaceProblem.GONE, None)
    assert place(tmp_path / "gone", store=True).look() == (None, None)


async def test_a_disk_that_hangs_is_asked_once_and_waited_for_no_longer_than_it_may(
    tmp_path: Path, disk: FileSystem
) -> None:
    here = place(tmp_path, 100)
    disk.answers.clear()
    for _ in range(3):
        async with asyncio.timeout(2):
            await here.look_within(0.05)
        assert (here.problem, here.free_bytes) == (PlaceProblem.HANGS, None)
        assert here.reason is Reason.STORAGE_NOT_WRITABLE
    assert disk.asked == 1, "no second thread hangs on it"
    disk.answers.set()
    await here.look_within(5)
    assert here.problem is None


# -- the service -------------------------------------------------------------------------------

LIMITS = "spool_free_mib = 100\nvault_free_mib = 100\nstore_free_mib = 100\nstorage_check_s = 0.05"


@pytest.fixture
async def serving(tmp_path: Path, disk: FileSystem) -> AsyncIterator[Serving]:
    config = write_config(tmp_path)
    text = config.read_text("utf-8").replace("[limits]", f"[limits]\n{LIMITS}")
    serving = Serving(write_whole(config, text))
    async with serving.running():
        yield serving


async def test_who_arrives_and_who_is_told_learn_it_and_so_does_the_log(
    serving: Serving, disk: FileSystem
) -> None:
    node = serving.node
    (told,) = calls_in(serving, 1, 1)
    disk.free_mib = 50
    await serving.until(lambda: node.no_storage is Reason.DISK_LOW)
    await serving.until(lambda: not told.call.undecided)
    (comes,) = calls_in(serving, 2, 2)
    assert [reason(one) for one in (told, comes)] == [Reason.DISK_LOW] * 2
    await serving.until(lambda: len(serving.details("storage_failed")) == 3)
    assert {one["place"] for one in serving.details("storage_failed")} == set(PlaceName)
    disk.free_mib = 1_000
    await serving.until(lambda: node.no_storage is None)
    (again,) = calls_in(serving, 3, 3)
    assert reason(again) is None
    await serving.until(lambda: len(serving.details("storage_mended")) == 3)
    assert {one["problem"] for one in serving.details("storage_mended")} == {"LOW"}


async def test_a_problem_that_becomes_another_ends_and_begins(
    serving: Serving, disk: FileSystem
) -> None:
    disk.free_mib = 50
    await serving.until(lambda: len(serving.details("storage_failed")) == 3)
    disk.flags = os.ST_RDONLY
    await serving.until(lambda: len(serving.details("storage_failed")) == 5)
    node = serving.node
    assert node.no_storage is Reason.STORAGE_NOT_WRITABLE
    assert len(serving.details("storage_mended")) == 2
    found = {row["node"] for row in serving.rows() if row["kind"] == "storage_failed"}
    assert found == {"pbx1", SERVICE_NODE}


async def test_of_two_problems_the_worse_one_counts(serving: Serving) -> None:
    watch = serving.service._storage
    spool, vault, _ = watch.places
    for one, other in [(spool, vault), (vault, spool)]:
        one.problem, other.problem = PlaceProblem.LOW, PlaceProblem.GONE
        assert watch._reason_for("pbx1") is Reason.STORAGE_NOT_WRITABLE


async def test_what_is_wrong_at_the_start_is_known_before_the_first_call(
    tmp_path: Path, disk: FileSystem
) -> None:
    config = write_config(tmp_path)
    text = config.read_text("utf-8").replace("[limits]", "[limits]\nspool_free_mib = 100")
    disk.free_mib = 50
    serving = Serving(write_whole(config, text))
    async with serving.running():
        node = serving.node
        assert reason(arrive(node, 1)) is Reason.DISK_LOW


async def test_a_store_that_takes_no_row_does_not_end_the_watch(
    serving: Serving, disk: FileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = serving.node

    def refuses(*_: object) -> None:
        raise StoreUnavailable("full")

    monkeypatch.setattr(serving.service._storage._rows, "append", refuses)
    disk.free_mib = 50
    await serving.until(lambda: node.no_storage is Reason.DISK_LOW)
    monkeypatch.undo()
    FileSystem(monkeypatch)
    await serving.until(lambda: node.no_storage is None)


# -- the configuration, and check --------------------------------------------------------------


@pytest.mark.parametrize("name", ["spool_free_mib", "vault_free_mib", "store_free_mib"])
def test_a_watermark_is_not_negative(tmp_path: Path, name: str) -> None:
    config = write_config(tmp_path)
    text = config.read_text("utf-8").replace("[limits]", f"[limits]\n{name} = -1")
    with pytest.raises(ConfigError) as caught:
        load(write_whole(config, text))
    assert [one.split(":")[0] for one in caught.value.problems] == [f"limits.{name}"]


def test_check_says_what_the_service_would_find(tmp_path: Path, disk: FileSystem) -> None:
    settings = load(write_config(tmp_path))
    assert {one.name for one in places_of(settings)} == set(PlaceName)

    def found() -> list[tuple[str, str]]:
        return [(one.id, one.address) for one in storage_findings(settings)]

    assert found() == [], "what the service makes itself may be missing yet"
    disk.free_mib = 1
    assert found() == [("DISK_LOW", "asterisk[1].spool")]
    for name in ("recordings", "store"):
        (tmp_path / name).mkdir()
    low = [("DISK_LOW", "vault.recordings"), ("DISK_LOW", "audit.store")]
    assert found() == [("DISK_LOW", "asterisk[1].spool"), *low]
    disk.flags = os.ST_RDONLY
    assert found()[0] == ("STORAGE_NOT_WRITABLE", "asterisk[1].spool")


def test_check_says_that_the_spool_is_gone(tmp_path: Path) -> None:
    settings = load(write_config(tmp_path))
    (tmp_path / "spool").rmdir()
    found: list[OperatorFinding] = storage_findings(settings)
    assert [(one.id, one.severity) for one in found] == [("STORAGE_NOT_WRITABLE", "error")]
