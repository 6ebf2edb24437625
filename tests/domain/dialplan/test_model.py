"""The text of ``extensions.conf`` and of ``dialplan show``, as Asterisk understands it."""

from __future__ import annotations

import pytest

from asterisk_compliance.domain.dialplan.checker import check
from asterisk_compliance.domain.dialplan.config_lines import (
    ConfigLine,
    ConfigSection,
    Directive,
    Garbled,
    Setting,
    statements,
)
from asterisk_compliance.domain.dialplan.model import HINT, Dialplan, plan_of
from asterisk_compliance.domain.dialplan.show_output import is_shown, shown_plan
from domain.checked_dialplan import plan, site


def said(text: str) -> list[tuple[object, ...]]:
    """The statements without their places."""
    return [tuple(one)[1:] for one in statements(text, "f")]


def steps(made: Dialplan, context: str = "a") -> list[tuple[str, int, str, str, str]]:
    return [
        (exten.name, step.priority, step.label, step.app, step.data)
        for exten in made.contexts[context].extens.values()
        for step in exten.steps.values()
    ]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("x=1", "1"),
        ("x => 1 ; 2", "1"),
        (r"x = 1 \; 2", "1 ; 2"),
        ("x = 1 ;-- 2 --; 3", "1  3"),
        ("x = 1 ;-- 2\n3 = 4 --;5", "1"),
        ("x = ;-- a ;-- b --; c --;1", "1"),
        ("x = 1 ;--- 2", "1"),
        (";-- a ; b \\; c\n--;x=1", "1"),
        ("x = 1--;2", "1--"),
        ("x += 1", "1"),
    ],
)
def test_comments(text: str, value: str) -> None:
    settings = [one for one in statements(text, "f") if isinstance(one, Setting)]
    assert (settings[0].name, settings[0].value) == ("x", value)


def test_statements() -> None:
    text = (
        '[a](!,b,+)\n [c]\n#include "x y.conf"\n#tryinclude <z>\n#exec z\n#\n#include\nno\n[d\n\n'
    )
    assert said(text) == [
        ("a", ("!", "b", "+")),
        ("c", ()),
        ("include", "x y.conf"),
        ("tryinclude", "z"),
        ("exec", "z"),
        ("", ""),
        ("include", ""),
        ("there is no = in it",),
        ("the name of a context is not closed",),
    ]
    kinds = [type(one) for one in statements(text, "f")]
    assert kinds == [ConfigSection] * 2 + [Directive] * 5 + [Garbled] * 2
    assert statements("\n\nx=1", "f")[0].place == ConfigLine("f", 3)
    assert (str(ConfigLine("f", 3)), str(ConfigLine("f", 0))) == ("f:3", "f")


def test_priorities_and_labels() -> None:
    text = """[a]
exten => _1 X.,1(begin),Set(a=b\\,c)
 same => n,Verbose(x ) y)
 same => n+2(there),Hangup
 SAME => 9,NoOp
exten = 2/03,hint,PJSIP/2&Custom:x
exten => 2/03,1,NoOp(( open
exten => 2/03,1,Ignored()
exten => 2,s,NoOp()
 same => s,NoOp(twice)
"""
    made = plan(text, routines=False)
    assert steps(made) == [
        ("_1X.", 1, "begin", "Set", "a=b\\,c"),
        ("_1X.", 2, "", "Verbose", "x ) y"),
        ("_1X.", 5, "there", "Hangup", ""),
        ("_1X.", 9, "", "NoOp", ""),
        ("2", HINT, "", "PJSIP/2&Custom:x", ""),
        ("2", 1, "", "NoOp", "( open"),
        ("2", 1, "", "NoOp", ""),
    ]
    assert [exten.cid for exten in made.contexts["a"].extens.values()] == [None, "03", None]
    assert made.odd == [(ConfigLine("extensions.conf", 7), "a parenthesis is not closed")]
    assert HINT not in {step.priority for step in made.steps()}


def test_what_a_context_has_beside_extensions() -> None:
    text = """[a]
include => b,09:00-17:00,mon-fri,*,*
include => c
lswitch => Realtime/@
ignorepat => 9
autohints => yes
"""
    made = plan(text, routines=False)
    assert list(made.contexts["a"].includes) == ["b", "c"]
    assert list(made.contexts["a"].switches) == ["Realtime/@"]
    assert made.odd == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("x = 1", "it stands before the first context"),
        ("[a]\nsame => n,NoOp()", "no extension stands before it"),
        ("[a]\nexten => 1,n,NoOp()", "it has no priority"),
        ("[a]\nexten => 1,s,NoOp()", "it has no priority"),
        ("[a]\nexten => 1,label,NoOp()", "it has no priority"),
        ("[a]\nother => 1", "other is nothing that a context has"),
        ("[a](b)", "there is no template b"),
        ("#include x", "#include is not followed"),
        ("[a]\nwrong", "there is no = in it"),
    ],
)
def test_lines_that_asterisk_leaves_out(text: str, why: str) -> None:
    made = plan(text, routines=False)
    assert [reason for _, reason in made.odd] == [why]
    assert list(made.steps()) == []


