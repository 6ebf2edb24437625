"""What the program says while it works: one event a line, whatever is in it, and nobody's name."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import signal
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from app.serving import write_config
from asterisk_compliance.cli import logs
from asterisk_compliance.cli.logs import LogLevel, log_to_stderr, take_over_python
from documented import ROOT, first_cells, logged, page, sections, table

NUMBER = "0312345678"
PAIR = re.compile(r' ([a-z_]+)=("(?:[^"\\]|\\.)*"|[^ "=]+)')
"""A pair as docs/operating.md writes it; behind the event, nothing else stands in a line."""


@pytest.fixture(autouse=True)
def configured() -> Iterator[None]:
    former, hooks = structlog.get_config(), (sys.excepthook, logging.getLogger().handlers)
    yield
    structlog.configure(**former)
    sys.excepthook, logging.getLogger().handlers = hooks


def said(monkeypatch: pytest.MonkeyPatch | None, event: str = "happened", **pairs: Any) -> str:
    """The line of one event."""
    stderr, sys.stderr = sys.stderr, io.StringIO()
    try:
        structlog.get_logger().warning(event, **pairs)
        return sys.stderr.getvalue()
    finally:
        sys.stderr = stderr


def pairs_of(line: str) -> dict[str, str]:
    """Read a line back."""
    event = re.match(r"(?:\S+Z )?(?:warning )?[a-z_]+", line)
    assert event is not None
    rest, found = line[event.end() : -1], {}
    while rest:
        match = PAIR.match(rest)
        assert match is not None, rest
        value = match[2]
        if value.startswith('"'):
            value = re.sub(
                r"\\(u[0-9a-f]{4}|U[0-9a-f]{8}|.)",
                lambda one: (
                    {"n": "\n", "r": "\r", "t": "\t"}.get(one[1])
                    or (chr(int(one[1][1:], 16)) if one[1][0] in "uU" else one[1])
                ),
                value[1:-1],
            )
        found[match[1]] = value
        rest = rest[match.end() :]
    return found


ANYTHING = st.text(st.characters(), max_size=40) | st.sampled_from(
    ["\n<0>panic", 'a" call="c-1', "\x1b]0;title\x07", "\u202e", "\x9b31m", "\u2028", "\ud800", ""]
)


@given(ANYTHING, ANYTHING)
def test_whatever_a_value_is_the_line_is_one_and_says_it_back(why: str, channel: str) -> None:
    log_to_stderr()
    line = said(None, why=why, channel=channel)
    assert line.endswith("\n")
    assert all(unicodedata.category(one)[0] != "C" for one in line[:-1])
    assert len(line.splitlines()) == 1
    assert pairs_of(line) == {"why": why, "channel": channel}


@given(ANYTHING)
def test_as_json_too(why: str) -> None:
    log_to_stderr(as_json=True)
    line = said(None, why=why, kinds=[why])
    assert line.isascii()
    assert line[:-1].isprintable()
    read = json.loads(line)
    assert list(read) == ["at", "level", "event", "why", "kinds"]
    assert (read["level"], read["why"], read["kinds"]) == ("warning", why, [why])


def test_a_line_for_people(monkeypatch: pytest.MonkeyPatch) -> None:
    log_to_stderr()
    line = said(
        None,
        "ari_disconnected",
        hint="",
        why="nothing answers",
        node="pbx1",
        waited_s=0.5,
        left=None,
    )
    assert re.fullmatch(
        r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z warning ari_disconnected node=pbx1"
        r' why="nothing answers" waited_s=0\.5 left=null\n',
        line,
    )


def test_levels_below_the_one_that_was_asked_for_are_not_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    log_to_stderr(LogLevel.WARNING)
    structlog.get_logger().info("quiet")
    structlog.get_logger().error("loud")
    out, err = capsys.readouterr()
    assert out == ""
    assert "loud" in err
    assert "quiet" not in err


def test_what_an_exception_says_is_never_said(capsys: pytest.CaptureFixture[str]) -> None:
    log_to_stderr()
    why = ExceptionGroup("of tasks", [ValueError(f"{NUMBER}\ncalled")])
    structlog.get_logger().error("work_failed", exc_info=why)
    err = capsys.readouterr().err
    assert NUMBER not in err
    assert "error=ValueError where=" in err
    assert len(err.splitlines()) == 1
    try:
        int("no number")
    except ValueError:
        structlog.get_logger().exception("work_failed")
    assert "where=test_logs_cli.py:" in capsys.readouterr().err


def test_libraries_and_crashes_are_said_in_the_same_way(
    capsys: pytest.CaptureFixture[str],
) -> None:
    log_to_stderr()
    take_over_python()
    logging.getLogger("asyncio").error("Task exception was never retrieved\nfuture: " + NUMBER)  # noqa: G003
    logging.getLogger("panoramisk.other").warning("a message of %s", NUMBER)
    logging.getLogger("asyncio").info("not said")
    try:
        {}[NUMBER]
    except KeyError as error:
        sys.excepthook(KeyError, error, error.__traceback__)
    err = capsys.readouterr().err
    assert NUMBER not in err
    asyncio, other, crash = err.splitlines()
    assert 'error library_complained logger=asyncio what="Task exception was' in asyncio
    assert other.endswith("warning library_complained logger=panoramisk.other")
    assert "critical crashed error=KeyError where=test_logs_cli.py:" in crash


def test_nobody_who_reads_is_no_reason_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    log_to_stderr()
    with open("/dev/full", "w", encoding="utf-8") as full:  # noqa: PTH123
        monkeypatch.setattr(sys, "stderr", full)
        structlog.get_logger().error("not_kept")
        monkeypatch.undo()


# -- the journal -------------------------------------------------------------------------------


def to_a_journal(command: list[str], cwd: Path) -> tuple[subprocess.Popen[bytes], int]:
    """Run a command as systemd does that connected its stderr to the journal."""
    reads, writes = os.pipe()
    found = os.fstat(writes)
    stream = f"{found.st_dev}:{found.st_ino}"
    process = subprocess.Popen(
        [sys.executable, "-m", "asterisk_compliance", *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=writes,
        cwd=cwd,
        env={**os.environ, "JOURNAL_STREAM": stream, "PYTHONPATH": str(ROOT)},
    )
    os.close(writes)
    return process, reads


def test_the_journal_gets_priorities_and_no_time_from_both_processes(tmp_path: Path) -> None:
    process, reads = to_a_journal(["serve", "-c", str(write_config(tmp_path))], tmp_path)
    lines = []
    with process, os.fdopen(reads, encoding="utf-8") as journal:
        for line in journal:
            lines.append(line)
            if "ari_disconnected" in line:
                process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert process.stdout is not None
        assert process.stdout.read() == b"", "what serve says is talk, and no result"
    assert all(re.fullmatch(rf"<[2-6]>[a-z_]+({PAIR.pattern})*\n", line) for line in lines), lines
    said = {line.split()[0] for line in lines}
    assert said >= {"<6>service_ready", "<6>watchdog_started", "<6>service_stopping"}
    (lost,) = [line for line in lines if "ari_disconnected" in line]
    assert lost.startswith("<4>ari_disconnected node=pbx1 why=")


def test_why_it_does_not_start_is_an_error_in_the_journal(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    config.write_text(config.read_text().replace("[limits]", "[limits]\nnonsense = 1\nmore = 2"))
    process, reads = to_a_journal(["serve", "-c", str(config)], tmp_path)
    with process, os.fdopen(reads, encoding="utf-8") as journal:
        lines = journal.readlines()
        assert process.wait(10) == 2
    assert len(lines) > 2
    assert all(line.startswith("<3>") for line in lines)


def test_another_ones_stderr_is_no_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNAL_STREAM", "8:1")
    assert logs.priority("error") == ""
    log_to_stderr()
    assert not said(None).startswith("<")


# -- what is said, and where that is written ---------------------------------------------------


def test_every_key_and_level_is_documented_and_no_other() -> None:
    """So nobody adds ``number=``: what a key may hold is decided on the page."""
    there = logged()
    assert len(there) > 80
    levels, pairs = sections(page("operating.md"), 2)["Logs"].split("| pair |")
    found = {key for said in there for key in said.keys} | {"node", "error", "where"}
    assert found == first_cells(f"| pair |{pairs}")
    used = {said.level for said in there} - {"log", "exception"}
    shown = {cells[0].strip("`"): cells[1] for cells in table(levels)[1:]}
    assert shown == {level: str(logs.PRIORITIES[level]) for level in used}
