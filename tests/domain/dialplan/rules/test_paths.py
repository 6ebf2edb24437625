"""The ways that calls take: jumps, subroutines, legs, menus, loops, and where they begin."""

from __future__ import annotations

from typing import Any

import pytest

from asterisk_compliance.domain.dialplan.actions import AnswerApplication, answers
from asterisk_compliance.domain.dialplan.extension_matching import matches, reached, steps_of
from domain.checked_dialplan import RECORD, TOLD, brief, call, context, found, ids, plan, recorded

COMPARED = '"${COMPLIANCE_STATUS}"="ALLOWED"'
ALLOWED = f"$[{COMPARED}]"
KEEP = context("keep", f"exten => s,1,{RECORD}", " same => n(there),Return()")


@pytest.mark.parametrize(
    "way",
    [
        "Goto(keep,s,1)",
        "GotoIf($[1]?keep,s,1)",
        "GotoIf($[1]?there:keep,s,1)",
        "GotoIfTime(9:00-17:00,*,*,*?keep,s,1)",
        "Gosub(keep,s,1(a,b))",
        "GosubIf($[1]?keep,s,1(a):keep,s,1)",
        "ExecIf($[1]?Goto(keep,s,1))",
        "ExecIf($[1]?NoOp():Gosub(keep,s,1))",
        "TryExec(Gosub(keep,s,1))",
        "Dial(PJSIP/1001,30,G(keep^s^1))",
        "Dial(PJSIP/1001,30,F(keep^s^1))",
        "Dial(PJSIP/1001,30,U(keep^a))",
        "Dial(PJSIP/1001,30,b(keep^s^1(a^b)))",
        "Dial(PJSIP/1001,30,B(keep^s^1))",
        "Dial(PJSIP/1001&Local/s@keep/n,30)",
        "Queue(a,t,,,30,,keep)",
        "Queue(a,t,,,30,,,keep,s,1)",
        "Queue(a,b(keep^s^1))",
        "Originate(PJSIP/1001,exten,keep)",
        "Originate(PJSIP/1001,exten,keep,s,1)",
    ],
)
def test_every_way_to_another_context_is_followed(way: str) -> None:
    there = context("other", "exten => 0312345678,1,NoOp()")
    text = call(f"{way}", "NoOp()", "NoOp()") + "\n same => n(there),Hangup()" + KEEP + there
    assert recorded(text) == [("RECORDED_UNTOLD", "keep,s,1")]
    told = text.replace(f"1,{way}", f"1,{TOLD}\n same => n,{way}")
    assert recorded(told) == [("DECISION_NOT_ASKED", "keep,s,1")]


def test_a_macro() -> None:
    macro = context("macro-keep", f"exten => s,1,{RECORD}", " same => n,MacroExit()")
    assert recorded(call("Macro(keep,a)") + macro) == [("RECORDED_UNTOLD", "macro-keep,s,1")]
    assert recorded(call("Dial(PJSIP/1001,9,M(keep))") + macro) == [
        ("RECORDED_UNTOLD", "macro-keep,s,1")
    ]


def test_who_answers_goes_on_one_priority_further() -> None:
    there = context("keep", "exten => s,1,NoOp()", f" same => n,{RECORD}")
    caller = call("Dial(PJSIP/1001,30,G(keep^s^1))")
    assert recorded(caller + there) == [("RECORDED_UNTOLD", "keep,s,2")]
    nowhere = context("keep", "exten => s,1,Hangup()")
    (missing,) = found(caller + nowhere)
    assert missing.what == "there is no keep,s,1+1"


def test_a_subroutine_comes_back_with_what_it_did() -> None:
    """Also a subroutine of the site's own, that calls another one which tells."""
    text = call("Gosub(tell,s,1)", RECORD) + context(
        "tell",
        "exten => s,1,Gosub(deeper,s,1)",
        " same => n,Return()",
    )
    deeper = context("deeper", f"exten => s,1,{TOLD}", " same => n,Return()")
    assert recorded(text + deeper) == [("DECISION_NOT_ASKED", "from-trunk,0312345678,2")]
    untold = context("deeper", "exten => s,1,NoOp()", " same => n,Return()")
    assert recorded(text + untold) == [("RECORDED_UNTOLD", "from-trunk,0312345678,2")]


