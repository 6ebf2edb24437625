"""Patterns, arguments, references and constants in the text of a dialplan."""

from __future__ import annotations

import pytest

from asterisk_compliance.domain.dialplan.actions import branches
from asterisk_compliance.domain.dialplan.expressions import (
    Reference,
    called,
    options,
    references,
    separated,
    shallow,
    with_constants,
)
from asterisk_compliance.domain.dialplan.extension_matching import (
    can_be_dialled,
    is_open,
    matches,
    reached,
    shortest,
)
from domain.checked_dialplan import (
    RECORD,
    call,
    ids,
    plan,
)


@pytest.mark.parametrize(
    ("name", "taken", "refused"),
    [
        ("110", ["110"], ["1101", "11"]),
        ("_0X.", ["012", "0123"], ["01", "11", "0"]),
        ("_0X!", ["01", "012"], ["0"]),
        ("_N[1-35]Z", ["211", "259"], ["111", "241", "210"]),
        ("_x-n[", ["12["], ["11["]),
        ("_[ab]", ["a"], ["c", "aa"]),
    ],
)
def test_patterns(name: str, taken: list[str], refused: list[str]) -> None:
    assert all(matches(name, number) for number in taken)
    assert not any(matches(name, number) for number in refused)


def test_the_best_extension_comes_first() -> None:
    made = plan(
        "[a]\ninclude => b\n"
        + "".join(
            f"exten => {name},1,NoOp()\n" for name in ("_1.", "_1XX", "_11[09]", "_1!", "110")
        )
        + "[b]\ninclude => a\nexten => 110,1,NoOp()\n"
    )
    names = [one.name for one in reached(made, "a", "110")]
    assert names == ["110", "_11[09]", "_1XX", "_1.", "_1!", "110"]


def test_what_kind_of_extension_it_is() -> None:
    assert is_open("_0.")
    assert is_open("_0!")
    assert not is_open("_0X")
    assert not is_open("0.")
    assert can_be_dialled("*51")
    assert can_be_dialled("_X")
    assert not can_be_dialled("busy")
    assert [shortest(name) for name in ("123", "_1X.", "_1!", "")] == [3, 3, 1, 0]


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("a,b", ["a", "b"]),
        ("a(b,c),d", ["a(b,c)", "d"]),
        ('"a,b",c', ['"a,b"', "c"]),
        ("a\\,b,c", ["a\\,b", "c"]),
        ("${A(b,c)},$[d,e]", ["${A(b,c)}", "$[d,e]"]),
        ("a),b", ["a)", "b"]),
        ("a(,b", ["a(,b"]),
        ("", [""]),
    ],
)
def test_arguments(text: str, pieces: list[str]) -> None:
    assert separated(text) == pieces


def test_at_most_so_many_marks_count() -> None:
    assert separated("a?b?c", "?", 1) == ["a", "b?c"]
    assert branches("x?y") == ("x", "y", "")
    assert branches("x") == ("x", "", "")
    assert branches('$["a"="b?c:d"]?e:f') == ('$["a"="b?c:d"]', "e", "f")


def test_an_application_in_a_text() -> None:
    assert called(" Set(a=b(c)) ") == ("Set", "a=b(c)")
    assert called("Set(a") == ("Set", "a")
    assert called("Set") == ("Set", "")
    assert called("${X(y)}(z)") == ("${X(y)}", "z")


def test_references() -> None:
    text = "a ${B} $[${C}+1] ${D(e,${F}):1:2} ${G${H}} ${${I}} $ $J ${K"
    names = [(one.name, one.arguments, one.is_function) for one in references(text)]
    assert names == [
        ("B", "", False),
        ("D", "e,${F}", True),
        ("", "G${H}", False),
        ("", "${I}", False),
        ("K", "", False),
    ]
    assert Reference("C", "", is_function=False) in references(text, nested=True)
    assert Reference("F", "", is_function=False) in references(text, nested=True)


def test_options_with_their_arguments() -> None:
    found_options = [tuple(one) for one in options("tU(a^${B(c)}^d)${X}T$[1]b(e")]
    assert found_options == [("t", ""), ("U", "a^${B(c)}^d"), ("T", ""), ("b", "e")]


def test_constants() -> None:
    assert with_constants("${A}/${GLOBAL(B)}/${C}", {"A": "${B}", "B": "1"}) == "1/1/${C}"
    assert with_constants("${A}", {"A": "${A}"}) == "${A}"
    assert len(with_constants("${A}", {"A": "${A}${A}" * 100})) == 8192


def test_what_is_nested_too_deep_is_cut_off() -> None:
    deep = "${A(" * 33 + "x"
    assert shallow(deep) == "${A(" * 32 + "$"
    assert shallow("${A}" * 100) == "${A}" * 100
    nested = "${" * 10_000 + "CALLERID(num)" + "}" * 10_000
    assert "RECORDED_UNTOLD" in ids(
        call(f"Set(A={nested})", f"Exec(System(${{A{nested}}}))", RECORD)
    )
