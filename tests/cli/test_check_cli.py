"""The findings on the command line, and what the exit status says."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from asterisk_compliance.age import new_identity
from asterisk_compliance.app.checks import configuration
from asterisk_compliance.cli.main import app
from asterisk_compliance.errors import ConfigError
from asterisk_compliance.shipped import catalogue
from asterisk_compliance.shipped.presets import shipped_presets

CONFIG = """
[controller]
name = "Example K.K."
contact = "privacy@example.jp"
fingerprint = "{fingerprint}"
[[asterisk]]
node = "pbx1"
spool = "{spool}"
sounds = "{sounds}"
ari = {{ user = "compliance", secret_env = "NOT_SET" }}
ami = {{ user = "compliance", secret_env = "NOT_SET" }}
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
retention_max_days = 90
{rules}
[audit]
store = "/nowhere/store"
checkpoints_to = ["stdout"]
[vault]
recordings = "/nowhere/recordings"
{vault}
[reconcile]
cdr = ["{spool}/Master.csv"]
[limits]
notices_max = 1
[[role]]
name = "officers"
users = ["root"]
purposes = ["SERVICE"]
actions = ["LISTEN"]
"""


TWO = f"recipients = {[new_identity()[1] for _ in range(2)]}"


def config(tmp_path: Path, rules: str = "", vault: str = TWO) -> Path:
    sounds = tmp_path / "sounds"
    shutil.copytree(str(catalogue.sounds()), sounds)
    file, spool = tmp_path / "compliance.toml", tmp_path / "spool"
    spool.mkdir()
    spool.chmod(0o2770)
    (spool / "Master.csv").touch()
    file.write_text(
        CONFIG.format(spool=spool, fingerprint="ab" * 32, sounds=sounds, rules=rules, vault=vault),
        "utf-8",
    )
    return file


def run(file: Path, *options: str) -> Result:
    return CliRunner().invoke(app, ["check", "--offline", "-c", str(file), *options])


def test_nothing_to_say(tmp_path: Path) -> None:
    file = config(tmp_path)
    result = run(file)
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == f"{file} loads: 0 errors, 0 warnings, 0 notes\n"
    assert json.loads(run(file, "--json").stdout) == []


def test_findings_as_text_and_as_json(tmp_path: Path) -> None:
    own = "[[rule]]\nid = 'own'\nmatch = { country = ['JP'] }\nvalid_from = 2999-01-01"
    file = config(tmp_path, own)
    result = run(file, "--within", "3650")
    assert result.exit_code == 0
    assert "HOME_MISSING" in result.stdout
    assert "0 errors, 1 warning, 0 notes" in result.stderr
    (finding,) = json.loads(run(file, "--json").stdout)
    assert set(finding) == {"id", "severity", "address", "what", "todo"}
    assert (finding["id"], finding["severity"]) == ("HOME_MISSING", "warning")


def test_recordings_that_are_not_encrypted_are_said(tmp_path: Path) -> None:
    result = run(config(tmp_path, vault='encryption = "off"'), "--json")
    (finding,) = json.loads(result.stdout)
    assert (finding["id"], finding["severity"]) == ("ENCRYPTION_OFF", "warning")
    assert result.exit_code == 0


def test_how_far_ahead_changes_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    real = configuration.upcoming

    def upcoming(rules, on, within_days):
        asked.append(within_days)
        return real(rules, on, within_days)

    monkeypatch.setattr(configuration, "upcoming", upcoming)
    file = config(tmp_path, "[[rule]]\nid = 'own'")
    run(file)
    run(file, "--within", "7")
    assert asked == [90, 7]
    assert run(file, "--within", "-1").exit_code == 2


def test_an_error_is_status_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    preset = shipped_presets()["jp"]
    empty = type(preset)(preset.about, ())
    monkeypatch.setattr(configuration, "shipped_presets", lambda: {"jp": empty})
    result = run(config(tmp_path, "[rules]\npresets = ['jp']"))
    assert result.exit_code == 1
    assert "RULES_EXPIRED" in result.stdout
    assert "1 error," in result.stderr


@pytest.mark.parametrize("broken", ["[rules]\nhome = 'UK'", "[[rule]]\nid = 'UPPER'"])
def test_a_configuration_that_does_not_load_is_status_2(tmp_path: Path, broken: str) -> None:
    result = run(config(tmp_path, broken))
    assert isinstance(result.exception, ConfigError)
    assert result.exception.exit_code == 2


def test_prompts_are_looked_at(tmp_path: Path) -> None:
    file = config(tmp_path)
    (tmp_path / "sounds/ja/notice-standard.wav").unlink()
    assert isinstance(run(file).exception, ConfigError)


def test_a_dialplan_is_looked_at_that_is_named_here_or_in_the_configuration(
    tmp_path: Path,
) -> None:
    file = config(tmp_path)
    wrong = tmp_path / "extensions.conf"
    wrong.write_text("[a]\nexten => 5,1,MixMonitor(a.wav)\n")
    result = run(file, "--dialplan", str(wrong), "--json")
    assert result.exit_code == 1
    found = [(one["id"], one["address"]) for one in json.loads(result.stdout)]
    assert found == [
        ("DIALPLAN_ROUTINE_MISSING", "extensions.conf:2"),
        ("DIALPLAN_RECORDED_UNTOLD", "extensions.conf:2 a,5,1"),
    ]
    named = file.read_text("utf-8").replace("staff =", f'dialplan = "{wrong}"\nstaff =')
    file.write_text(named, "utf-8")
    assert run(file, "--json").stdout == result.stdout
    wrong.unlink()
    assert isinstance(run(file).exception, ConfigError)


def test_who_asks_nobody_cannot_place_calls(tmp_path: Path) -> None:
    assert run(config(tmp_path), "--self-test").exit_code == 2


def test_unless_told_otherwise_asterisk_is_asked_and_its_silence_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the login of the service; and what else there is to say is said as well."""
    monkeypatch.setenv("NOT_SET", "a secret")
    file = config(tmp_path)
    nobody = "http://127.0.0.1:9/ari"  # discard: nobody serves it
    text = file.read_text("utf-8").replace("ari = {", f'ari = {{ url = "{nobody}",')
    text = text.replace("ami = {", "ami = { port = 9,")
    file.write_text(f'{text}\n[service]\nsocket = "{tmp_path}/none.sock"\n', "utf-8")
    result = CliRunner().invoke(app, ["check", "-c", str(file), "--json"])
    found = json.loads(result.stdout)
    assert result.exit_code == 1
    assert [(one["id"], one["severity"]) for one in found] == [
        ("ARI_UNREACHABLE", "error"),
        ("AMI_UNREACHABLE", "error"),
        ("SERVICE_DOWN", "warning"),
    ]
    assert "a secret" not in result.stdout + result.stderr
    monkeypatch.delenv("NOT_SET")
    unread = json.loads(CliRunner().invoke(app, ["check", "-c", str(file), "--json"]).stdout)
    assert [one["id"] for one in unread].count("SECRET_UNUSABLE") == 2