def test_a_subroutine_that_is_called_from_two_places_is_not_mixed_up() -> None:
    text = context(
        "from-trunk",
        f"exten => 0312345678,1,{TOLD}",
        " same => n,Gosub(nothing,s,1)",
        f" same => n,ExecIf({ALLOWED}?{RECORD})",
        "exten => 0312345679,1,Gosub(nothing,s,1)",
        " same => n,Queue(a)",
    ) + context("nothing", "exten => s,1,NoOp()", " same => n,Return()")
    assert recorded(text) == [("RECORDED_TWICE", "from-trunk,0312345678,3")]


def test_a_subroutine_that_is_called_again_comes_back_again() -> None:
    nothing = context("nothing", "exten => s,1,Return()")
    text = call("Gosub(nothing,s,1)", "Gosub(nothing,s,1)", RECORD) + nothing
    assert recorded(text) == [("RECORDED_UNTOLD", "from-trunk,0312345678,3")]


def test_a_subroutine_that_calls_itself_has_an_end() -> None:
    text = call("Gosub(again,s,1)", RECORD) + context(
        "again",
        "exten => s,1,GotoIf($[1]?out)",
        " same => n,Gosub(again,s,1)",
        " same => n,Return()",
        f" same => n(out),{TOLD}",
        " same => n,Return()",
    )
    assert recorded(text) == [("DECISION_NOT_ASKED", "from-trunk,0312345678,2")]
    assert recorded(call("Gosub(x,s,1)") + context("x", "exten => s,1,Gosub(x,s,1)")) == []


def test_a_subroutine_that_is_not_there_is_passed_by() -> None:
    assert recorded(call("Gosub(nothing,s,1)", RECORD)) == [
        ("RECORDED_UNTOLD", "from-trunk,0312345678,2"),
        ("TARGET_MISSING", "from-trunk,0312345678,1"),
    ]


def test_a_notice_in_one_branch_only_is_not_enough() -> None:
    text = call("ExecIf(${X}?Gosub(compliance-notice,s,1(inbound)))", RECORD)
    assert recorded(text) == [("RECORDED_UNTOLD", "from-trunk,0312345678,2")]
    text = call("GosubIf(${X}?compliance-notice,s,1(inbound))", RECORD)
    assert recorded(text) == [("RECORDED_UNTOLD", "from-trunk,0312345678,2")]
    both = call("GosubIf(${X}?compliance-notice,s,1(inbound):compliance-notice,s,1(sales))", RECORD)
    assert recorded(both) == [("DECISION_NOT_ASKED", "from-trunk,0312345678,2")]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (ALLOWED, (AnswerApplication.ALLOWED, AnswerApplication.NOTHING)),
        (
            "$[ ${COMPLIANCE_STATUS} = RECORDING ]",
            (AnswerApplication.ALLOWED, AnswerApplication.NOTHING),
        ),
        (
            '$["${COMPLIANCE_STATUS}"!="ALLOWED"]',
            (AnswerApplication.NOTHING, AnswerApplication.ALLOWED),
        ),
        ('$["${GOSUB_RETVAL}"="ALLOWED"]', (AnswerApplication.ALLOWED, AnswerApplication.NOTHING)),
        (
            '$["${COMPLIANCE_STATUS}"="REFUSED"]',
            (AnswerApplication.NOTHING, AnswerApplication.NOTHING),
        ),
        (
            '$["${COMPLIANCE_STATUS}"!="NOT_RECORDED"]',
            (AnswerApplication.NOTHING, AnswerApplication.NOTHING),
        ),
        ('$["${COMPLIANCE_STATUS}"!=""]', (AnswerApplication.NOTHING, AnswerApplication.NOTHING)),
        ("${COMPLIANCE_RECORDING_ID}", (AnswerApplication.ALLOWED, AnswerApplication.NOTHING)),
        (
            '$["${COMPLIANCE_RECORDING_ID}"=""]',
            (AnswerApplication.NOTHING, AnswerApplication.ALLOWED),
        ),
        (
            '$["${COMPLIANCE_RECORDING_ID}" != ""]',
            (AnswerApplication.ALLOWED, AnswerApplication.NOTHING),
        ),
        (f'$[{COMPARED} & "${{X}}"="1"]', (AnswerApplication.ALLOWED, AnswerApplication.NOTHING)),
        (f'$[{COMPARED} | "${{X}}"="1"]', (AnswerApplication.NOTHING, AnswerApplication.NOTHING)),
        (f"$[{COMPARED} | {COMPARED}]", (AnswerApplication.ALLOWED, AnswerApplication.NOTHING)),
        (
            "$[${LEN(${COMPLIANCE_RECORDING_ID})}>0]",
            (AnswerApplication.ALLOWED, AnswerApplication.ALLOWED),
        ),
        (
            '${IF($["${COMPLIANCE_STATUS}"="ALLOWED"]?1:0)}',
            (AnswerApplication.ALLOWED, AnswerApplication.ALLOWED),
        ),
        ("${X}", (AnswerApplication.NOTHING, AnswerApplication.NOTHING)),
    ],
)
def test_what_a_condition_says_about_the_decision(
    condition: str, expected: tuple[AnswerApplication, AnswerApplication]
) -> None:
    assert answers(condition) == expected


