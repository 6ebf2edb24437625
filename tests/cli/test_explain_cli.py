"""What would happen to a call, on the command line: without Asterisk, secrets or prompts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from asterisk_compliance.cli.main import app
from asterisk_compliance.errors import ConfigError

CONFIG = """
[controller]
name = "Example K.K."
contact = "privacy@example.jp"
[[asterisk]]
node = "pbx1"
spool = "/var/spool/asterisk/compliance"
sounds = "/nowhere"
ari = { user = "compliance", secret_env = "NOT_SET" }
[[notice]]
id = "told"
version = "1"
purposes = ["SERVICE"]
wording.ja.prompt = "nothing"
[[notice]]
id = "asked"
version = "1"
purposes = ["SERVICE"]
wording.ja.prompt = "nothing"
[[policy]]
name = "inbound"
notice = "told"
notice_opt_in = "asked"
languages = ["ja"]
on_refusal = "end"
keys = { accept = "1", refuse = "2" }
[[policy]]
name = "night"
notice = "told"
languages = ["ja"]
keys = { accept = "1", refuse = "2" }
[rules]
home = "JP"
time_zone = "Asia/Tokyo"
presets = ["jp"]
presets_by_number = ["eu-explicit"]
[[rule]]
id = "gold"
match = { queue = ["gold"], direction = ["inbound"] }
terms = { beep_s = 15 }
[[rule]]
id = "english"
match = { language = ["en"], policy = ["night"] }
terms = { retention_max_days = 7 }
[emergency]
outside_prefixes = ["0"]
[audit]
store = "/nowhere/store"
[vault]
recordings = "/nowhere/recordings"
encryption = "off"
"""
TOKYO, BERLIN = "0312345678", "+4930123456"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "compliance.toml"
    file.write_text(CONFIG, "utf-8")
    return file


def run(config: Path, *options: str, policy: str = "inbound") -> Result:
    command = ["explain", "--policy", policy, "--config", str(config), *options]
    return CliRunner().invoke(app, command)


def terms(config: Path, *options: str, policy: str = "inbound") -> dict[str, Any]:
    """What holds: every field, the notice, and which rules applied."""
    result = run(config, "--json", *options, policy=policy)
    assert result.exit_code == 0, (result.output, result.exception)
    said = json.loads(result.stdout)
    held = {term["field"]: term["value"] for term in said["terms"]}
    rules = {rule["id"] for rule in said["rules"]}
    return {**held, "notice": said["notice"], "rules": rules, "emergency": said["emergency"]}


def test_where_a_caller_is_from_decides(config: Path) -> None:
    tokyo, berlin = (terms(config, "--from", number) for number in (TOKYO, BERLIN))
    assert (tokyo["consent"], tokyo["notice"]) == ("notice", "told")
    assert (berlin["consent"], berlin["notice"]) == ("opt-in", "asked")
    assert "eu-consent" in berlin["rules"] - tokyo["rules"]
    assert tokyo["on_refusal"] == "end"
    assert terms(config)["consent"] == "opt-in", "unknown meets every rule"


def test_on_calls_of_ours_whom_we_call_decides(config: Path) -> None:
    outbound = terms(config, "--direction", "outbound", "--from", TOKYO, "--to", BERLIN)
    assert outbound["consent"] == "opt-in"


def test_when_it_is_decides(config: Path) -> None:
    midnight = "2027-01-17T00:00+09:00"
    for at, rule in ((midnight, "jp-appi.20270117"), ("2027-01-16T23:59+09:00", "jp-appi.2026")):
        rules = terms(config, "--from", TOKYO, "--at", at)["rules"]
        assert [name for name in rules if name.startswith(rule)]
    assert terms(config, "--at", "2027-01-16T15:00")["rules"] >= {"jp-appi.20270117"}


def test_queue_language_and_policy_decide(config: Path) -> None:
    assert terms(config, "--from", TOKYO, "--queue", "gold")["beep_s"] == "15"
    assert terms(config, "--from", TOKYO, "--queue", "silver")["beep_s"] == "none"
    at_night = terms(config, "--from", TOKYO, "--language", "en_GB", policy="night")
    assert at_night["retention_max_days"] == "7"
    in_japanese = terms(config, "--from", TOKYO, "--language", "ja", policy="night")
    assert in_japanese["retention_max_days"] == "none"


@pytest.mark.parametrize(
    ("dialled", "helps"), [("110", True), ("0110", True), ("9110", False), (TOKYO, False)]
)
def test_emergency_numbers_are_those_of_the_configuration(
    config: Path, dialled: str, helps: bool
) -> None:
    assert terms(config, "--from", TOKYO, "--to", dialled)["emergency"] is helps
    config.write_text(CONFIG.replace("[emergency]", '[emergency]\nnumbers = ["117"]'), "utf-8")
    assert not terms(config, "--to", dialled)["emergency"]
    assert terms(config, "--to", "0117")["emergency"]


def test_as_text(config: Path) -> None:
    result = run(config, "--from", BERLIN, "--to", TOKYO, "--at", "2026-12-01T01:00")
    assert result.exit_code == 0
    for line in (
        "at         2026-12-01 10:00:00+09:00",
        "number     +4930123456",
        "country    DE",
        "notice = asked",
        "consent = opt-in",
        "    decided by eu-consent; laxer: jp-appi.20261102 and jp-ccaj",
        "    decided by the policy itself",
        "rule eu-agent (law)",
        "    EU-06: StGB (Germany) section 201(1) (secondary)",
    ):
        assert line in result.stdout.splitlines()


def test_an_emergency_call_is_told_nothing_as_text(config: Path) -> None:
    assert "whatever the rules say" in run(config, "--to", "119").stdout


def test_a_policy_that_is_not_there(config: Path) -> None:
    result = run(config, policy="evening")
    assert isinstance(result.exception, ConfigError)
    assert result.exception.exit_code == 2
    assert result.exception.hint == "one of inbound, night"


@pytest.mark.parametrize(
    "options",
    [
        ["--direction", "sideways"],
        ["--at", "yesterday"],
        ["--queue", "a b"],
    ],
)
def test_what_cannot_be_asked(config: Path, options: list[str]) -> None:
    assert run(config, *options).exit_code == 2
