"""The routine that tells and records alone: rendered for policies that say so, and for no other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.dialplan.test_rendering import OWN, ROUTINES, assignments, contexts
from app.serving import write_config
from asterisk_compliance.app.dialplan.rendering import render_default, render_for
from asterisk_compliance.app.dialplan.variables import MIXMONITOR_ID_VARIABLE
from asterisk_compliance.app.policy.configuration import load_configuration
from asterisk_compliance.errors import ConfigError
from asterisk_compliance.ids import fallback_code
from sample_settings import raw, settings

MORE = """
[[policy]]
name = "second"
notice = "standard"
languages = ["ja"]
capture = "from-notice"
beep_s = 15
fallback = "record"

[[policy]]
name = "third"
notice = "standard"
languages = ["ja"]
"""


def rendered(home: Path, policy: str = 'fallback = "record"\n' + MORE) -> str:
    configuration = load_configuration(write_config(home, policy=policy))
    settings = configuration.settings
    return render_for(settings, settings.asterisk[0])


@pytest.fixture
def text(tmp_path: Path) -> str:
    return rendered(tmp_path)


def codes(home: Path) -> list[str]:
    configuration = load_configuration(home / "compliance.toml")
    return [fallback_code(promise.digest) for promise in configuration.promises]


def test_without_such_a_policy_nothing_of_it_is_there(tmp_path: Path) -> None:
    plain = rendered(tmp_path, "")
    for word in ("fallback", "Playback", "FALLBACK", "stood"):
        assert word not in plain


def test_each_promise_is_in_the_routine_and_no_other(text: str, tmp_path: Path) -> None:
    first, second = codes(tmp_path)
    routine = contexts(text)["compliance-fallback"]
    assert [step for step in routine if step.startswith("Set(LOCAL(code)=")] == [
        f"Set(LOCAL(code)={first})",
        f"Set(LOCAL(code)={second})",
    ]
    assert 'GotoIf($["${ARG1}"="inbound" & "${lang}"="ja"]?p1,1)' in routine
    assert 'GotoIf($["${ARG1}"="second"]?p2,1)' in routine
    assert not any("third" in step for step in routine)


def test_how_it_is_captured_is_in_fixed_words(text: str) -> None:
    routine = contexts(text)["compliance-fallback"]
    assert [step for step in routine if step.startswith("Set(LOCAL(how)=")] == [
        "Set(LOCAL(how)=b)",
        "Set(LOCAL(how)=B(15))",
    ]


def test_only_filtered_parts_reach_mixmonitor(text: str) -> None:
    """Its arguments can start programs; and there is no ``t()``, since nobody looks who joins."""
    routine = contexts(text)["compliance-fallback"]
    (run,) = [step for step in routine if "MixMonitor(" in step]
    assert re.fullmatch(
        r"TryExec\(MixMonitor\(,\$\{how\}i\(COMPLIANCE_MMID\)r\(/[^$]+/\$\{id\}-rx\.wav\)\)\)", run
    )
    (name,) = [step for step in routine if step.startswith("Set(LOCAL(id)=")]
    assert name == (
        r"Set(LOCAL(id)=d-${FILTER(0-9a-f,${code})}-${FILTER(A-Za-z0-9_.\x2d,${UNIQUEID})})"
    )


def test_nothing_is_recorded_before_a_playback_that_was_whole(text: str) -> None:
    routine = contexts(text)["compliance-fallback"]
    play = routine.index("Playback(${sound})")
    run = next(at for at, step in enumerate(routine) if "MixMonitor(" in step)
    guard = 'GotoIf($["${PLAYBACKSTATUS}"!="SUCCESS" | ${took}<${least} | ${took}>${most}]?no)'
    assert routine[play + 2] == guard
    assert play + 2 < run
    assert routine[play - 2] == "Set(PLAYBACKSTATUS=)"
    assert routine[play - 1] == "Set(LOCAL(began)=${STRFTIME(,,%s%3q)})"
    assert routine[play + 1] == "Set(LOCAL(took)=$[${STRFTIME(,,%s%3q)}-${began}])"


def test_the_time_is_that_of_the_prompt(text: str, tmp_path: Path) -> None:
    configuration = load_configuration(tmp_path / "compliance.toml")
    length_ms = configuration.promises[0].length_ms
    assert text.count(f"Set(LOCAL(least)={length_ms - 40})") == 2
    assert text.count(f"Set(LOCAL(most)={length_ms + 3_000})") == 2


def test_whoever_was_there_before_or_calls_for_help_is_not_recorded(text: str) -> None:
    routine = contexts(text)["compliance-fallback"]
    assert routine[0] == 'GotoIf($["${compliance_stood}"!=""]?no)'
    late = " & ".join(
        f'"${{COMPLIANCE_REASON}}"!="SERVICE_{why}"' for why in ("UNAVAILABLE", "TIMED_OUT")
    )
    assert routine[1] == f"GotoIf($[{late}]?no)"
    for name in ROUTINES[:1]:
        steps = contexts(text)[name]
        stood = steps.index("Set(LOCAL(compliance_stood)=${COMPLIANCE_STATUS})")
        assert steps[stood + 1].startswith("Set(ARRAY(COMPLIANCE_STATUS,")


def test_a_leg_that_is_dialled_goes_on(text: str) -> None:
    back = contexts(text)["compliance-back"]
    at = back.index("Gosub(compliance-fallback,s,1(${ARG1}))")
    assert back[at - 1] == 'GotoIf($["${compliance_callee}"="1"]?said)'


def test_what_the_service_decides_ends_what_was_recorded_alone(text: str) -> None:
    back = contexts(text)["compliance-back"]
    stop = next(at for at, step in enumerate(back) if "StopMixMonitor" in step)
    assert f'"${{{MIXMONITOR_ID_VARIABLE}}}"!=""]?StopMixMonitor' in back[stop], "never an empty id"
    assert back[stop + 1].startswith("Set(ARRAY(COMPLIANCE_STATUS,")


def test_it_sets_only_what_is_ours_and_inherits_nothing(text: str) -> None:
    added = set(assignments(text)) - set(assignments(render_default()))
    local = {name for name in added if name.startswith("LOCAL(")}
    assert added - local <= OWN | {"PLAYBACKSTATUS"}
    assert not re.search(r"\bSet\(_", text)


def test_every_jump_of_it_has_its_place(text: str) -> None:
    body = re.search(r"(?s)\[compliance-fallback\](.*?)(?=\n\[)", text)
    assert body is not None
    jumps = set(re.findall(r"\?(p\d+),1\)", body[1]))
    assert jumps == {"p1", "p2"}
    assert set(re.findall(r"(?m)^exten => (\w+),1", body[1])) == {"s", "tell", "T", *jumps}
    assert "exten => T,1,Set(TIMEOUT(absolute)=0.01)" in body[1]


def test_without_its_prompt_there_is_no_routine() -> None:
    policy = raw()["policy"][0] | {"fallback": "record"}
    read = settings(policy=[policy])
    with pytest.raises(ConfigError, match=r"notice-standard\.wav: No such file"):
        render_for(read, read.asterisk[0])