@pytest.mark.parametrize(
    ("jump", "expected"),
    [
        (f"GotoIf({ALLOWED}?keep,s,1)", "RECORDED_TWICE"),
        (f"GotoIf({ALLOWED}?:keep,s,1)", "DECISION_NOT_ASKED"),
        (f"GosubIf({ALLOWED}?keep,s,1)", "RECORDED_TWICE"),
        (f"ExecIf({ALLOWED}?NoOp():Goto(keep,s,1))", "DECISION_NOT_ASKED"),
    ],
)
def test_the_way_of_who_may_be_recorded(jump: str, expected: str) -> None:
    assert recorded(call(TOLD, jump) + KEEP) == [(expected, "keep,s,1")]


def test_the_decision_counts_for_nobody_who_was_not_told() -> None:
    assert recorded(call(f"ExecIf({ALLOWED}?{RECORD})")) == [
        ("RECORDED_UNTOLD", "from-trunk,0312345678,1")
    ]


def test_the_notice_past_our_routine_tells_too() -> None:
    for entered in ("AGI(agi://127.0.0.1/notice?policy=a)", "Stasis(compliance,policy=a)"):
        assert recorded(call(entered, RECORD)) == [
            ("DECISION_NOT_ASKED", "from-trunk,0312345678,2")
        ]
        sometimes = call(f"ExecIf(${{X}}?{entered})", RECORD)
        assert recorded(sometimes)[0] == ("RECORDED_UNTOLD", "from-trunk,0312345678,2")
    again = call(TOLD, f"ExecIf({ALLOWED}?{RECORD})", "AGI(agi://127.0.0.1/notice?policy=a)")
    assert recorded(again) == [("RECORDED_TWICE", "from-trunk,0312345678,2")]


# -- frames ------------------------------------------------------------------------------------

LOCAL = context("sub", "exten => s,1,Set(LOCAL(a)=1)", " same => n,Return()")
LOCAL_MACRO = context("macro-sub", "exten => s,1,Set(LOCAL(a)=1)", " same => n,MacroExit()")


def sets_nothing(text: str, **said: Any) -> list[str]:
    """Where ``LOCAL()`` stands outside of a ``Gosub()``."""
    return [at for name, at in brief(found(text, **said)) if name == "LOCAL_SETS_NOTHING"]


@pytest.mark.parametrize(
    ("way", "where"),
    [
        ("Gosub(sub,s,1)", []),
        ("GosubIf(${X}?sub,s,1)", []),
        ("ExecIf(${X}?Gosub(sub,s,1))", []),
        ("Dial(PJSIP/1001,9,U(sub))", []),
        ("Dial(PJSIP/1001,9,b(sub^s^1))", []),
        ("Dial(PJSIP/1001,9,B(sub^s^1))", []),
        ("Queue(a,t,,,30,,,sub,s,1)", []),
        ("Goto(sub,s,1)", ["sub,s,1"]),
        ("GotoIf(${X}?sub,s,1)", ["sub,s,1"]),
        ("Dial(PJSIP/1001,9,F(sub^s^1))", ["sub,s,1"]),
        ("Dial(Local/s@sub)", ["sub,s,1"]),
        ("Originate(PJSIP/1001,exten,sub)", ["sub,s,1"]),
        ("Macro(sub)", ["macro-sub,s,1"]),
        ("Dial(PJSIP/1001,9,M(sub))", ["macro-sub,s,1"]),
    ],
)
def test_variables_of_local_need_a_gosub_on_the_same_channel(way: str, where: list[str]) -> None:
    assert sets_nothing(call(way) + LOCAL + LOCAL_MACRO) == where


