"""What is to be included in Asterisk's own files, and what is wrong with them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from asterisk_compliance.app.dialplan.rendering import AGENT_FEATURES
from asterisk_compliance.app.dialplan.variables import FEATURE_OF_SEGMENTS, FEATURE_OF_WITHDRAWAL
from asterisk_compliance.cli.main import app
from asterisk_compliance.errors import ConfigError
from asterisk_compliance.shipped import catalogue
from documented import ROOT

SHIPPED = (catalogue.dialplan() / "compliance-features.conf").read_text(encoding="utf-8")


def test_feature_codes_are_printed_or_written(tmp_path: Path) -> None:
    printed = CliRunner().invoke(app, ["dialplan", "features"])
    assert (printed.exit_code, printed.stdout) == (0, SHIPPED)
    out = tmp_path / "compliance-features.conf"
    written = CliRunner().invoke(app, ["dialplan", "features", "-o", str(out)])
    assert (written.exit_code, written.stdout) == (0, "")
    assert out.read_text(encoding="utf-8") == SHIPPED
    assert str(out) in written.stderr


def test_every_feature_that_a_routine_turns_on_is_there() -> None:
    names = {line.split(" => ")[0] for line in SHIPPED.splitlines() if " => " in line}
    assert names == {FEATURE_OF_SEGMENTS, FEATURE_OF_WITHDRAWAL, *AGENT_FEATURES}


# -- dialplan check ----------------------------------------------------------------------------

CONFIG = """
[controller]
name = "Example K.K."
contact = "privacy@example.jp"
[[asterisk]]
node = "{node}"
spool = "/var/spool/{node}"
sounds = "/nowhere/sounds"
ari = {{ user = "compliance", secret_env = "NOT_SET", url = "http://{node}:8088/ari" }}
ami = {{ user = "compliance", secret_env = "NOT_SET", host = "{node}" }}
agi = {{ port = 4573 }}
staff = ["PJSIP/1*"]
[[notice]]
id = "told"
version = "1"
purposes = ["SERVICE", "QUALITY"]
wording.ja.prompt = "notice-standard"
[[policy]]
name = "inbound"
notice = "told"
languages = ["ja"]
[[policy]]
name = "direct"
notice = "told"
languages = ["ja"]
[[policy]]
name = "sales"
notice = "told"
languages = ["ja"]
[audit]
store = "/nowhere/store"
[vault]
recordings = "/nowhere/recordings"
encryption = "off"
"""
WRONG = """\
[from-trunk]
exten => 0312345678,1,MixMonitor(a.wav)
 same => n,Gosub(compliance-notice,s,1(nobody))
