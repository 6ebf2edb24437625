"""Everything that is wrong with a configuration is said at once, with its address, and no value."""

from __future__ import annotations

import contextlib
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asterisk_compliance.config.settings import load, parse
from asterisk_compliance.errors import ConfigError
from sample_settings import accepted, problems, raw

SECRET = "correct-horse-battery"

TEN_MISTAKES = f"""
telephone = "+81 3 1234 5678"

[controller]
name = ""
contact = "privacy@example.jp"

[[asterisk]]
node = "pbx 1"
spool = "var/spool/asterisk"
sounds = "/usr/share/asterisk/sounds/$(id)"
[asterisk.ari]
user = "compliance"
secret = "{SECRET}"
url = "http://admin:{SECRET}@127.0.0.1:8088/ari"
[asterisk.ami]
user = "compliance"
port = 70000

[[notice]]
id = "standard"
version = "1"
purposes = ["SERVICE"]
wording.ja.prompt = "../../etc/passwd"

[[policy]]
name = "inbound"
notice = "nothing"
languages = ["ja"]
capture = "always"

[[policy]]
name = "outbound"
notice = "nothing"
languages = ["ja"]

[vault]
recordings = "/var/lib/asterisk-compliance"
encryption = "off"

[limits]
growth_s = 0
"""

THEIR_ADDRESSES = {
    "telephone": "is not a setting",
    "audit": "is missing",
    "controller.name": "at least 1 character",
    "asterisk[1].node": "should match pattern",
    "asterisk[1].spool": "must be an absolute path",
    "asterisk[1].sounds": "characters of dialplan syntax",
    "asterisk[1].ari.secret": "is not a setting",
    "asterisk[1].ari.url": "should match pattern",
    "asterisk[1].ami.port": "less than or equal to 65535",
    "notice[1].wording.ja.prompt": "should match pattern",
    "policy[1].capture": "should be 'bridged'",
    "policy[2].notice": "there is no such notice",
    "limits.growth_s": "greater than 0",
}


def test_the_sample_is_right() -> None:
    settings = accepted(raw())
    assert settings.policy[0].languages == ("ja", "en")
    assert settings.asterisk[0].spool_path == Path("/var/spool/asterisk/compliance")


def test_tables_keep_their_order() -> None:
    value = raw()
    value["policy"] += [{**value["policy"][0], "name": name} for name in ("night", "a")]
    assert [policy.name for policy in accepted(value).policy] == ["inbound", "night", "a"]


def test_every_mistake_is_said_with_its_address(tmp_path: Path) -> None:
    file = tmp_path / "compliance.toml"
    file.write_text(TEN_MISTAKES)
    with pytest.raises(ConfigError) as caught:
        load(file)
    found = dict(problem.split(": ", 1) for problem in caught.value.problems)
    assert found.keys() == THEIR_ADDRESSES.keys()
    for address, words in THEIR_ADDRESSES.items():
        assert words in found[address]
    assert f"{file}: 13 problems:\n  " in str(caught.value)


def test_no_problem_repeats_a_value(tmp_path: Path) -> None:
    mistakes = tomllib.loads(TEN_MISTAKES)
    said = "\n".join(problems(mistakes, secrets=True))
    for value in (SECRET, "1234 5678", "pbx 1", "$(id)", "70000", "passwd", "nothing", "always"):
        assert value not in said


scalars = st.one_of(st.integers(), st.booleans(), st.floats(), st.text(max_size=3), st.none())
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
tables = st.sampled_from([*raw(), "purpose", "limits", "service"])


@given(broken=st.dictionaries(tables, values, max_size=4), secrets=st.booleans())
def test_whatever_stands_in_a_table_is_a_problem_and_no_crash(
    *, broken: dict[str, Any], secrets: bool
) -> None:
    with contextlib.suppress(ConfigError):
        parse({**raw(), **broken}, secrets=secrets)


def test_a_file_that_is_not_there_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file") as caught:
        load(tmp_path / "missing.toml")
    assert "--config" in caught.value.hint


@pytest.mark.parametrize("content", [b"[controller", b"name = \xff"])
def test_a_file_that_is_not_toml(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "compliance.toml"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match="1 problem:\n  is not TOML"):
        load(file)


@pytest.mark.parametrize("table", ["controller", "asterisk", "notice", "policy", "audit", "vault"])
def test_what_must_be_there(table: str) -> None:
    value = raw()
    del value[table]
    assert f"{table}: is missing" in problems(value)


@pytest.mark.parametrize("table", ["asterisk", "notice", "policy", "purpose"])
def test_a_table_where_a_list_of_tables_belongs(table: str) -> None:
    assert f"{table}: must be a list of tables: write [[{table}]]" in problems({**raw(), table: {}})


@pytest.mark.parametrize("table", ["controller", "audit", "limits", "service"])
def test_a_list_where_a_table_belongs(table: str) -> None:
    (problem,) = problems({**raw(), table: []})
    assert problem.startswith(f"{table}: ")


def test_there_must_be_an_asterisk() -> None:
    assert problems({**raw(), "asterisk": []}) == ["asterisk: there must be at least one"]


@pytest.mark.parametrize(
    ("table", "key"), [("asterisk", "node"), ("notice", "id"), ("policy", "name")]
)
def test_what_may_be_there_only_once(table: str, key: str) -> None:
    value = raw()
    value[table] += value[table]
    assert problems(value) == [f"{table}[2].{key}: is there twice"]


def test_a_purpose_may_be_there_only_once() -> None:
    value = raw() | {"purpose": [{"code": "VIP"}, {"code": "OTHER"}, {"code": "VIP"}]}
    assert problems(value) == ["purpose[3].code: is there twice"]


@pytest.mark.parametrize(
    ("where", "key"),
    [
        ("controller", "controller.colour"),
        ("limits", "limits.colour"),
        ("service", "service.colour"),
        ("audit", "audit.colour"),
        ("vault", "vault.colour"),
    ],
)
def test_keys_that_are_no_settings(where: str, key: str) -> None:
    value = raw()
    value[where] = {**value.get(where, {}), "colour": SECRET}
    assert problems(value) == [f"{key}: is not a setting"]


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        accepted(raw()).controller.name = "Another"  # type: ignore[misc]
