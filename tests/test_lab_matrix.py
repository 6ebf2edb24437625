"""What ``make matrix`` says of the suites that it ran."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lab import matrix
from lab.matrix import Outcome

TESTS = """
import pytest

def test_passes(): pass
def test_fails(): assert False
def test_is_left_out(): pytest.skip("not here")

@pytest.fixture
def broken(): raise OSError
def test_has_no_scene(broken): pass

@pytest.fixture
def untidy():
    yield
    raise OSError
def test_leaves_something_behind(untidy): pass
"""
GOOD = Outcome("sid", "22.10.1", 300, (), 9.6)


def report_of(directory: Path, text: str) -> Path:
    """pytest's own report of a file of tests."""
    (directory / "test_it.py").write_text(text)
    report = directory / "report.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "/dev/null"]
    subprocess.run(
        [*command, f"--junitxml={report}", str(directory)],
        capture_output=True,
        check=False,
        timeout=60,
    )
    return report


def test_only_what_passed_has_passed(tmp_path: Path) -> None:
    passed, failed = matrix.read_report(report_of(tmp_path, TESTS))
    assert passed == 1
    assert [name.rpartition("::")[2] for name in failed] == [
        "test_fails",
        "test_is_left_out",
        "test_has_no_scene",
        "test_leaves_something_behind",
    ]


def test_a_report_that_is_not_there_tells_of_no_test(tmp_path: Path) -> None:
    assert matrix.read_report(tmp_path / "report.xml") == (0, ())


def test_the_table_names_what_failed() -> None:
    bad = Outcome("bullseye", "16.28.0", 298, ("e2e.test_x::test_a", "e2e.test_x::test_b"), 10.2)
    none = Outcome("bookworm", problem="mmdebstrap could not build Debian bookworm")
    assert list(matrix.table([GOOD, bad, none])) == [
        "| Debian | Asterisk | passed | failed | minutes |",
        "|---|---|---|---|---|",
        "| sid | 22.10.1 | 300 | 0 | 10 |",
        "| bullseye | 16.28.0 | 298 | 2 | 10 |",
        "| bookworm |  | 0 | mmdebstrap could not build Debian bookworm | 0 |",
        "- bullseye: e2e.test_x::test_a",
        "- bullseye: e2e.test_x::test_b",
    ]


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (GOOD, 0),
        (Outcome("sid", "22.10.1", 300, ("e2e.test_x::test_a",)), 1),
        (Outcome("sid", "22.10.1"), 1),
        (Outcome("sid", "22.10.1", 300, problem="pytest ended with 3: sid.log"), 1),
        (Outcome("sid", problem="no Asterisk"), 1),
    ],
    ids=["all well", "a failure", "no test", "pytest broke off", "no Asterisk"],
)
def test_the_status_is_that_of_the_worst(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outcome: Outcome, status: int
) -> None:
    said = iter([GOOD, outcome])
    monkeypatch.setattr(matrix, "run", lambda *_: next(said))
    assert matrix.main(["sid", "bullseye", "--out", str(tmp_path / "out")]) == status
    assert (tmp_path / "out/matrix.md").read_text().startswith("| Debian | Asterisk |")