"""
RIGHT = "[from-trunk]\nexten => 0312345678,1,Gosub(compliance-notice,s,1(inbound))\n"


def config(tmp_path: Path, *nodes: str) -> Path:
    first, *more = nodes or ("pbx1",)
    text = CONFIG.format(node=first)
    table = text[text.index("[[asterisk]]") : text.index("[[notice]]")]
    file = tmp_path / "compliance.toml"
    others = [table.replace(first, node).replace("4573", "4574") for node in more]
    file.write_text(text + "".join(others), encoding="utf-8")
    return file


def site(tmp_path: Path, text: str, *options: str) -> Path:
    """An ``extensions.conf`` with our routines of the configuration, or of the defaults."""
    rendered = CliRunner().invoke(app, ["dialplan", "render", *options])
    (tmp_path / "compliance.conf").write_text(rendered.stdout, encoding="utf-8")
    file = tmp_path / "extensions.conf"
    file.write_text(text + "#include compliance.conf\n", encoding="utf-8")
    return file


def checked(*arguments: str | Path, given: str | bytes | None = None) -> Result:
    return CliRunner().invoke(app, ["dialplan", "check", *map(str, arguments)], input=given)


def ids(result: Result) -> list[str]:
    return [one["id"].removeprefix("DIALPLAN_") for one in json.loads(result.stdout)]


def test_a_dialplan_that_is_right(tmp_path: Path) -> None:
    file = site(tmp_path, RIGHT)
    result = checked(file)
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == f"{file}: 0 errors, 0 warnings, 0 notes\n"
    assert json.loads(checked(file, "--json").stdout) == []


def test_a_dialplan_that_is_wrong(tmp_path: Path) -> None:
    settings = config(tmp_path)
    file = site(tmp_path, WRONG, "-c", str(settings))
    result = checked(file, "-c", settings)
    assert result.exit_code == 1
    assert "DIALPLAN_RECORDED_UNTOLD" in result.stdout
    assert "extensions.conf:2" in result.stdout
    assert result.stderr == f"{file}: 2 errors, 0 warnings, 0 notes\n"
    first, second = json.loads(checked(file, "-c", settings, "--json").stdout)
    assert first == {
        "id": "DIALPLAN_RECORDED_UNTOLD",
        "severity": "error",
        "file": "extensions.conf",
        "line": 2,
        "address": "from-trunk,0312345678,1",
        "what": "mixmonitor() records a caller who has heard no notice",
        "todo": "take it out, and let Gosub(compliance-notice,s,1(POLICY)) record",
    }
    assert (second["id"], second["line"]) == ("DIALPLAN_POLICY_UNKNOWN", 3)


def test_warnings_are_no_reason_to_fail(tmp_path: Path) -> None:
    file = site(tmp_path, RIGHT + " same => n,Dial(PJSIP/03@trunk)\n")
    result = checked(file)
    assert result.exit_code == 0
    assert result.stderr == f"{file}: 0 errors, 1 warning, 0 notes\n"


def test_our_own_example_gives_no_finding(tmp_path: Path) -> None:
    example = (ROOT / "examples/extensions.conf").read_text(encoding="utf-8")
    settings = config(tmp_path)
    site(tmp_path, "", "-c", str(settings))
    file = tmp_path / "extensions.conf"
    file.write_text(example, encoding="utf-8")
    assert ids(checked(file, "-c", settings, "--json")) == []
    assert ids(checked(file, "--json")) == []


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    result = checked(tmp_path / "nothing.conf", "--json")
    assert isinstance(result.exception, ConfigError)
    assert (result.exception.exit_code, result.stdout) == (2, "")
    assert "cannot be read: No such file or directory" in str(result.exception)


def test_an_empty_file(tmp_path: Path) -> None:
    file = tmp_path / "extensions.conf"
    file.write_text("")
    result = checked(file, "--json")
    assert result.exit_code == 1
    (finding,) = json.loads(result.stdout)
    assert finding["id"] == "DIALPLAN_ROUTINE_MISSING"
    assert finding["line"] is None


def test_includes_are_read_and_a_missing_one_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "trunk.conf").write_text(WRONG)
    result = checked(site(tmp_path, "#include trunk.conf\n#include none.conf\n"), "--json")
    assert result.exit_code == 1
    places = [(one["file"], one["line"]) for one in json.loads(result.stdout)]
    assert places == [("extensions.conf", 2), ("trunk.conf", 2)]


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_bytes_of_every_kind(tmp_path: Path, options: tuple[str, ...]) -> None:
    file = tmp_path / os.fsdecode(b"\xff.conf")
    hostile = bytes(range(256)) + b"\n[a\x1b[31m]\nexten => \xff,1,MixMonitor(\x1b]0;x\x07\x00)\n"
    nested = b"exten => 1,1,Set(a=" + b"${" * 5_000 + b")\n#include \x00*\n#include \xff[\n"
    file.write_bytes(hostile + nested)
    result = checked(file, *options)
    assert result.exit_code == 1
    assert "DIALPLAN_RECORDED_UNTOLD" in result.stdout
    assert not set(result.stdout) & {"\x1b", "\x00", "\x07"}


def test_standard_input(tmp_path: Path) -> None:
    shown = (
        "[ Context 'a' created by 'pbx_config' ]\n"
        "  's' =>            1. MixMonitor(a.wav)         [extensions.conf:7]\n"
    )
    for given in (shown, shown.encode() + b"\xff", "[a]\nexten => s,1,MixMonitor(a.wav)\n"):
        result = checked("-", "--json", given=given)
        assert result.exit_code == 1
        assert ids(result) == ["ROUTINE_MISSING", "RECORDED_UNTOLD"]


def test_which_asterisk_is_said_where_there_are_several(tmp_path: Path) -> None:
    settings = config(tmp_path, "pbx1", "pbx2")
    file = site(tmp_path, RIGHT, "-c", str(settings), "--node", "pbx2")
    refused = checked(file, "-c", settings).exception
    assert isinstance(refused, ConfigError)
    assert (refused.exit_code, refused.problems) == (
        2,
        ["say which Asterisk with --node: pbx1, pbx2"],
    )
    assert checked(file, "-c", settings, "--node", "pbx2", "--json").stdout == "[]\n"
    assert "ROUTINE_OLD" in ids(checked(file, "-c", settings, "--node", "pbx1", "--json"))
