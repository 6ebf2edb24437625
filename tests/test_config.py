"""Everything that is wrong with a configuration is said at once, with its address, and no value."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asterisk_compliance.config import Settings, load, parse
from asterisk_compliance.errors import ConfigError
from sample_settings import raw

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
    "policy[1].capture": "'bridged' or 'from-notice'",
    "policy[2].notice": "there is no such notice",
    "limits.growth_s": "greater than 0",
}


def problems(value: dict[str, Any], *, secrets: bool = False) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse(value, secrets=secrets)
    assert caught.value.exit_code == 2
    return caught.value.problems


def accepted(value: dict[str, Any]) -> Settings:
    return parse(value, secrets=False)


def asterisk(**changed: Any) -> dict[str, Any]:
    value = raw()
    value["asterisk"][0] |= changed
    return value


def test_the_sample_is_right() -> None:
    settings = accepted(raw())
    assert settings.policy[0].languages == ("ja", "en")
    assert settings.asterisk[0].spool_path == Path("/var/spool/asterisk/compliance")


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
    try:
        parse({**raw(), **broken}, secrets=secrets)
    except ConfigError as error:
        assert error.problems


# -- the file ---------------------------------------------------------------------------------


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


# -- tables -----------------------------------------------------------------------------------


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


# -- values -----------------------------------------------------------------------------------


@pytest.mark.parametrize("character", list(",()[]{}$\"'\\;|&\r\n "))
@pytest.mark.parametrize("key", ["spool", "sounds"])
def test_paths_that_a_dialplan_would_take_apart(key: str, character: str) -> None:
    (problem,) = problems(asterisk(**{key: f"/var/a{character}b"}))
    assert problem.startswith(f"asterisk[1].{key}: must not contain spaces")


def test_only_asterisks_own_paths_are_held_to_that() -> None:
    value = asterisk(spool_here="/mnt/pbx 1/spool", sounds_here="/mnt/pbx 1/sounds")
    node = accepted(value).asterisk[0]
    assert node.spool_path == Path("/mnt/pbx 1/spool")
    assert node.sounds_path == Path("/mnt/pbx 1/sounds")


@pytest.mark.parametrize("key", ["spool", "sounds", "spool_here", "sounds_here"])
def test_relative_paths(key: str) -> None:
    assert problems(asterisk(**{key: "spool"})) == [f"asterisk[1].{key}: must be an absolute path"]


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:8088/ari", "https://pbx.example.jp/asterisk/ari", "http://[::1]:1/ari"],
)
def test_addresses_of_ari(url: str) -> None:
    accepted(asterisk(ari={"user": "u", "secret_env": "E", "url": url}))


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:8088/ari",
        "ftp://127.0.0.1/ari",
        "http://u:p@127.0.0.1:8088/ari",
        "http://127.0.0.1:8088",
        "http://127.0.0.1:8088/ari/",
        "http://127.0.0.1:8088/ari?api_key=u:p",
        "http://127.0.0.1 :8088/ari",
        "http://127.0.0.1:8088/ari\n",
    ],
)
def test_addresses_that_are_none_of_ari(url: str) -> None:
    (problem,) = problems(asterisk(ari={"user": "u", "secret_env": "E", "url": url}))
    assert problem.startswith("asterisk[1].ari.url: ")
    assert url not in problem


@pytest.mark.parametrize("port", [0, 65_536, "x"])
def test_ports(port: object) -> None:
    (problem,) = problems(asterisk(agi={"port": port}))
    assert problem.startswith("asterisk[1].agi.port: ")


@pytest.mark.parametrize("name", ["", "-x", "a b", "a,b", "a" * 65, "日本", "x\n"])
@pytest.mark.parametrize(("table", "key"), [("policy", "name"), ("notice", "id")])
def test_names(table: str, key: str, name: str) -> None:
    value = raw()
    value[table][0][key] = name
    assert any(problem.startswith(f"{table}[1].{key}: ") for problem in problems(value))


@pytest.mark.parametrize("version", ["", "1,2", "-1", "1 2", "1" * 33, "1/2"])
def test_versions(version: str) -> None:
    value = raw()
    value["notice"][0]["version"] = version
    (problem,) = problems(value)
    assert problem.startswith("notice[1].version: ")


@pytest.mark.parametrize("prompt", ["", "/abs", "a//b", "a/../b", "notice.wav", "a,b", "Notice"])
def test_prompts(prompt: str) -> None:
    value = raw()
    value["notice"][0]["wording"]["ja"]["prompt"] = prompt
    (problem,) = problems(value)
    assert problem.startswith("notice[1].wording.ja.prompt: ")


@pytest.mark.parametrize("code", ["service", "S", "9X", "A-B", "A,B", "A" * 33])
def test_codes(code: str) -> None:
    value = raw() | {"purpose": [{"code": code}]}
    (problem,) = problems(value)
    assert problem.startswith("purpose[1].code: ")


@pytest.mark.parametrize("language", ["JA", "ja_JP", "j", "../e"])
def test_languages(language: str) -> None:
    value = raw()
    value["notice"][0]["wording"][language] = {"prompt": "notice-standard"}
    (problem,) = problems(value)
    assert problem.startswith(f"notice[1].wording.{language}.")


@pytest.mark.parametrize(
    ("table", "key"), [("notice", "purposes"), ("notice", "wording"), ("policy", "languages")]
)
def test_what_must_not_be_empty(table: str, key: str) -> None:
    value = raw()
    value[table][0][key] = type(value[table][0][key])()
    assert any(problem.startswith(f"{table}[1].{key}: ") for problem in problems(value))


def test_terms_of_other_vocabularies() -> None:
    value = raw() | {"purpose": [{"code": "VIP", "dpv": ["https://example.org/x"]}]}
    (problem,) = problems(value)
    assert problem.startswith("purpose[1].dpv.0: ")


@pytest.mark.parametrize(
    ("key", "wrong"),
    [
        ("notice_margin_s", 0),
        ("dialplan_s", -1),
        ("growth_s", 3_601),
        ("close_s", float("nan")),
        ("stop_s", "soon"),
        ("events_per_call", 15),
    ],
)
def test_limits(key: str, wrong: object) -> None:
    (problem,) = problems(raw() | {"limits": {key: wrong}})
    assert problem.startswith(f"limits.{key}: ")


# -- what must agree --------------------------------------------------------------------------


def test_numbers_count_the_tables_that_are_wrong_too() -> None:
    value = raw()
    value["asterisk"].insert(0, {})
    value["policy"].insert(0, {})
    del value["asterisk"][1]["ari"], value["asterisk"][1]["ami"]
    value["policy"][1]["notice"] = "nothing"
    said = [problem for problem in problems(value, secrets=True) if "[1]" not in problem]
    assert said == [
        "policy[2].notice: there is no such notice",
        "asterisk[2]: needs [asterisk.ari], or [asterisk.agi] without ARI",
        "asterisk[2]: without ARI, calls are followed by [asterisk.ami]",
    ]


def test_a_secret_is_named_by_the_number_that_its_table_has() -> None:
    value = raw()
    value["asterisk"].insert(0, {})
    value["asterisk"][1] |= {"ari": {"user": "u"}, "ami": None}
    said = "asterisk[2].ari: give either secret_file or secret_env"
    assert said in problems(value, secrets=True)


def test_a_policy_names_a_notice_that_is_not_there() -> None:
    value = raw()
    value["policy"].append({"name": "night", "notice": "closed", "languages": ["ja"]})
    assert problems(value) == ["policy[2].notice: there is no such notice"]


def test_a_policy_offers_a_language_without_a_wording() -> None:
    value = raw()
    value["policy"][0]["languages"] = ["ja", "fr", "de"]
    said = "policy[1].languages: its notice has no wording in"
    assert problems(value) == [f"{said} fr", f"{said} de"]


def test_a_notice_that_is_wrong_is_no_reproach_to_its_policy() -> None:
    value = raw()
    value["notice"][0]["version"] = ""
    (problem,) = problems(value)
    assert problem.startswith("notice[1].version: ")


def test_an_asterisk_without_an_entry() -> None:
    value = raw()
    del value["asterisk"][0]["ari"]
    entry = "asterisk[1]: needs [asterisk.ari], or [asterisk.agi] without ARI"
    assert problems(value) == [entry]
    del value["asterisk"][0]["ami"]
    assert problems(value) == [
        entry,
        "asterisk[1]: without ARI, calls are followed by [asterisk.ami]",
    ]


def test_agi_without_ari_needs_ami() -> None:
    value = asterisk(agi={})
    del value["asterisk"][0]["ari"]
    assert accepted(value).asterisk[0].agi is not None
    del value["asterisk"][0]["ami"]
    assert problems(value) == ["asterisk[1]: without ARI, calls are followed by [asterisk.ami]"]


# -- secrets ----------------------------------------------------------------------------------


def with_login(**login: Any) -> dict[str, Any]:
    value = asterisk(ari={"user": "compliance", **login})
    del value["asterisk"][0]["ami"]
    return value


def test_a_secret_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARI_SECRET", SECRET)
    ari = parse(with_login(secret_env="ARI_SECRET")).asterisk[0].ari
    assert ari is not None
    assert ari.secret().get_secret_value() == SECRET
    assert SECRET not in repr(ari.secret())
    assert SECRET not in repr(ari)


def test_a_secret_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    ari = parse(with_login(secret_file=str(tmp_path / "secret"))).asterisk[0].ari
    assert ari is not None
    assert ari.secret().get_secret_value() == SECRET


@pytest.mark.parametrize("given_", [{}, {"secret_env": "E", "secret_file": "/run/secret"}])
def test_a_secret_needs_one_source(given_: dict[str, str]) -> None:
    (problem,) = problems(with_login(**given_), secrets=True)
    assert problem == "asterisk[1].ari: give either secret_file or secret_env"


def test_secrets_that_are_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMPTY", "")
    monkeypatch.delenv("UNSET", raising=False)
    file = tmp_path / "secret"
    file.write_text("\n")
    for source, login in (
        ("$EMPTY", {"secret_env": "EMPTY"}),
        ("$UNSET", {"secret_env": "UNSET"}),
        (str(file), {"secret_file": str(file)}),
    ):
        (problem,) = problems(with_login(**login), secrets=True)
        assert problem == f"asterisk[1].ari: {source} is empty"


def test_a_secret_file_that_is_not_there(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    (problem,) = problems(with_login(secret_file=str(file)), secrets=True)
    assert problem == f"asterisk[1].ari: {file}: No such file or directory"


def test_a_secret_file_that_is_not_text_is_not_repeated(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_bytes(b"\xffsecret")
    (problem,) = problems(with_login(secret_file=str(file)), secrets=True)
    assert problem == f"asterisk[1].ari: {file}: is not UTF-8 text"


def test_both_logins_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ARI_SECRET", raising=False)
    monkeypatch.delenv("AMI_SECRET", raising=False)
    assert problems(raw(), secrets=True) == [
        "asterisk[1].ari: $ARI_SECRET is empty",
        "asterisk[1].ami: $AMI_SECRET is empty",
    ]


def test_a_command_that_only_reads_needs_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ARI_SECRET", raising=False)
    parse(raw(), secrets=False)
