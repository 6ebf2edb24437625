"""Each value of a configuration is held to its form, and what must agree agrees."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from asterisk_compliance.domain.policy.notice import Consent, OnProblem
from asterisk_compliance.domain.policy.terms import DEFAULTS, FIELDS, NOTHING, PolicyTerms
from sample_settings import accepted, asterisk, problems, raw


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


def test_networks() -> None:
    agi = accepted(asterisk(agi={"permit": ["192.0.2.0/28", "2001:db8::/64"]})).asterisk[0].agi
    assert agi is not None
    assert agi.permit == (ip_network("192.0.2.0/28"), ip_network("2001:db8::/64"))


@pytest.mark.parametrize("network", ["192.0.2.1/28", "192.0.2.0/33", "pbx", ""])
def test_what_is_no_network(network: str) -> None:
    (problem,) = problems(asterisk(agi={"permit": [network]}))
    assert problem.startswith("asterisk[1].agi.permit.0: ")


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


# -- consent -----------------------------------------------------------------------------------

YES_OR_NO = {"accept": "1", "refuse": "9"}


def asking(**changed: object) -> dict[str, Any]:
    value = raw()
    value["policy"][0] |= changed
    return value


def test_a_policy_does_not_ask_unless_it_is_told_to() -> None:
    policy = accepted(raw()).policy[0]
    assert policy.terms == NOTHING
    assert DEFAULTS.consent is Consent.NOTICE
    assert set(policy.keys.model_dump().values()) == {""}


@pytest.mark.parametrize("consent", Consent)
@pytest.mark.parametrize("on_problem", OnProblem)
def test_policies_that_ask(consent: Consent, on_problem: OnProblem) -> None:
    value = asking(consent=str(consent), keys=YES_OR_NO, on_refusal=str(on_problem))
    policy = accepted(value).policy[0]
    assert (policy.consent, policy.on_refusal) == (consent, on_problem)


@pytest.mark.parametrize("key", list("0123456789*#"))
def test_keys(key: str) -> None:
    assert accepted(asking(keys={"refuse": key})).policy[0].keys.refuse == key


@pytest.mark.parametrize("key", ["10", "a", "D", " ", "1\n", "１", "+"])
@pytest.mark.parametrize("role", ["accept", "refuse", "repeat", "language"])
def test_keys_that_no_telephone_has(role: str, key: str) -> None:
    (problem,) = problems(asking(keys={role: key}))
    assert problem.startswith(f"policy[1].keys.{role}: ")


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        (
            {"consent": "opt-out", "keys": {"accept": "1"}},
            ".keys.refuse: consent = opt-out needs a key to refuse",
        ),
        (
            {"consent": "opt-in", "keys": {"accept": "1"}},
            ".keys.refuse: consent = opt-in needs a key to refuse",
        ),
        (
            {"consent": "opt-in", "keys": {"refuse": "9"}},
            ".keys.accept: consent = opt-in needs a key to accept",
        ),
        ({"keys": {"accept": "1", "repeat": "1"}}, ": keys: one key has two meanings"),
        (
            {"consent": "opt-in", "keys": {"accept": "9", "refuse": "9"}},
            ": keys: one key has two meanings",
        ),
    ],
)
def test_keys_that_do_not_fit(changed: dict[str, object], problem: str) -> None:
    assert problems(asking(**changed)) == [f"policy[1]{problem}"]


@pytest.mark.parametrize(
    ("key", "wrong"),
    [
        ("consent", "implied"),
        ("grace_s", -0.1),
        ("grace_s", 61),
        ("grace_s", float("nan")),
        ("repeats_max", -1),
        ("repeats_max", 6),
        ("on_refusal", "hang-up"),
        ("on_notice_failure", ""),
        ("on_recording_failure", "hang-up"),
        ("duty", "must"),
        ("agent_consent", True),
        ("on_join", ""),
        ("withdrawal", True),
        ("beep_s", 0),
        ("retention_min_days", 0),
        ("retention_max_days", -1),
        ("notice_opt_out", "a b"),
        ("notice_opt_in", ""),
    ],
)
def test_settings_of_consent(key: str, wrong: object) -> None:
    (problem,) = problems(asking(**{key: wrong}))
    assert problem.startswith(f"policy[1].{key}: ")


EVERY_TERM = {
    "consent": "notice",
    "duty": "mandatory",
    "capture": "from-notice",
    "on_refusal": "end",
    "on_notice_failure": "tell",
    "on_recording_failure": "alternative",
    "agent_consent": "required",
    "on_join": "stop",
    "withdrawal": "on",
    "beep_s": 15,
    "retention_min_days": 30,
    "retention_max_days": 90,
}


def test_a_policy_can_ask_for_every_term() -> None:
    terms = accepted(asking(**EVERY_TERM)).policy[0].terms
    assert {field: getattr(terms, field) for field in FIELDS} == EVERY_TERM


@pytest.mark.parametrize("field", EVERY_TERM)
def test_what_a_policy_does_not_write_it_does_not_say(field: str) -> None:
    terms = accepted(asking(**{field: EVERY_TERM[field]})).policy[0].terms
    assert terms == PolicyTerms(**{field: getattr(terms, field)})
    assert getattr(terms, field) == EVERY_TERM[field]


@pytest.mark.parametrize("key", ["notice_opt_out", "notice_opt_in", "notice_joined"])
def test_a_policy_names_another_notice_that_is_not_there(key: str) -> None:
    assert problems(asking(**{key: "nothing"})) == [f"policy[1].{key}: there is no such notice"]


def test_a_policy_has_another_notice_for_another_question() -> None:
    value = asking(notice_opt_in="asks", keys=YES_OR_NO)
    value["notice"].append({**raw()["notice"][0], "id": "asks"})
    policy = accepted(value).policy[0]
    chosen = [policy.notice_for(consent) for consent in Consent]
    assert chosen == ["standard", "standard", "asks"]
    del value["notice"][1]["wording"]["en"]
    said = "policy[1].languages: its notice_opt_in has no wording in en"
    assert problems(value) == [said]
    del value["notice"][1]
    assert problems(value) == ["policy[1].notice_opt_in: there is no such notice"]


@pytest.mark.parametrize("kind", ["refused", "not_recorded", "required"])
def test_announcements_are_prompts(kind: str) -> None:
    (problem,) = problems(asking(announcements={kind: "../secret"}))
    assert problem.startswith(f"policy[1].announcements.{kind}: ")


@pytest.mark.parametrize("table", ["purpose", "notice"])
@pytest.mark.parametrize("wrong", ["forever", "90", 90, "", "101 years", True])
def test_a_period_is_written_in_one_way(table: str, wrong: object) -> None:
    value = raw() | {"purpose": [{"code": "QUALITY"}]}
    value[table][0]["retention"] = wrong
    (problem,) = problems(value)
    assert problem.startswith(f"{table}[1].retention: ")


def test_a_period_of_a_shipped_purpose_is_the_sites_own() -> None:
    value = raw() | {"purpose": [{"code": "QUALITY", "retention": "2 weeks"}]}
    assert str(accepted(value).purpose[0].retention) == "14 days"
