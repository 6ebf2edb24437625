"""Every test that the table of the law names is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/coverage-of-law.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[a-z0-9_/]+\.py)(?:::(\w+))?`", PAGE)))


def test_every_requirement_has_a_line():
    numbers = [int(number) for number in re.findall(r"^\| (\d+) \|", PAGE, flags=re.MULTILINE)]
    assert numbers == list(range(1, 26))


@pytest.mark.parametrize(("file", "name"), NAMED, ids=["::".join(one) for one in NAMED])
def test_the_test_is_there(file, name):
    text = (ROOT / file).read_text(encoding="utf-8")
    functions = {
        node.name
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    if name:
        assert name in functions
    else:
        assert any(one.startswith("test_") for one in functions) or ".TestCase" in text


def test_what_is_held_names_a_test():
    for line in re.findall(r"^\| \d+ \|.*$", PAGE, flags=re.MULTILINE):
        held, state = [cell.strip() for cell in line.strip("|").split("|")][-2:]
        assert bool(held) or not state.startswith("held"), line
