"""Room for the load, and periods that contradict each other; every estimate says its numbers."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from asterisk_compliance.app.checks import load as module
from asterisk_compliance.app.checks.finding import SiteFindingId as It
from asterisk_compliance.app.checks.load import load_findings
from sample_settings import raw, settings

MIB = 1 << 20
GIB = 1 << 30


class Disk:
    """What the file system says; and the memory."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        self.free_bytes = 1 << 50
        self.vault = tmp_path / "vault"
        self.vault.mkdir()
        self.memory = tmp_path / "meminfo"
        self.memory.write_text("MemTotal:       16000000 kB\n")
        monkeypatch.setattr(module, "_MEMORY", self.memory)
        monkeypatch.setattr(
            module.os,
            "statvfs",
            lambda where: SimpleNamespace(f_bavail=self.free_bytes // 4096, f_frsize=4096),
        )

    def found(self, **tables: Any) -> list[tuple[str, str, str]]:
        vault = {"recordings": str(self.vault), "encryption": "off"}
        findings = load_findings(settings(vault=vault, **tables))
        return [(one.id, one.address, one.what) for one in findings]

    def recording(self, name: str, size: int, days_ago: float) -> None:
        path = self.vault / name
        with path.open("wb") as file:
            file.truncate(size)
        at = path.stat().st_mtime - days_ago * 86_400
        os.utime(path, (at, at))


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Disk:
    return Disk(monkeypatch, tmp_path)


def test_with_room_for_everything_there_is_nothing_to_say(disk: Disk) -> None:
    assert disk.found() == []


def test_a_spool_that_would_be_full_within_an_hour(disk: Disk) -> None:
    """200 calls at 32 kB/s are 384 MB a minute; the watermark is not there to be used."""
    disk.free_bytes = 500 * MIB + 200 * 32_000 * 60 * 30
    (one,) = disk.found()
    assert one[:2] == (It.DISK_FOR_LOAD, "asterisk[1].spool")
    assert "200 recorded calls" in one[2]
    assert "32 kB/s" in one[2]
    assert "in 30 min" in one[2]
    assert disk.found(limits={"notices_max": 99}) == []
    disk.free_bytes = 100 * MIB
    assert "in 0 min" in disk.found()[0][2]


def test_a_vault_that_fills_as_it_did_in_the_last_week(disk: Disk) -> None:
    disk.free_bytes = 500 * MIB + 10 * GIB
    few = {"notices_max": 1}
    for number in range(7):
        disk.recording(f"r-{number}.wav.age", GIB, days_ago=number + 0.5)
    disk.recording("r-old.wav.age", 500 * GIB, days_ago=30)
    (one,) = disk.found(limits=few)
    assert one[:2] == (It.DISK_FILLING, "vault.recordings")
    assert "1024 MiB a day" in one[2]
    assert "in 10 days" in one[2]
    disk.free_bytes = 500 * MIB + 15 * GIB
    assert disk.found(limits=few) == []


def test_memory_that_does_not_do_for_the_calls(disk: Disk) -> None:
    disk.memory.write_text("MemFree: 1 kB\nMemTotal:         409600 kB\n")  # 400 MiB
    (one,) = disk.found()
    assert one[:2] == (It.MEMORY_FOR_LOAD, "limits.notices_max")
    assert "about 430 MiB" in one[2]
    assert "has 400" in one[2]
    assert disk.found(limits={"notices_max": 100}) == []
    disk.memory.unlink()
    assert disk.found() == []


@pytest.mark.parametrize(
    ("notice", "policy", "purpose", "address"),
    [
        (None, {"retention_max_days": 30}, "6 months", "policy[1]"),
        (None, {"retention_max_days": 200}, "6 months", ""),
        ("1 month", {}, "6 months", "policy[1]"),
        ("6 months", {}, "6 months", ""),
        (None, {}, "6 months", ""),
    ],
)
def test_periods_that_cannot_both_be_kept(
    disk: Disk, notice: str | None, policy: dict[str, Any], purpose: str | None, address: str
) -> None:
    tables = raw()
    tables["notice"][0]["retention"] = notice
    tables["policy"][0] |= policy
    own = [{"code": "QUALITY", "retention": purpose}] if purpose else []
    found = disk.found(notice=tables["notice"], policy=tables["policy"], purpose=own)
    assert [one[:2] for one in found] == ([(It.RETENTION_CONFLICT, address)] if address else [])