def test_a_frame_stays_until_its_return() -> None:
    outer = context(
        "outer",
        "exten => s,1,Gosub(inner,s,1)",
        " same => n,Set(LOCAL(a)=1)",
        " same => n,Macro(sub)",
        " same => n,GotoIf(${X}?away,s,1)",
        " same => n,Return()",
        "exten => h,1,Set(LOCAL(a)=1)",
    ) + context("inner", "exten => s,1,Return()")
    away = context("away", "exten => s,1,Set(LOCAL(a)=1)", " same => n,Hangup()")
    text = call("Gosub(outer,s,1)", "Set(LOCAL(a)=1)") + outer + away + LOCAL_MACRO
    behind = "from-trunk,0312345678,2"
    assert sets_nothing(text) == [behind]
    elsewhere = context("other", "exten => s,1,Goto(away,s,1)")
    assert sets_nothing(text + elsewhere) == [behind, "away,s,1"]


def test_a_subroutine_that_nothing_is_seen_to_call_is_none_that_a_call_enters() -> None:
    """A program, a feature or a hangup handler may call it."""
    twice = context("twice", "exten => s,1,Gosub(other,s,1)", " same => n,Goto(sub,s,1)")
    other = context("other", "exten => s,1,Return()")
    calls = call("Gosub(other,s,1)", "Hangup()")
    assert sets_nothing(calls + twice + other + LOCAL) == []
    assert sets_nothing(LOCAL_MACRO) == sets_nothing(LOCAL_MACRO.replace("Macro", "Wait")) == []
    assert sets_nothing(LOCAL.replace("Return", "Hangup")) == ["sub,s,1"]
    assert sets_nothing(LOCAL, entries=frozenset({"sub"})) == ["sub,s,1"]
    named = LOCAL.replace("=> s", "=> log")
    assert sets_nothing(named, entries=frozenset({"sub"})) == []
    number = LOCAL.replace("=> s", "=> _X.")
    assert sets_nothing(number) == []
    assert sets_nothing(number, entries=frozenset({"sub"})) == ["sub,_X.,1"]


def test_where_a_way_began_is_said_behind_a_subroutine_that_two_ways_call() -> None:
    lines = ("exten => s,1,Gosub(sub,s,1)", f" same => n,{RECORD}")
    text = context("one", *lines) + context("two", *lines)
    both = found(text + context("sub", "exten => s,1,Return()"))
    for name, finding in zip(("one", "two"), both, strict=True):
        assert f"a caller from {name},s,1 who" in finding.what


# -- menus, loops, what always can happen ------------------------------------------------------

MENU = """
[from-trunk]
exten => s,1,{}
 same => n,Background(menu)
 same => n,WaitExten(5)
exten => 1,1,MixMonitor(a.wav)
exten => i,1,Record(b.wav)
exten => t,1,Monitor(wav,c)
"""


def test_choices_of_a_menu_know_what_was_told_before_it() -> None:
    assert recorded(MENU.format(TOLD)) == [
        ("DECISION_NOT_ASKED", f"from-trunk,{exten},1") for exten in ("1", "i", "t")
    ]
    assert {name for name, _ in recorded(MENU.format("Answer()"))} == {"RECORDED_UNTOLD"}


def test_a_number_beside_a_menu_is_dialled_from_outside() -> None:
    text = MENU.format(TOLD) + f"exten => 0312345678,1,{RECORD}\nexten => _03XXXX,1,{RECORD}\n"
    untold = {at for name, at in recorded(text) if name == "RECORDED_UNTOLD"}
    assert untold == {"from-trunk,0312345678,1", "from-trunk,_03XXXX,1"}


def test_a_choice_that_no_menu_offers_is_dialled_from_outside() -> None:
    text = context("from-trunk", "exten => s,1,Hangup()", f"exten => 12,1,{RECORD}")
    assert recorded(text) == [("RECORDED_UNTOLD", "from-trunk,12,1")]


