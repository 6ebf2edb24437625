"""A site's dialplan from its files, as Asterisk reads them, and what cannot be read."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from asterisk_compliance.app.checks.dialplan import dialplan_findings
from asterisk_compliance.app.dialplan import reading as dialplan_reading
from asterisk_compliance.app.dialplan.reading import Reading, read_dialplan
from asterisk_compliance.domain.dialplan.findings import DialplanFindingId
from asterisk_compliance.domain.dialplan.model import Dialplan
from asterisk_compliance.errors import ConfigError
from sample_settings import accepted, another, raw

SHOWN = "[ Context 'a' created by 'pbx_config' ]\n  's' =>  1. NoOp()   [extensions.conf:7]\n"


def read(tmp_path: Path, text: str, **files: str) -> Reading:
    """What an ``extensions.conf`` says, with other files beside it, named without ``.conf``."""
    for name, inner in {"extensions": text, **files}.items():
        (tmp_path / f"{name}.conf").write_text(inner, encoding="utf-8")
    return read_dialplan(str(tmp_path / "extensions.conf"))


def executed(reading: Reading) -> list[str]:
    """``context,exten,priority app(data) place`` of every priority."""
    return [f"{step.address} {step.app}({step.data}) {step.place}" for step in reading.plan.steps()]


def said(reading: Reading) -> list[tuple[str, str]]:
    return [(one.id.removeprefix("DIALPLAN_"), str(one.place)) for one in reading.findings]


# -- includes ----------------------------------------------------------------------------------


def test_an_include_stands_where_it_is_written_and_keeps_its_own_lines(tmp_path: Path) -> None:
    reading = read(
        tmp_path,
        "[a]\nexten => 1,1,NoOp(before)\n#include more.conf\n same => n,NoOp(behind)\n",
        more="; its first line\n same => n,NoOp(inside)\n",
    )
    assert executed(reading) == [
        "a,1,1 NoOp(before) extensions.conf:2",
        "a,1,2 NoOp(inside) more.conf:2",
        "a,1,3 NoOp(behind) extensions.conf:4",
    ]
    assert reading.findings == ()


@pytest.mark.parametrize("written", ["parts/*.conf", '"parts/*.conf"', "<parts/*.conf>", "{}/*"])
def test_a_pattern_includes_every_file_in_order_of_names(tmp_path: Path, written: str) -> None:
    parts = tmp_path / "parts"
    parts.mkdir()
    for name in "ba":
        (parts / f"{name}.conf").write_text(f"[{name}]\nexten => 1,1,NoOp()\n")
    reading = read(tmp_path, f"#include {written.format(parts)}\n")
    assert executed(reading) == [
        "a,1,1 NoOp() parts/a.conf:2",
        "b,1,1 NoOp() parts/b.conf:2",
    ]


def test_an_included_file_includes_from_the_directory_of_the_first_one(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/one.conf").write_text("#include two.conf\n")
    reading = read(tmp_path, "#include sub/one.conf\n", two="[a]\nexten => 1,1,NoOp()\n")
    assert executed(reading) == ["a,1,1 NoOp() two.conf:2"]


def test_a_file_elsewhere_is_named_by_its_whole_path(tmp_path: Path) -> None:
    other = tmp_path / "other.conf"
    other.write_text("[a]\nexten => 1,1,NoOp()\n")
    inner = tmp_path / "etc"
    inner.mkdir()
    assert executed(read(inner, f"#include {other}\n")) == [f"a,1,1 NoOp() {other}:2"]


@pytest.mark.parametrize("written", ["nothing.conf", "nothing/*.conf", "a\0b"])
def test_a_missing_file_is_an_error_unless_it_may_be_missing(tmp_path: Path, written: str) -> None:
    reading = read(tmp_path, f"[a]\n#tryinclude {written}\n#include {written}\nexten => 1,1,NoOp()")
    assert said(reading) == [("INCLUDE_MISSING", "extensions.conf:3")]
    assert reading.findings[0].severity == "error"
    assert len(executed(reading)) == 1, "the rest is read all the same"


def test_files_that_include_each_other_have_an_end(tmp_path: Path) -> None:
    reading = read(
        tmp_path, "#include b.conf\n", b="[a]\nexten => 1,1,NoOp()\n#include extensions.conf\n"
    )
    assert said(reading) == [("LINE_IGNORED", "extensions.conf:1")]
    assert "too deep" in reading.findings[0].what
    assert set(executed(reading)) == {"a,1,1 NoOp() b.conf:2"}


def test_files_that_all_include_all_are_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dialplan_reading, "_MOST_FILES", 50)
    reading = read(tmp_path, "#include *.conf\n", **{f"a{n}": "#include *.conf" for n in range(9)})
    assert {name for name, _ in said(reading)} == {"NOT_READ"}


def test_what_is_no_file_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    os.mkfifo(tmp_path / "pipe")
    reading = read(tmp_path, "[a]\n#include directory\n#include pipe\n#exec program\n")
    assert said(reading) == [("NOT_READ", f"extensions.conf:{line}") for line in (2, 3, 4)]


def test_what_may_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.read_text

    def read_text(path: Path, *arguments: str, **named: str) -> str:
        """As for another user than root, whom nothing is refused."""
        if path.name in {"secret.conf", "queues.conf"}:
            raise PermissionError(13, "Permission denied")
        return real(path, *arguments, **named)

    monkeypatch.setattr(Path, "read_text", read_text)
    reading = read(tmp_path, "[a]\n#include secret.conf\n", secret="", queues="")
    assert said(reading) == [("NOT_READ", "extensions.conf:2"), ("NOT_READ", "queues.conf")]
    assert "Permission denied" in reading.findings[0].what


# -- what Asterisk's own reader knows ----------------------------------------------------------


def test_templates_across_files(tmp_path: Path) -> None:
    reading = read(
        tmp_path,
        "#include templates.conf\n[a](usual)\nexten => 2,1,NoOp(own)\n"
        "[a](+)\nexten => 3,1,NoOp()\n",
        templates="[usual](!)\nexten => 1,1,NoOp(template)\n",
    )
    assert [line.split(" ")[0] for line in executed(reading)] == ["a,1,1", "a,2,1", "a,3,1"]
    assert list(reading.plan.contexts) == ["a"]


def test_what_is_in_a_comment_is_not_there(tmp_path: Path) -> None:
    reading = read(
        tmp_path,
        "[a]\n;-- exten => 1,1,MixMonitor(x)\n#include nothing.conf\n--;\n"
        "exten += 2,1,NoOp(a\\;b)\n",
    )
    assert executed(reading) == ["a,2,1 NoOp(a;b) extensions.conf:5"]
    assert reading.findings == ()


# -- the files beside it -----------------------------------------------------------------------


def test_the_files_beside_it(tmp_path: Path) -> None:
    reading = read(
        tmp_path,
        "",
        features="[applicationmap]\ncompliancesegment => D,self,Gosub\n#include own.conf\n",
        own="mine => *1,self,NoOp\n",
        queues="[usual](!)\nmonitor-format = wav\n[kept](usual)\nmember => Local/1@agents/n,1\n"
        "[quiet]\nmonitor-format = wav\nmonitor-format =\nmember = PJSIP/1001\n",
        confbridge="[yes]\nrecord_conference = Yes\n[no]\nrecord_conference = no\n",
        pjsip="[usual](!)\ncontext = from-agents\n[1001](usual)\ntype = endpoint\n"
        "[trunk]\ntype = endpoint\ncontext = from-trunk\npassword = secret\n",
        pjsip_wizard="[carrier]\nendpoint/context = from-carrier\n",
        sip="[general]\ncontext = public\n",
    )
    assert reading.features == {"compliancesegment": "D,self,Gosub", "mine": "*1,self,NoOp"}
    assert reading.recording_queues == {"kept"}
    assert reading.queue_members == {"kept": ("Local/1@agents/n",), "quiet": ("PJSIP/1001",)}
    assert reading.recording_bridges == {"yes"}
    assert reading.entries == {"from-agents", "from-trunk", "from-carrier", "public"}
    assert reading.findings == ()


def test_without_them_nothing_is_known(tmp_path: Path) -> None:
    assert read(tmp_path, "[general]\nstatic = yes\n") == Reading(Dialplan())


@pytest.mark.parametrize("name", ["extensions.ael", "extensions.lua"])
def test_a_dialplan_in_another_language_is_not_read(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("")
    assert said(read(tmp_path, "")) == [("NOT_READ", name)]


# -- what it is given --------------------------------------------------------------------------


def test_what_asterisk_prints_is_known_by_itself(tmp_path: Path) -> None:
    (tmp_path / "features.conf").write_text("[applicationmap]\n")
    reading = read(tmp_path, SHOWN)
    assert executed(reading) == ["a,s,1 NoOp() extensions.conf:7"]
    assert reading.features is None, "who knows of which Asterisk that was"


@pytest.mark.parametrize("text", [SHOWN, "[a]\nexten => s,1,NoOp()\n"])
def test_standard_input(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given = SimpleNamespace(buffer=io.BytesIO(text.encode() + b"\xff\xfe"))
    monkeypatch.setattr(sys, "stdin", given)
    (line,) = executed(read_dialplan("-"))
    assert line.startswith("a,s,1 NoOp() ")


@pytest.mark.parametrize("name", ["nothing.conf", ".", "a\0b"])
def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=r"cannot be read|is no path"):
        read_dialplan(str(tmp_path / name))


def test_bytes_of_every_kind(tmp_path: Path) -> None:
    file = tmp_path / os.fsdecode(b"\xff.conf")
    file.write_bytes(
        b"[a\xff]\nexten => 1\xfe,1,NoOp(\x00\x1b[31m)\n\xff\xff\n" + bytes(range(256))
    )
    reading = read_dialplan(str(file))
    (step,) = reading.plan.steps()
    assert step.place.file == "\ufffd.conf"
    assert step.context == "a\ufffd"


# -- of a configuration ------------------------------------------------------------------------


def test_each_asterisk_has_its_own_dialplan(tmp_path: Path) -> None:
    value = raw()
    for node in ("one", "two"):
        (tmp_path / f"{node}.conf").write_text(f"[{node}]\nexten => 5,1,MixMonitor(a.wav)\n")
    value["asterisk"] = [
        another(node, dialplan=str(tmp_path / f"{node}.conf")) for node in ("one", "two")
    ]
    settings = accepted(value)
    found = dialplan_findings(settings, None, "compliance.toml")
    untold = [one.address for one in found if one.id is DialplanFindingId.RECORDED_UNTOLD]
    assert untold == ["one.conf:2 one,5,1", "two.conf:2 two,5,1"]
    with pytest.raises(ConfigError, match="there are several"):
        dialplan_findings(settings, "extensions.conf", "compliance.toml")


def test_without_a_dialplan_nothing_is_looked_at() -> None:
    assert dialplan_findings(accepted(raw()), None, "compliance.toml") == []
