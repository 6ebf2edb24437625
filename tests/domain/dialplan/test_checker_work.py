"""How much there is to do: twice the dialplan is twice the work."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType

import pytest

from asterisk_compliance.domain.dialplan.checker import check
from domain.checked_dialplan import TOLD, context, plan, site


def numbers_with_one_menu(count: int) -> str:
    lines = [f"exten => 03{n:08},1,NoOp()\n same => n,Goto(menu,s,1)" for n in range(count)]
    choices = [f"exten => {n},1,Gosub(sub,s,1)\n same => n,Goto(s,1)" for n in range(count)]
    menu = context("menu", f"exten => s,1,{TOLD}", " same => n,WaitExten(5)", *choices)
    return context("from-trunk", *lines) + menu + context("sub", "exten => s,1,Return()")


def telephones_with_menus(count: int) -> str:
    lines = [
        f"exten => {n:08},1,Background(x)\n same => n,Goto(all,${{X}},1)" for n in range(count)
    ]
    return context("all", *lines)


def contexts_that_include_one(count: int) -> str:
    lines = [f"[c{n}]\ninclude => common\nexten => {n:08},1,Goto(end,1)\n" for n in range(count)]
    return "".join(lines) + context("common", "exten => end,1,Hangup()", "exten => h,1,NoOp()")


def circles(count: int) -> str:
    return "".join(
        f"[c{n}]\nexten => s,1,GotoIf(${{X}}?c{n ^ 1},s,1)\n same => n,Hangup()\n"
        for n in range(count)
    )


@pytest.mark.parametrize(
    "made", [numbers_with_one_menu, telephones_with_menus, contexts_that_include_one, circles]
)
def test_twice_the_dialplan_is_twice_the_work(made: Callable[[int], str]) -> None:
    """Counted in calls, which no other load on the machine changes."""

    def work(count: int) -> int:
        text = plan(made(count), routines=False)
        counted = 0

        def count(_frame: FrameType, event: str, _argument: object) -> None:
            nonlocal counted
            counted += event in {"call", "c_call"}

        before = sys.getprofile()
        sys.setprofile(count)
        try:
            check(text, site())
        finally:
            sys.setprofile(before)
        return counted

    assert work(160) < 2.3 * work(80)