def test_a_loop_may_be_left_before_it_has_begun() -> None:
    loop = call("While(${X})", TOLD, "While(${Y})", "EndWhile()", "EndWhile()", RECORD)
    assert recorded(loop) == [("RECORDED_UNTOLD", "from-trunk,0312345678,6")]
    left = call(TOLD, "While(${X})", "ExitWhile()", RECORD, "EndWhile()", "Hangup()")
    assert recorded(left) == [("DECISION_NOT_ASKED", "from-trunk,0312345678,4")]


@pytest.mark.parametrize("special", ["T", "e"])
def test_what_can_happen_at_any_time(special: str) -> None:
    text = call("Queue(a)") + f"\nexten => {special},1,{RECORD}\n same => n,NoOp()"
    assert recorded(text) == [("RECORDED_UNTOLD", f"from-trunk,{special},1")]


def test_nobody_is_recorded_any_more_at_the_end() -> None:
    assert recorded(call("Queue(a)") + f"\nexten => h,1,{RECORD}") == []


# -- where a jump leads ------------------------------------------------------------------------


def test_a_jump_to_any_number_reaches_every_extension() -> None:
    inner = context(
        "inner", "include => more", "exten => 1,1,NoOp()", "exten => s,1,NoOp()"
    ) + context("more", f"exten => _2X,1,{RECORD}")
    for number, noted in (("${EXTEN}", []), ("${EXTEN:1}", []), ("${X}", ["NOT_FOLLOWED"])):
        text = context("from-trunk", f"exten => _X.,1,Goto(inner,{number},1)") + inner
        assert [name for name, _ in recorded(text)] == ["RECORDED_UNTOLD", *noted]


def test_a_jump_to_the_same_number_elsewhere() -> None:
    text = call("Goto(inner,${EXTEN},1)") + context("inner", "exten => 1,1,NoOp()")
    assert recorded(text) == [("TARGET_MISSING", "from-trunk,0312345678,1")]
    assert recorded(text + f"\nexten => _03.,1,{RECORD}") == [("RECORDED_UNTOLD", "inner,_03.,1")]
    nobody = context("from-trunk", "exten => _X.,1,Goto(inner,${EXTEN},5)") + context("inner")
    assert recorded(nobody) == [("NOT_FOLLOWED", "from-trunk,_X.,1")]


def test_a_jump_out_of_an_included_context_is_looked_up_where_the_call_is() -> None:
    text = context("from-trunk", "include => inner", f"exten => end,1,{RECORD}") + context(
        "inner", "exten => 0312345678,1,Goto(end,1)"
    )
    assert recorded(text) == [("RECORDED_UNTOLD", "from-trunk,end,1")]


def test_a_number_goes_on_in_a_pattern_that_takes_it_too() -> None:
    """Asterisk looks for each priority anew (``pbx_find_extension``)."""
    text = context("a", "exten => 110,1,NoOp()", "exten => _1XX,1,NoOp()", f" same => n,{RECORD}")
    assert [at for _, at in recorded(text)] == ["a,_1XX,2"]
    only = context("a", "exten => 110,1,NoOp()", f"exten => _1XX,2,{RECORD}")
    assert recorded(only) == [("RECORDED_UNTOLD", "a,_1XX,2")]
    longer = context("a", "exten => 110,1,NoOp()", " same => n,NoOp()", f"exten => _1XX,2,{RECORD}")
    assert recorded(longer) == []


def test_an_extension_for_some_callers_hides_no_other() -> None:
    text = call("Goto(inner,5,1)") + context(
        "inner", "exten => 5/0398,1,NoOp()", f"exten => 5,1,{RECORD}"
    )
    assert recorded(text) == [("RECORDED_UNTOLD", "inner,5,1")]


def test_a_label_of_a_first_priority_is_not_printed_and_believed() -> None:
    made = plan("[a]\nexten => s,1,NoOp()\n same => n(known),NoOp()\n[b]\nexten => s,5,NoOp()")
    assert steps_of(made, reached(made, "a", "s"), "begin") == []
    made.exact_labels = False
    assert [one.priority for one in steps_of(made, reached(made, "a", "s"), "begin")] == [1]
    assert [one.priority for one in steps_of(made, reached(made, "a", "s"), "known")] == [2]
    assert steps_of(made, reached(made, "b", "s"), "begin") == []


