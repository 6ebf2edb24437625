"""The dialplan routines: the checked-in ones are current, and keep what they promise."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path, PurePosixPath

import pytest

from asterisk_compliance.app.dialplan.rendering import (
    ASKED,
    DEFAULT_SOUNDS,
    render,
    render_default,
    render_for,
    rendering_of,
)
from asterisk_compliance.app.dialplan.variables import (
    CHECK_VARIABLE,
    CHECKED_VARIABLE,
    LAST_CALL_VARIABLE,
    MAY_CALL_VARIABLE,
    MIXMONITOR_ID_VARIABLE,
    PAST_CALLS_VARIABLE,
    RESULT_VARIABLE,
    RESULT_VARIABLES,
    SEGMENT_VARIABLE,
    SHOWN_VARIABLE,
)
from asterisk_compliance.config.settings import Settings
from asterisk_compliance.errors import ConfigError
from asterisk_compliance.shipped.presets import emergency_numbers
from sample_settings import another, raw, settings

CHECKED_IN = Path(__file__).parents[3] / "dialplan" / "compliance.conf"
ROUTINES = ("compliance-notice", "compliance-notice-agi")
TAKEN = (*RESULT_VARIABLES, RESULT_VARIABLE)
CLEARED = (*RESULT_VARIABLES, MIXMONITOR_ID_VARIABLE, PAST_CALLS_VARIABLE, LAST_CALL_VARIABLE)
TAKE, CLEAR = (f"ARRAY({','.join(names)})" for names in (TAKEN, CLEARED))

SPOOL = PurePosixPath("/var/spool/asterisk/compliance")
ENTRIES = (*ROUTINES, "compliance-callee")

OWN = {
    *RESULT_VARIABLES,
    RESULT_VARIABLE,
    MIXMONITOR_ID_VARIABLE,
    SEGMENT_VARIABLE,
    SHOWN_VARIABLE,
    MAY_CALL_VARIABLE,
    CHECK_VARIABLE,
    CHECKED_VARIABLE,
    TAKE,
    CLEAR,
}
ASTERISKS = {"AGIEXITONHANGUP", "DYNAMIC_FEATURES", "GOSUB_RESULT"}
FUNCTIONS = {
    "CDR(userfield)",
    "CDR_PROP(disable)",
    "CALLERID(num)",
    "CALLERID(name)",
    "CONNECTEDLINE(name)",
    "TIMEOUT(absolute)",
}
render_here = partial(
    render, application="compliance", agi=None, limit_s=20, emergency=["110"], spool=SPOOL
)


def places(read: Settings) -> dict[str, Path]:
    (asterisk,) = read.asterisk
    return {"spool": asterisk.spool, "sounds": asterisk.sounds}


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
    several = "\n".join(re.findall(r"\bMSet\((.*)\)$", text, re.MULTILINE))
    return [
        *re.findall(r"\bSet\((ARRAY\([^)]*\)|\w+\(\w+\)|\w+)=", text),
        *re.findall(r"(?m)(?:^|,)(\w+\(\w+\)|\w+)=", several),
    ]


def test_the_checked_in_dialplan_is_current() -> None:
    assert CHECKED_IN.read_text(encoding="utf-8") == render_default()


def test_the_contexts() -> None:
    others = (
        "back",
        "callee",
        "may-call",
        "segment",
        "canary",
        "check",
        "agent",
        *(name.lower() for name in ASKED),
    )
    assert list(contexts(render_default())) == [
        *ROUTINES,
        *(f"compliance-{name}" for name in others),
    ]


def test_only_variables_of_its_own_are_set() -> None:
    set_here = set(assignments(render_default()))
    local = {name for name in set_here if name.startswith("LOCAL(")}
    assert set_here - local - OWN - ASTERISKS - FUNCTIONS == set()
    routine = {f"compliance_{name}" for name in ("callee", "late", "left", "site", "since")}
    own = routine | {"left", "number", "rec", "since", "site", "what"}
    assert local == {f"LOCAL({name})" for name in own}


def test_what_may_be_read_before_it_is_set_has_a_name_that_no_site_uses() -> None:
    for context in (*ENTRIES, "compliance-back"):
        read = re.findall(r"\$\{([A-Za-z_]+)\}", "\n".join(contexts(render_default())[context]))
        others = {"EPOCH", "UNIQUEID", "DYNAMIC_FEATURES", "ARG1", "ARG2", "ARG3"}
        assert all(name.lower().startswith("compliance_") for name in set(read) - others)


def test_no_variable_is_inherited_by_another_channel() -> None:
    assert not re.search(r"\bSet\(_", render_default())
    assert not re.search(r"[,(]_{1,2}COMPLIANCE", render_default())


@pytest.mark.parametrize("routine", ENTRIES)
def test_a_routine_clears_every_variable_first(routine: str) -> None:
    """Unless none holds anything, or this channel has a standing decision: that one returns."""
    nothing, standing, clear, result = contexts(render_default())[routine][:4]
    held = re.fullmatch(r"GotoIf\(\$\[(.*)=0\]\?enter\)", nothing)
    assert held is not None
    counted = {f"${{FIELDQTY({name},-)}}" for name in (*CLEARED, RESULT_VARIABLE)}
    assert set(held[1].split("+")) == counted, "no value is compared: it could lead astray"
    assert standing == 'GotoIf($["${COMPLIANCE_CHANNEL}"="${UNIQUEID}"]?again)'
    assert clear == f"Set({CLEAR}={',' * (len(CLEARED) - 1)})"
    assert result == f"Set({RESULT_VARIABLE}=)"
    assert f"same => n(again),{result}" in render_default()


def test_the_result_is_taken_apart_in_its_order() -> None:
    back = contexts(render_default())["compliance-back"]
    assert f"Set({TAKE}=${{{RESULT_VARIABLE}}})" in back, "and the last one becomes empty"


def starts_of(name: str) -> list[str]:
    return [step for step in contexts(render_default())[name] if "TryExec(MixMonitor(" in step]


def test_mixmonitor_is_run_only_on_the_channel_that_heard_the_notice() -> None:
    back = contexts(render_default())["compliance-back"]
    (start,) = starts_of("compliance-back")
    guard = 'GotoIf($["${COMPLIANCE_OPTIONS}"="" | "${COMPLIANCE_CHANNEL}"!="${UNIQUEID}"]?said)'
    assert back[back.index(start) - 1] == guard
    assert f"Set({TAKE}=${{{RESULT_VARIABLE}}})" in back[: back.index(start)], "flags of this call"
    assert f"same => n(said),{back[back.index(start) + 1]}" in render_default()


def test_mixmonitor_runs_nowhere_else_and_never_ends_a_call() -> None:
    running = {
        name: [step for step in steps if re.search(r"(?<!Stop)MixMonitor\(", step)]
        for name, steps in contexts(render_default()).items()
    }
    assert {name: steps for name, steps in running.items() if steps} == {
        name: starts_of(name)
        for name in ("compliance-back", "compliance-segment", "compliance-check")
    }


@pytest.mark.parametrize("name", ["compliance-back", "compliance-segment", "compliance-check"])
def test_mixmonitor_takes_no_text_from_a_variable(name: str) -> None:
    """Its arguments can start programs, and who may set a variable is not who may do that."""
    (start,) = starts_of(name)
    value = r"(?:\$\{CUT\(\w+,-,\d\)\}|\$\{COMPLIANCE_OPTIONS\}|mSt|1)"
    assert re.search(rf"\$\{{FILTER\(S,{value}\)\}}i\(", start), "an Asterisk 16 needs it"
    filtered = re.compile(rf"\$\{{FILTER\((?:b|t|S|0-9|0-9a-f),{value}\)\}}")
    plain = filtered.sub("x", start)
    for chosen, kept in (("B(x)", "tone"), (f"t({SPOOL}/r-x-x-tx.wav)", "others")):
        either = f'${{IF($["x"!=""]?{chosen})}}'
        assert either in plain
        plain = plain.replace(either, kept)
    assert plain == (
        f"TryExec(MixMonitor(,xtonexi({MIXMONITOR_ID_VARIABLE})r({SPOOL}/r-x-x-rx.wav)others))"
    )


def test_a_new_segment_is_begun_only_for_a_flag_that_is_used_up() -> None:
    segment = contexts(render_default())["compliance-segment"]
    assert segment[:3] == [
        f"Set(LOCAL(what)=${{{SEGMENT_VARIABLE}}})",
        f"Set({SEGMENT_VARIABLE}=)",
        'GotoIf($["${FILTER(m,${CUT(what,-,4)})}"=""]?no)',
    ]


def test_no_monitor_is_stopped_without_its_id() -> None:
    """Without an id Asterisk would stop all of the channel's, the site's own too."""
    stopping = [
        (name, at)
        for name, steps in contexts(render_default()).items()
        for at, step in enumerate(steps)
        if "StopMixMonitor" in step
    ]
    ((name, at),) = stopping
    steps = contexts(render_default())[name]
    assert steps[at - 1] == f'GotoIf($["${{{MIXMONITOR_ID_VARIABLE}}}"=""]?quiet)'
    assert steps[at] == f"StopMixMonitor(${{{MIXMONITOR_ID_VARIABLE}}})"


@pytest.mark.parametrize("name", ASKED)
def test_who_asks_in_mid_call_names_the_call(name: str) -> None:
    ask, back = contexts(render_default())[f"compliance-{name.lower()}"]
    own, first = "${COMPLIANCE_CALL_ID}", "${MASTER_CHANNEL(COMPLIANCE_CALL_ID)}"
    call = f'${{IF($["{own}"!=""]?{own}:{first})}}'
    assert ask.startswith(f"UserEvent(Compliance{name},Call: {call},By: ")
    assert back == "Return()"


def test_a_leg_inside_dial_has_no_time_limit() -> None:
    """It would hang up both."""
    callee = contexts(render_default())["compliance-callee"]
    assert not any("TIMEOUT" in step for step in callee)
    assert "Set(LOCAL(compliance_callee)=1)" in callee
    assert callee[-2:] == ["Goto(compliance-back,s,result)"] * 2
    back = contexts(render_default())["compliance-back"]
    assert "TIMEOUT" in back[0]
    assert f"same => n(result),{back[1]}" in render_default(), "behind what restores the limit"


def test_what_a_caller_controls_is_only_ever_filtered() -> None:
    """A line break in his number would forge an event on AMI."""
    steps = [step for context in contexts(render_default()).values() for step in context]
    for step in steps:
        for use in re.finditer(r"\$\{CALLERID\(\w+\)\}", step):
            before = step[: use.start()]
            filtered = (r"${FILTER(\x20-\x7e\x80-\xff,", "${FILTER(0-9+*#,")
            assert before.endswith(("${LEN(", *filtered))


@pytest.mark.parametrize("routine", ROUTINES)
def test_what_a_caller_controls_is_filtered_whatever_it_is(routine: str) -> None:
    """Asked first whether it must be, Asterisk could be led astray by a bracket in it."""
    steps = contexts(render_default())[routine]
    num, name = (
        rf"Set(CALLERID({what})=${{FILTER(\x20-\x7e\x80-\xff,${{CALLERID({what})}})}})"
        for what in ("num", "name")
    )
    asked = steps.index("Goto(number${CALLERID(num-valid)}name${CALLERID(name-valid)})")
    assert steps[asked + 2 : asked + 4] == [name, num], "with both the second is reached as well"
    labelled = re.search(rf"(?ms)^\[{routine}\]$(.*?)(?=^\[|\Z)", render_default())
    assert labelled is not None
    for label, step in (
        ("number1name1", name),
        ("number1name0", num),
        ("number0name1", name),
        ("number0name0", steps[asked + 4]),
        ("numbername", "Goto(number0name0)"),
    ):
        assert f"same => n({label}),{step}" in labelled[1]


@pytest.mark.parametrize("routine", ROUTINES)
def test_a_hung_service_holds_no_caller_longer_than_the_limit(routine: str) -> None:
    steps = contexts(render_default())[routine]
    ours = "MSet(LOCAL(compliance_site)=0,TIMEOUT(absolute)=30)"
    assert f"ExecIf($[${{TIMEOUT(absolute)}}=0]?{ours}:Goto(limited))" in steps
    site = (
        "MSet(LOCAL(compliance_site)=${TIMEOUT(absolute)},LOCAL(compliance_since)=${EPOCH})",
        "ExecIf($[${compliance_site}>30]?Set(TIMEOUT(absolute)=30))",
        "Goto(ask)",
    )
    assert steps[steps.index(site[0]) :][:3] == list(site)
    back = contexts(render_default())["compliance-back"]
    assert back[0] == ('ExecIf($["${compliance_site}"="0"]?Set(TIMEOUT(absolute)=0):Goto(limited))')


def test_every_jump_has_its_label() -> None:
    for name, steps in contexts(render_default()).items():
        text = "\n".join(steps)
        wanted = set(re.findall(r"\]\?(\w+)\)$|\bGoto\((\w+)\)+$", text, re.MULTILINE))
        labels = set(re.findall(rf"(?s)\[{name}\].*?(?=\n\[|\Z)", render_default()))
        (context,) = labels
        assert {a or b for a, b in wanted} <= set(re.findall(r"n\((\w+)\)", context))


def test_a_site_without_agi_has_no_routine_for_it() -> None:
    text = render_here(application="told", limit_s=7.5)
    assert "compliance-notice-agi" not in contexts(text)
    assert list(contexts(text))[:2] == ["compliance-notice", "compliance-back"]
    assert "Stasis(told,policy=${ARG1},linkedid=${CHANNEL(linkedid)}," in text
    assert "Set(TIMEOUT(absolute)=7.5)" in text
    assert "after 7.5 s" in text


def test_a_site_with_agi_asks_its_own_address() -> None:
    text = render_here(agi="pbx-1.example.jp:4574")
    asked = "AGI(agi://pbx-1.example.jp:4574/notice?policy=${ARG1}&linkedid=${CHANNEL(linkedid)}"
    queue, direction = r"${FILTER(A-Za-z0-9_.\x2d,${ARG2})}", "${FILTER(a-z,${ARG3})}"
    assert f"{asked}&queue={queue}&direction={direction})" in text


@pytest.mark.parametrize(
    "agi",
    ["", "host", "host:", "host:123456", "a,b:1", "a b:1", "::1:4573", "h:1/x", "h:1\n", "${X}:1"],
)
def test_addresses_that_a_dialplan_would_take_apart(agi: str) -> None:
    with pytest.raises(ConfigError, match=r"agi\.host: must be a name or an IPv4 address"):
        render_here(agi=agi)


def test_the_routine_of_a_configuration() -> None:
    read = settings(limits={"dialplan_s": 25})
    text = render_for(read, read.asterisk[0])
    assert text == render_here(limit_s=25, emergency=emergency_numbers(), **places(read))


def test_the_routine_of_a_configuration_without_ari() -> None:
    asterisk = raw()["asterisk"]
    asterisk[0] |= {"ari": None, "agi": {"host": "127.0.0.2", "port": 4600}}
    read = settings(asterisk=asterisk)
    text = render_for(read, read.asterisk[0])
    assert text == render_here(
        agi="127.0.0.2:4600",
        limit_s=read.limits.dialplan_s,
        emergency=emergency_numbers(),
        **places(read),
    )


def test_the_default_is_what_a_default_configuration_renders() -> None:
    asterisk = raw()["asterisk"]
    asterisk[0] |= {"agi": {}, "sounds": str(DEFAULT_SOUNDS)}
    read = settings(asterisk=asterisk)
    assert render_for(read, read.asterisk[0]) == render_default()


def test_a_rendering_is_known_by_what_asterisk_sees_of_it() -> None:
    """In an extension, since that can be asked for by AMI with the right ``call``."""
    text = render_default()
    assert f"exten => {rendering_of(text)},1,Hangup()" in text
    assert rendering_of(render_here(limit_s=20)) != rendering_of(render_here(limit_s=21))
    assert rendering_of(text) == rendering_of(render_default())


def test_what_check_asks_is_no_way_for_a_telephone_and_writes_no_cdr() -> None:
    steps = contexts(render_default())["compliance-check"]
    begins = [at for at, step in enumerate(steps) if step == "Set(CDR_PROP(disable)=1)"]
    assert len(begins) == 3
    for at in begins[:2]:
        assert steps[at + 1].startswith("GotoIf($[")
        assert '"${CHANNEL(channeltype)}"!="Local"]?end)' in steps[at + 1]
    first = re.compile(r"GotoIf|Answer|Set|UserEvent|TryExec|Dial|Wait|Hangup|Playtones")
    assert all(first.match(step) for step in steps)
    size = next(step for step in steps if "STAT(" in step)
    named = steps[steps.index(size) - 1]
    assert named == (
        f"Set(COMPLIANCE_CHECK={DEFAULT_SOUNDS}/"
        r"${FILTER(a-z0-9_/\x2d,${COMPLIANCE_CHECK})}.wav)"
    )


def test_emergency_numbers_are_in_the_routine_with_the_sites_prefixes() -> None:
    text = render_here(emergency=["110", "0110"])
    asked = '$["${COMPLIANCE_STATUS}"="" & ${REGEX("^(0110|110)$" '
    asked += "${FILTER(0-9+*#,${CALLERID(dnid)}):0:40})}]?help)"
    assert f"GotoIf({asked}" in text, "who enters again has a decision that stands"
    help_is_called_for = (
        "n(help),Set(LOCAL(compliance_late)=EMERGENCY)\n same => n,Goto(compliance-back,s,nothing)"
    )
    assert help_is_called_for in text
    assert "REGEX" not in render_here(emergency=[])


def test_recordings_run_into_the_spool_of_the_site() -> None:
    text = render_here(spool=PurePosixPath("/srv/spool"))
    assert text.count("r(/srv/spool/r-${FILTER(") == 3
    assert text.count("t(/srv/spool/r-${FILTER(") == 3
    assert str(SPOOL) not in text


def test_the_routine_for_hearing_is_there_only_where_it_is_configured() -> None:
    assert "compliance-hearing" not in contexts(render_default())
    read = settings(hearing={"call_s": 90})
    text = render_for(read, read.asterisk[0])
    steps = contexts(text)["compliance-hearing"]
    assert "Stasis(compliance,hearing)" in steps
    assert steps.index("StopMixMonitor()") < steps.index("Stasis(compliance,hearing)")
    assert "ExecIf($[${site}=0 | ${site}>90]?Set(TIMEOUT(absolute)=90))" in steps
    recorded = '"${COMPLIANCE_CHANNEL}"="${UNIQUEID}" & "${COMPLIANCE_MMID}"!=""'
    assert steps[:2] == ["Set(COMPLIANCE_HEARING=REFUSED)", f"GotoIf($[{recorded}]?back)"]
    assert steps[2].endswith("Set(CDR(userfield)=NOT_RECORDED:HEARING::))")
    (asterisk,) = raw()["asterisk"]
    without = another(ari=None, agi={})
    read = settings(hearing={}, asterisk=[asterisk, without])
    assert "compliance-hearing" not in contexts(render_for(read, read.asterisk[1]))
