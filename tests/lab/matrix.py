"""The tests that need a real Asterisk, on every Asterisk that Debian's packages give.

::

    python -m lab.matrix sid bullseye --tests tests/e2e/test_inbound.py

One suite after the other. ``matrix-output`` gets a log and a report (JUnit's XML) of each, and
``matrix.md``, the table that is printed as well.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from lab.rootfs import NoAsterisk, obtain

SUITES = ("sid", "experimental", "bullseye")
"""Those with an Asterisk of their own; what lies between has none (docs/versions.md)."""

_SUITE_TIMEOUT_S = 2 * 3600.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the tests on one Asterisk.

    Attributes:
        asterisk: Its version; empty if there is none.
        failed: Names of the tests that failed.
        problem: Why there is no result, or not a whole one.
    """

    suite: str
    asterisk: str = ""
    passed: int = 0
    failed: tuple[str, ...] = ()
    minutes: float = 0.0
    problem: str = ""

    @property
    def is_good(self) -> bool:
        return bool(self.passed) and not self.failed and not self.problem


def run(suite: str, out: Path, tests: Sequence[str], jobs: int) -> Outcome:
    """Run the tests on one suite's Asterisk, which is built if it is not there yet."""
    os.environ["ASTERISK_SUITE"] = suite
    try:
        asterisk = obtain(_say).version
    except NoAsterisk as error:
        return Outcome(suite, problem=str(error).partition("\n")[0].rstrip(":"))
    report = out / f"{suite}.xml"
    report.unlink(missing_ok=True)
    command = [
        *(sys.executable, "-m", "pytest", "-q", "-m", "asterisk", f"--junitxml={report}"),
        *("-n", str(jobs), "--dist", "worksteal", "--durations=20", *tests),
    ]
    _say(f"Asterisk {asterisk} (Debian {suite}): {out / suite}.log")
    began = time.monotonic()
    with (out / f"{suite}.log").open("wb") as log:
        try:
            status = subprocess.run(
                command, stdout=log, stderr=log, timeout=_SUITE_TIMEOUT_S, check=False
            ).returncode
        except subprocess.TimeoutExpired:
            status = -1
    passed, failed = read_report(report)
    problem = "" if status == (1 if failed else 0) else f"pytest ended with {status}: {suite}.log"
    return Outcome(suite, asterisk, passed, failed, (time.monotonic() - began) / 60, problem)


def read_report(report: Path) -> tuple[int, tuple[str, ...]]:
    """How many tests passed, and which failed. One that was skipped has not passed: it failed."""
    if not report.is_file():
        return 0, ()
    passed, failed = 0, dict[str, None]()
    for case in ET.parse(report).iter("testcase"):
        if (
            case.find("failure") is None
            and case.find("error") is None
            and case.find("skipped") is None
        ):
            passed += 1
        else:
            failed[f"{case.get('classname', '')}::{case.get('name', '')}"] = None
    return passed, tuple(failed)


def table(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Lines of Markdown: a table, then what failed."""
    yield "| Debian | Asterisk | passed | failed | minutes |"
    yield "|---|---|---|---|---|"
    for one in outcomes:
        failed = len(one.failed) or one.problem or 0
        yield f"| {one.suite} | {one.asterisk} | {one.passed} | {failed} | {one.minutes:.0f} |"
    for one in outcomes:
        for name in one.failed:
            yield f"- {one.suite}: {name}"
        if one.failed and one.problem:
            yield f"- {one.suite}: {one.problem}"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="make matrix", description=__doc__)
    parser.add_argument("suites", nargs="*", help=f"of Debian; without any: {' '.join(SUITES)}")
    parser.add_argument("--tests", nargs="+", default=[], help="files; without any: all")
    parser.add_argument("--jobs", type=int, default=3, help="tests at a time")
    parser.add_argument("--out", type=Path, default=Path("matrix-output"))
    chosen = parser.parse_args(arguments)
    chosen.out.mkdir(parents=True, exist_ok=True)
    outcomes = [
        run(suite, chosen.out, chosen.tests, chosen.jobs) for suite in chosen.suites or SUITES
    ]
    text = "".join(f"{line}\n" for line in table(outcomes))
    (chosen.out / "matrix.md").write_text(text)
    sys.stdout.write(text)
    return 0 if all(one.is_good for one in outcomes) else 1


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
