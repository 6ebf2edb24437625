"""The linter on the command line, for the shipped prompts and for a configuration's notices."""

import json
import shutil
import wave
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from asterisk_compliance.cli.sounds import app
from asterisk_compliance.errors import ConfigError
from asterisk_compliance.shipped import catalogue
from asterisk_compliance.shipped.catalogue import ShippedPrompt

CONFIG = """
[controller]
name = "Example K.K."
contact = "privacy@example.jp"
[[asterisk]]
node = "pbx1"
spool = "/var/spool/asterisk/compliance"
sounds = "{sounds}"
ari = {{ user = "compliance", secret_env = "NOT_SET" }}
[[asterisk]]
node = "pbx2"
spool = "/var/spool/pbx2/compliance"
sounds = "{sounds}"
ari = {{ user = "compliance", secret_env = "NOT_SET", url = "http://pbx2:8088/ari" }}
[[notice]]
id = "ours"
version = "1"
purposes = ["SERVICE", "QUALITY"]
wording.ja = {{ {wording} }}
[[policy]]
name = "inbound"
notice = "ours"
languages = ["ja"]
{policy}
[limits]
dialplan_s = 60
[audit]
store = "/var/lib/asterisk-compliance/store"
[vault]
recordings = "/var/lib/asterisk-compliance/recordings"
encryption = "off"
"""
SAYS_ALL = "ご用件の確認と応対品質の向上のため、録音しています。"


def run(*args: str, code: int = 0) -> Result:
    result = CliRunner().invoke(app, ["lint", *args])
    assert result.exit_code == code, (result.output, result.exception)
    return result


def found(*args: str, code: int = 0) -> list[Any]:
    lines: list[Any] = json.loads(run(*args, "--json", code=code).stdout)
    return lines


def config(tmp_path: Path, wording: str, policy: str = "") -> str:
    """A configuration of two Asterisks with the same prompts; returns ``--config``'s value."""
    sounds = tmp_path / "sounds"
    shutil.copytree(str(catalogue.sounds()), sounds)
    with wave.open(str(sounds / "ja/own.wav"), "wb") as own:
        own.setparams((1, 2, 8_000, 0, "NONE", ""))
        own.writeframes(b"\x01\x02" * 8_000 * 13)
    file = tmp_path / "compliance.toml"
    file.write_text(CONFIG.format(sounds=sounds, wording=wording, policy=policy), "utf-8")
    return str(file)


def test_the_shipped_prompts_have_advice_and_no_error() -> None:
    result = run()
    count = len(catalogue.shipped_prompts())
    assert "notice-short" in result.stdout
    assert "who listens" in result.stdout
    assert result.stderr.startswith(f"{count} wordings: 0 errors, ")


def test_findings_as_json() -> None:
    lines = found()
    assert {line["severity"] for line in lines} == {"advice"}
    assert {line["id"] for line in lines} == {"W11", "W12"}
    assert set(lines[0]) == {"wording", "language", "id", "severity", "what", "hint"}


def test_a_shipped_prompt_with_an_error_is_status_1(monkeypatch: pytest.MonkeyPatch) -> None:
    bad = ShippedPrompt(
        id="bad",
        language="ja",
        text=f"{SAYS_ALL}望まれないときは、8を押してください。",
        purposes=catalogue.shipped_prompts()["notice-opt-out", "ja"].purposes,
        length_ms=9_000,
        sha256={".wav": "", ".wav16": ""},
        kind=catalogue.PromptKind.NOTICE,
        digits={"refuse": "9"},
    )
    monkeypatch.setattr(catalogue, "shipped_prompts", lambda: {("bad", "ja"): bad})
    errors = [line["id"] for line in found(code=1) if line["severity"] == "error"]
    assert errors == ["W05", "W10"]
    assert run(code=1).stderr == "1 wording: 2 errors, 2 advice\n"


def test_nothing_to_say(monkeypatch: pytest.MonkeyPatch) -> None:
    prompt = catalogue.shipped_prompts()["paused", "ja"]
    monkeypatch.setattr(catalogue, "shipped_prompts", lambda: {("paused", "ja"): prompt})
    assert run().stdout == ""
    assert found() == []


def test_the_notices_of_a_configuration_each_once(tmp_path: Path) -> None:
    file = config(tmp_path, 'prompt = "notice-short"')
    assert [(line["wording"], line["language"], line["id"]) for line in found("-c", file)] == [
        ("ours", "ja", "W11"),
        ("ours", "ja", "W12"),
    ]


@pytest.mark.parametrize(
    ("prompt", "policy"),
    [
        ("notice-opt-out", 'consent = "opt-out"\nkeys = { refuse = "9" }'),
        ("notice-opt-in", 'consent = "opt-in"\nkeys = { accept = "1", refuse = "2" }'),
    ],
)
def test_what_a_wording_asks_follows_from_the_policies(
    tmp_path: Path, prompt: str, policy: str
) -> None:
    file = config(tmp_path, f'prompt = "{prompt}"', policy)
    assert [line["id"] for line in found("--config", file)] == ["W11", "W12"]


def test_a_key_that_no_policy_has_is_an_error(tmp_path: Path) -> None:
    file = config(tmp_path, 'prompt = "notice-opt-out"')
    lines = found("--config", file, code=1)
    assert "W10" in {line["id"] for line in lines if line["severity"] == "error"}


def test_a_site_s_own_wording_is_linted_with_the_length_of_its_prompt(tmp_path: Path) -> None:
    text = f"{SAYS_ALL}望まれないときは、9を押してください。"
    file = config(tmp_path, f'prompt = "own", text = "{text}"')
    lines = found("--config", file, code=1)
    assert [line["id"] for line in lines if line["severity"] == "error"] == ["W04", "W10"]
    assert lines[0]["what"] == "it takes 13.0 s"


def test_a_configuration_that_does_not_load_is_not_linted(tmp_path: Path) -> None:
    file = config(tmp_path, 'prompt = "own", text = "録音しています。"')
    result = CliRunner().invoke(app, ["lint", "--config", file])
    assert isinstance(result.exception, ConfigError)
    assert "does not say purpose SERVICE" in str(result.exception)
