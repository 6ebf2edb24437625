"""The dialplan routines: the checked-in ones are current, and keep what they promise."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from asterisk_compliance.app.dialplan import render, render_default, render_for
from asterisk_compliance.app.result import (
    MIXMONITOR_ID_VARIABLE,
    RESULT_VARIABLE,
    RESULT_VARIABLES,
)
from asterisk_compliance.errors import ConfigError
from asterisk_compliance.presets import emergency_numbers
from sample_settings import raw, settings

CHECKED_IN = Path(__file__).parents[2] / "dialplan" / "compliance.conf"
ROUTINES = ("compliance-notice", "compliance-notice-agi")
ARRAY = f"ARRAY({','.join(RESULT_VARIABLES)})"

OWN = {*RESULT_VARIABLES, RESULT_VARIABLE, MIXMONITOR_ID_VARIABLE, "AGIEXITONHANGUP", ARRAY}
FUNCTIONS = {"CDR(userfield)", "CALLERID(num)", "CALLERID(name)", "TIMEOUT(absolute)"}


def contexts(text: str) -> dict[str, list[str]]:
    """The applications of each context, in order, without comments, labels and priorities."""
    found: dict[str, list[str]] = {}
    name = ""
    for line in text.splitlines():
        if line.startswith("["):
            name = line.strip("[]")
            found[name] = []
        elif step := re.match(r"(?:exten => \w+,1|\s*same => n(?:\(\w+\))?),(.*)", line):
            found[name].append(step[1])
        else:
            assert not line.strip() or line.lstrip().startswith(";"), line
    return found


def assignments(text: str) -> list[str]:
    return re.findall(r"\bSet\((ARRAY\([^)]*\)|\w+\(\w+\)|\w+)=", text)


def test_the_checked_in_dialplan_is_current() -> None:
    assert CHECKED_IN.read_text(encoding="utf-8") == render_default()


def test_the_contexts() -> None:
    assert list(contexts(render_default())) == [*ROUTINES, "compliance-back"]


def test_only_variables_of_its_own_are_set() -> None:
    set_here = set(assignments(render_default()))
    local = {name for name in set_here if name.startswith("LOCAL(")}
    assert set_here - local - OWN - FUNCTIONS == set()
    own = ("dialled", "late", "left", "site", "since")
    assert local == {f"LOCAL({name})" for name in own}


def test_no_variable_is_inherited_by_another_channel() -> None:
    assert not re.search(r"\bSet\(_", render_default())
    assert not re.search(r"[,(]_{1,2}COMPLIANCE", render_default())


@pytest.mark.parametrize("routine", ROUTINES)
def test_a_routine_clears_every_variable_first(routine: str) -> None:
    """Unless this channel has a standing decision: that one returns."""
    steps = contexts(render_default())[routine]
    assert steps[1:4] == [
        'GotoIf($["${COMPLIANCE_CHANNEL}"="${UNIQUEID}"]?again)',
        f"Set({ARRAY}={',' * (len(RESULT_VARIABLES) - 1)})",
        f"Set({MIXMONITOR_ID_VARIABLE}=)",
    ]
    enter = next(at for at, step in enumerate(steps) if step.startswith(("Stasis(", "AGI(")))
    assert steps.index(f"Set({RESULT_VARIABLE}=)") < enter
    assert f"same => n(again),Set({RESULT_VARIABLE}=)" in render_default()


def test_the_result_is_taken_apart_in_its_order() -> None:
    back = contexts(render_default())["compliance-back"]
    taken = back.index(f"Set({ARRAY}=${{{RESULT_VARIABLE}}})")
    assert back[taken + 1] == f"Set({RESULT_VARIABLE}=)"


def test_mixmonitor_runs_in_one_place_and_only_on_the_channel_that_heard_the_notice() -> None:
    back = contexts(render_default())["compliance-back"]
    starts = [number for number, step in enumerate(back) if "MixMonitor" in step]
    assert [back[number] for number in starts] == ["MixMonitor(,${COMPLIANCE_OPTIONS})"]
    guard = 'GotoIf($["${COMPLIANCE_OPTIONS}"="" | "${COMPLIANCE_CHANNEL}"!="${UNIQUEID}"]?said)'
    assert back[starts[0] - 1] == guard
    assert "Set(COMPLIANCE_OPTIONS=)" in back[starts[0] :]
    assert (
        sum(
            "MixMonitor(" in step for steps in contexts(render_default()).values() for step in steps
        )
        == 1
    )


def test_what_a_caller_controls_is_only_ever_filtered() -> None:
    """A line break in his number would forge an event on AMI."""
    steps = [step for context in contexts(render_default()).values() for step in context]
    for step in steps:
        for use in re.finditer(r"\$\{CALLERID\(\w+\)\}", step):
            before = step[: use.start()]
            filtered = (r"${FILTER(\x20-\x7e\x80-\xff,", "${FILTER(0-9+*#,")
            assert before.endswith(("${LEN(", *filtered))


def test_every_jump_has_its_label() -> None:
    for name, steps in contexts(render_default()).items():
        text = "\n".join(steps)
        wanted = set(re.findall(r"\]\?(\w+)\)$|^Goto\((\w+)\)$", text, re.MULTILINE))
        labels = set(re.findall(rf"(?s)\[{name}\].*?(?=\n\[|\Z)", render_default()))
        (context,) = labels
        assert {a or b for a, b in wanted} <= set(re.findall(r"n\((\w+)\)", context))


def test_a_site_without_agi_has_no_routine_for_it() -> None:
    text = render(application="told", agi=None, limit_s=7.5, emergency=["110"])
    assert list(contexts(text)) == ["compliance-notice", "compliance-back"]
    assert "Stasis(told,policy=${ARG1},linkedid=${CHANNEL(linkedid)}," in text
    assert "Set(TIMEOUT(absolute)=7.5)" in text
    assert "after 7.5 s" in text


def test_a_site_with_agi_asks_its_own_address() -> None:
    text = render(
        application="compliance", agi="pbx-1.example.jp:4574", limit_s=20, emergency=["110"]
    )
    assert "AGI(agi://pbx-1.example.jp:4574/notice?policy=${ARG1}" in text


@pytest.mark.parametrize(
    "agi",
    ["", "host", "host:", "host:123456", "a,b:1", "a b:1", "::1:4573", "h:1/x", "h:1\n", "${X}:1"],
)
def test_addresses_that_a_dialplan_would_take_apart(agi: str) -> None:
    with pytest.raises(ConfigError, match=r"agi\.host: must be a name or an IPv4 address"):
        render(application="compliance", agi=agi, limit_s=20, emergency=[])


def test_the_routine_of_a_configuration() -> None:
    read = settings(limits={"dialplan_s": 25})
    text = render_for(read, read.asterisk[0])
    assert text == render(
        application="compliance", agi=None, limit_s=25, emergency=emergency_numbers()
    )


def test_the_routine_of_a_configuration_without_ari() -> None:
    asterisk = raw()["asterisk"]
    asterisk[0] |= {"ari": None, "agi": {"host": "127.0.0.2", "port": 4600}}
    read = settings(asterisk=asterisk)
    text = render_for(read, read.asterisk[0])
    assert text == render(
        application="compliance", agi="127.0.0.2:4600", limit_s=20, emergency=emergency_numbers()
    )


def test_the_default_is_what_a_default_configuration_renders() -> None:
    asterisk = raw()["asterisk"]
    asterisk[0]["agi"] = {}
    read = settings(asterisk=asterisk)
    assert render_for(read, read.asterisk[0]) == render_default()


def test_emergency_numbers_are_in_the_routine_with_the_sites_prefixes() -> None:
    text = render(application="compliance", agi=None, limit_s=20, emergency=["110", "0110"])
    assert '${REGEX("^(0110|110)$" ${dialled})}?compliance-back,s,nothing' in text
    assert "REGEX" not in render(application="compliance", agi=None, limit_s=20, emergency=[])