def test_templates_and_contexts_that_go_on() -> None:
    text = """[t](!)
exten => 1,1,NoOp(t)
[a](t)
exten => 2,1,NoOp(a)
[b]
exten => 3,1,NoOp(b)
[a](+)
exten => 4,1,NoOp(more)
[a]
exten => 5,1,NoOp(again)
[c](+,a)
"""
    made = plan(text, routines=False)
    assert [name for name, *_ in steps(made)] == ["1", "2", "4", "5"]
    assert [name for name, *_ in steps(made, "c")] == ["1", "2", "4"]
    assert set(made.contexts) == {"a", "b", "c"}


def test_globals_are_constants_and_general_is_no_context() -> None:
    made = plan("[general]\nstatic=yes\n[globals]\nA=1\nA=2", routines=False)
    assert made.constants == {"A": "2"}
    assert made.constants_at == {"A": ConfigLine("extensions.conf", 5)}
    assert made.contexts == {}


SHOWN = """\
junk
[ Context 'a' created by 'pbx_config' ]
  '5' =>            hint: PJSIP/5                                 [extensions.conf:56]
                    1. Goto(${EXTEN},here)                        [extensions.conf:57]
     [seven]        7. Verbose(x ) [y])                           [pbx_config]
  '_1X!' (CID match '03') =>  1. NoOp(a\\,b ; c)                             [extensions.conf:54]
                    2. Hangup()
  Include =>        'b,09:00-17:00,mon-fri,*,*'                   [pbx_config]
  Alt. Switch =>    'Realtime/@'                                  [pbx_config]
  Ignore pattern => '9'                                           [pbx_config]
  'odd' =>          nothing
[ Context 'b' created by 'pbx_ael' ]
                    1. Orphan()                                   [x]
[ Context '__of_asterisk__' created by 'func_x' ]
  's' =>            1. ChanSpy()                                  [func_x]

-= 4 extensions (6 priorities) in 2 contexts. =-
"""


def test_what_dialplan_show_prints() -> None:
    assert is_shown(SHOWN)
    assert not is_shown("[a]\nexten => 1,1,NoOp")
    made = shown_plan(SHOWN)
    assert steps(made) == [
        ("5", HINT, "", "PJSIP/5", ""),
        ("5", 1, "", "Goto", "${EXTEN},here"),
        ("5", 7, "seven", "Verbose", "x ) [y]"),
        ("_1X!", 1, "", "NoOp", "a\\,b ; c"),
        ("_1X!", 2, "", "Hangup", ""),
    ]
    assert steps(made, "b") == []
    places = [str(step.place) for step in made.steps()]
    assert places == ["extensions.conf:57", "pbx_config", "extensions.conf:54", "dialplan show"]
    assert list(made.contexts["a"].includes) == ["b"]
    assert list(made.contexts["a"].switches) == ["Realtime/@"]
    assert made.registrars == {"a": "pbx_config", "b": "pbx_ael"}
    assert [exten.cid for exten in made.contexts["a"].extens.values()] == [None, "03"]


def test_an_empty_file_is_an_empty_dialplan() -> None:
    assert plan_of([]) == Dialplan()


def test_contexts_in_another_language_are_followed_and_named() -> None:
    shown = """\
[ Context 'a' created by 'pbx_ael' ]
  's' =>            1. MixMonitor(a.wav)                          [pbx_ael]
[ Context 'b' created by 'func_odbc' ]
"""
    found = check(shown_plan(shown), site(features=None))
    assert [(one.id.name, str(one.place), one.address) for one in found] == [
        ("ROUTINE_MISSING", "pbx_ael", ""),
        ("RECORDED_UNTOLD", "pbx_ael", "a,s,1"),
        ("NOT_READ", "pbx_ael", "a"),
    ]


def test_a_line_that_asterisk_never_prints_is_passed_over() -> None:
    far = " " * 5_000
    shown = f"[ Context 'a' created by 'x' ]\n  's' => 1. NoOp(){far}x\n{far * 3}2. NoOp()\n"
    assert steps(shown_plan(shown)) == [("s", 1, "", "NoOp", f"){far}x")]