def test_contexts_that_lead_to_each_other_are_followed_too() -> None:
    text = context("a", "exten => s,1,Goto(b,s,1)") + context(
        "b", f"exten => s,1,{RECORD}", " same => n,Goto(a,s,1)", "exten => 9,1,NoOp()"
    )
    assert recorded(text) == [("RECORDED_UNTOLD", "b,s,1")]


def test_a_context_that_channels_enter_is_a_beginning_whatever_else_leads_there() -> None:
    text = context("from-lobby", f"exten => s,1,{TOLD}", " same => n,Goto(inner,5,1)") + context(
        "inner", f"exten => 5,1,ExecIf({ALLOWED}?{RECORD})"
    )
    assert recorded(text) == [("RECORDED_TWICE", "inner,5,1")]
    entered = recorded(text, entries=frozenset({"inner"}))
    assert entered == [("RECORDED_UNTOLD", "inner,5,1")]


def test_contexts_that_include_the_same_one_begin_it_once() -> None:
    text = context("a", "include => c") + context("b", "include => c")
    assert recorded(text + context("c", f"exten => 5,1,{RECORD}")) == [("RECORDED_UNTOLD", "c,5,1")]


def test_as_many_contexts_are_looked_through_as_asterisk_does() -> None:
    chain = "".join(f"[c{n}]\ninclude => c{n + 1}\n" for n in range(200))
    made = plan(chain + "[c127]\nexten => 1,1,NoOp()\n[c128]\nexten => 2,1,NoOp()\n")
    assert [one.name for number in "12" for one in reached(made, "c0", number)] == ["1"]


def test_a_range_of_more_than_bytes_ends_with_them() -> None:
    assert matches("_[a-\U0010ffff]", "\xff")
    assert not matches("_[a-\U0010ffff]", "\u0100")


def test_a_jump_that_names_a_context_and_no_number_keeps_the_number() -> None:
    text = call("Goto(inner,,1)") + context("inner", f"exten => 0312345678,1,{RECORD}")
    assert recorded(text) == [("RECORDED_UNTOLD", "inner,0312345678,1")]


def test_members_of_a_queue_are_followed() -> None:
    text = call("Queue(sales)") + KEEP
    members = {"sales": ("Local/s@keep/n", "PJSIP/1001")}
    assert recorded(text, queue_members=members) == [("RECORDED_UNTOLD", "keep,s,1")]
    told = call(TOLD, "Queue(sales)") + KEEP
    assert recorded(told, queue_members=members) == [("DECISION_NOT_ASKED", "keep,s,1")]


def test_whoever_is_called_outside_has_heard_nothing() -> None:
    """What the caller was told says nothing about him."""
    own = context("own", f"exten => s,1,{RECORD}", " same => n,Return()")
    text = call(TOLD, "Dial(PJSIP/03@trunk,30,U(own))") + own
    assert recorded(text) == [("RECORDED_UNTOLD", "own,s,1")]
    inside = call(TOLD, "Dial(PJSIP/1001,30,U(own))") + own
    assert recorded(inside) == [("DECISION_NOT_ASKED", "own,s,1")]


def test_a_routine_of_the_site_that_tells_the_callee() -> None:
    own = context(
        "own",
        "exten => 5,hint,PJSIP/5",
        "exten => s,1,Goto(deep,s,1)",
        "exten => t,1,Goto(own,s,1)",
    )
    deep = context(
        "deep", "exten => s,1,Gosub(compliance-callee,s,1(direct))", " same => n,Return()"
    )
    text = call("Dial(PJSIP/03@trunk,30,U(own))")
    assert "OUTSIDE_NOT_TOLD" not in ids(text + own + deep)
    assert "OUTSIDE_NOT_TOLD" in ids(text + own)
    macro = call("Dial(PJSIP/03@trunk,30,M(own))") + own.replace("[own]", "[macro-own]") + deep
    assert "OUTSIDE_NOT_TOLD" not in ids(macro)


def test_a_global_that_the_dialplan_sets_is_no_constant() -> None:
    text = "[globals]\nWHERE = keep\n" + call("Goto(${WHERE},s,1)") + KEEP
    assert recorded(text) == [("RECORDED_UNTOLD", "keep,s,1")]
    changed = text + context("other", "exten => s,1,Set(GLOBAL(WHERE)=x)")
    assert ("NOT_FOLLOWED", "from-trunk,0312345678,1") in recorded(changed)
