"""What a reload may change, and what it may not, each with its address."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from app.serving import write_config
from asterisk_compliance.app.policy.configuration import (
    RELOADABLE,
    load_configuration,
    restart_needed,
)
from asterisk_compliance.config.settings import Settings
from asterisk_compliance.errors import ConfigError
from sample_settings import accepted, another, raw


def needed(after: dict[str, Any]) -> list[str]:
    return list(restart_needed(accepted(raw()), accepted(after)))


def changed(table: str, **values: Any) -> dict[str, Any]:
    value = raw()
    held = value.setdefault(table, {})
    (held[0] if isinstance(held, list) else held).update(values)
    return value


def test_the_same_needs_none() -> None:
    assert needed(raw()) == []


@pytest.mark.parametrize(
    "after",
    [
        changed("controller", name="Another K.K."),
        changed("policy", name="other", on_notice_failure="end"),
        changed("notice", version="2"),
        changed("rules", home="JP", presets=["jp"]),
        changed("emergency", outside_prefixes=["0"]),
        raw() | {"rule": [{"id": "own"}], "purpose": [{"code": "VIP"}]},
    ],
)
def test_what_calls_are_decided_by_can_be_changed(after: dict[str, Any]) -> None:
    assert needed(after) == []


@pytest.mark.parametrize(
    ("after", "addresses"),
    [
        (changed("asterisk", node="pbx2"), ["asterisk[1].node"]),
        (changed("asterisk", spool="/a", sounds="/b"), ["asterisk[1].spool", "asterisk[1].sounds"]),
        (changed("asterisk", ami=None), ["asterisk[1].ami"]),
        (changed("asterisk", agi={}), ["asterisk[1].agi"]),
        (
            changed("asterisk", ari={"user": "u", "secret_env": "E"}),
            ["asterisk[1].ari.secret_env", "asterisk[1].ari.user"],
        ),
        (raw() | {"asterisk": [*raw()["asterisk"], another()]}, None),
        (changed("audit", store="/x"), ["audit.store"]),
        (changed("vault", recordings="/x"), ["vault.recordings"]),
        (changed("service", socket="/x"), ["service.socket"]),
        (changed("limits", dialplan_s=40, growth_s=4), ["limits.dialplan_s", "limits.growth_s"]),
    ],
)
def test_what_is_built_at_start_needs_a_restart(after: dict[str, Any], addresses: Any) -> None:
    assert needed(after) == [f"{address}: needs a restart" for address in addresses or ["asterisk"]]


def test_only_what_is_known_to_be_safe_can_be_changed() -> None:
    """A table that somebody adds needs a restart until somebody says otherwise."""
    assert set(Settings.model_fields) > RELOADABLE


def test_a_configuration_is_named_by_the_bytes_that_were_read(tmp_path: Path) -> None:
    file = write_config(tmp_path)
    loaded = load_configuration(file)
    assert loaded.digest == hashlib.sha256(file.read_bytes()).hexdigest()
    assert loaded.source == file
    assert set(loaded.policies) == {"pbx1"}


def test_problems_of_every_asterisk_are_told_once(tmp_path: Path) -> None:
    file = write_config(tmp_path)
    text = file.read_text("utf-8")
    first = text[text.index("[[asterisk]]") : text.index("[[notice]]")]
    second, third = (
        first.replace("pbx1", f"pbx{number}")
        .replace("/spool", f"/spool{number}")
        .replace("127.0.0.1", f"127.0.0.{number}")
        for number in (2, 3)
    )
    elsewhere = third.replace("sounds = ", 'sounds_here = "/nowhere"\nsounds = ')
    file.write_text(text.replace("notice-opt-in", "notice-gone") + second + elsewhere)
    with pytest.raises(ConfigError) as caught:
        load_configuration(file)
    problems = caught.value.problems
    assert len(problems) == len(set(problems)) == 3
    assert [problem for problem in problems if "/nowhere/ja/notice-gone.wav" in problem]


def test_a_secret_is_looked_for_only_where_it_is_needed(tmp_path: Path) -> None:
    file = write_config(tmp_path)
    (tmp_path / "secret").unlink()
    with pytest.raises(ConfigError, match="No such file"):
        load_configuration(file)
    assert load_configuration(file, secrets=False).policies
