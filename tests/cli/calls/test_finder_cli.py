"""``calls list``: what can be asked, in which notation, and how a page is followed by the next."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from app.serving import write_config
from asterisk_compliance.cli import output
from asterisk_compliance.cli.calls import commands as calls
from asterisk_compliance.cli.calls import finder as finding
from asterisk_compliance.domain.audit.rows import Kind, PersonalFact
from asterisk_compliance.ids import party_id
from asterisk_compliance.storage.log.writer import StoreWriter
from sample_rows import AT_MS, a_call, a_recorded_call, an_unrecorded_call, draft

RECORDED = [a_call(number) for number in range(1, 4)]
CUT_SHORT = a_call(4)
REQUEST = "q-" + "0" * 28
DIGITS = "12345678"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Three recorded calls of one number, and one that was cut short."""
    config = write_config(tmp_path, rules='[rules]\nhome = "JP"')
    with StoreWriter.open(tmp_path / "store") as writer:
        for number, call in enumerate(RECORDED, 1):
            writer.commit(a_recorded_call(call, AT_MS + number))
        writer.commit(an_unrecorded_call(CUT_SHORT, AT_MS + 4))
        came = {"channel": "1795507200.2", "cover": "staff"}
        anna = (PersonalFact("endpoint", "PJSIP/anna", "PJSIP/anna"),)
        for call in RECORDED[:2]:
            party = party_id(call, 2)
            writer.commit([draft(Kind.PARTY_JOINED, call, detail=came, party=party, facts=anna)])
        about = {"request": REQUEST, "party": ""}
        writer.commit([draft(Kind.REQUEST_CALL, RECORDED[0], detail=about)])
    return config


def run(config: Path, *words: str, code: int = 0, typed: str = "") -> Result:
    line = ["list", *words, "--config", str(config)]
    result = CliRunner().invoke(calls.app, line, input=typed)
    assert result.exit_code == code, (result.output, result.exception)
    return result


def found(config: Path, *words: str, typed: str = "") -> list[str]:
    output = run(config, *words, "--json", typed=typed).stdout
    return [json.loads(line)["call"] for line in output.splitlines()]


NAMED = ("--agent", "--user", "--channel", "--policy", "--purpose", "--notice", "--held")
NEWEST_FIRST = [*reversed(RECORDED)]


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ([], [CUT_SHORT, *NEWEST_FIRST]),
        (["--number", "03-1234-5678"], NEWEST_FIRST),
        (["--number", "+81312345678"], NEWEST_FIRST),
        (["--dialled", "03-1234-5678"], []),
        (["--user", "nobody"], []),
        (["--agent", "PJSIP/anna"], [RECORDED[1], RECORDED[0]]),
        (["--agent", "anna"], [RECORDED[1], RECORDED[0]]),
        (["--agent", "SIP/anna"], []),
        (["--agent", "PJSIP/ann"], []),
        (["--channel", "1795507200.1"], NEWEST_FIRST),
        (["--policy", "inbound", "--decision", "NOT_RECORDED"], [CUT_SHORT]),
        (["--queue", "support"], []),
        (["--queue", ""], []),
        (["--leg", "callee"], []),
        (["--reason", "NOTICE_COMPLETED"], NEWEST_FIRST),
        (["--purpose", "TRAINING"], NEWEST_FIRST),
        (["--notice", "standard/1", "--level", "closed"], NEWEST_FIRST),
        (["--consent", "withdrawn"], []),
        (["--longer", "73s", "--shorter", "74s"], NEWEST_FIRST),
        (["--longer", "74s"], []),
        (["--recorded-longer", "61s"], NEWEST_FIRST),
        (["--recorded-shorter", "61s"], [CUT_SHORT]),
        (["--held", "CASE-1"], []),
        (["--request", REQUEST], RECORDED[:1]),
        (["--request", "any"], RECORDED[:1]),
        (["--since", "2026-11-24T08:00:00.002Z", "--until", "2026-11-24T17:00:00.003+09:00"],
         [RECORDED[1]]),
        (["--before", RECORDED[1]], [RECORDED[0]]),
    ],
)  # fmt: skip
def test_calls_are_found_by_everything_that_is_said(config, words, wanted) -> None:
    assert found(config, *words) == wanted
    if "--before" not in words:
        assert run(config, *words, "--count").stdout == f"{len(wanted)}\n"
        assert json.loads(run(config, *words, "--count", "--json").stdout) == {"calls": len(wanted)}


def test_a_number_is_read_from_standard_input_and_printed_nowhere(config: Path) -> None:
    assert found(config, "--number", "-", typed="03 1234 5678\n") == NEWEST_FIRST
    both = ("--number", "-", "--dialled", "-")
    assert found(config, *both, typed="0312345678\n0120000000\n") == []
    for words in (["--number", "-"], ["--number", "-", "--json"]):
        assert DIGITS not in run(config, *words, typed="0312345678\n").output


def test_without_a_configuration_a_number_is_sought_as_it_is_typed(config: Path) -> None:
    store = str(config.parent / "store")

    def lines(number: str) -> int:
        line = ["list", "--number", number, "--count", "--store", store]
        return int(CliRunner().invoke(calls.app, line).stdout)

    assert lines("81312345678") == 3
    assert lines("0312345678") == 0


def test_pages_follow_each_other(config: Path) -> None:
    pages, before = [], []
    for _ in range(2):
        result = run(config, "--limit", "2", "--json", *before)
        pages.append([json.loads(line)["call"] for line in result.stdout.splitlines()])
        before = ["--before", pages[-1][-1]]
    assert pages == [[CUT_SHORT, RECORDED[2]], [RECORDED[1], RECORDED[0]]]
    more = f"there are older ones: --before {RECORDED[2]}"
    assert more in run(config, "--limit", "2").stderr
    assert "older" not in run(config, "--limit", "4").stderr


@pytest.mark.parametrize(
    "words",
    [
        ["--decision", "allowed"],
        ["--reason", "BECAUSE"],
        ["--consent", "maybe"],
        ["--level", "gone"],
        ["--leg", "agent"],
        ["--longer", "5 minutes"],
        ["--request", "q-1"],
        ["--before", "c-1"],
        ["--number", "nobody"],
        ["--dialled", ""],
        ["--since", "once"],
        *([option, said] for said in ("", " ") for option in NAMED),
    ],
)
def test_what_is_no_value_is_told_so(config: Path, words: list[str]) -> None:
    assert "Invalid value" in run(config, *words, code=2).stderr


@pytest.mark.parametrize("width", [64, 80, 100, 130])
def test_on_a_narrow_terminal_columns_are_left_out_and_no_id_is_folded(
    config: Path, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setattr(output, "PIPE_COLUMNS", width)
    result = run(config)
    whole = [line for line in result.stdout.splitlines() if RECORDED[0] in line]
    assert len(whole) == 1
    assert "2026-11-24T08:00:00.001Z" in whole[0]
    said = result.stderr.partition("too narrow for ")[2].partition(":")[0].split(", ")
    headings = result.stdout.split("─")[0].split()
    assert {*headings} == {*finding.COLUMNS} - {*said}
    assert said == list(finding.SPARE[: len(said)])
    assert max(map(len, result.stdout.splitlines())) <= width


def test_the_table_says_when_a_call_began_and_how_long_it_lasted(config: Path) -> None:
    (line,) = [one for one in run(config).stdout.splitlines() if RECORDED[0] in one]
    assert "2026-11-24T08:00:00.001Z" in line
    assert "73 s" in line
    assert "closed" in line
