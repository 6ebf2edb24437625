"""Parts of an Asterisk are complete when they are made: nobody assigns to another object."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import asterisk_compliance

APP = Path(asterisk_compliance.__file__).parent / "app"
ROOMS = ("access", "calls", "policy", "recordings", "service")


def assigned_elsewhere(source: str) -> Iterator[str]:
    """Each target ``x.y`` of an assignment where ``x`` is neither ``self`` nor ``cls``."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Assign(targets=targets):
                found = targets
            case ast.AugAssign(target=target) | ast.AnnAssign(target=target):
                found = [target]
            case ast.Call(func=ast.Name(id="setattr")):
                yield ast.unparse(node)
                continue
            case _:
                continue
        for target in found:
            for one in ast.walk(target):
                if not isinstance(one, ast.Attribute) or not isinstance(one.ctx, ast.Store):
                    continue
                if not (isinstance(one.value, ast.Name) and one.value.id in {"self", "cls"}):
                    yield ast.unparse(one)


@pytest.mark.parametrize("room", ROOMS)
def test_no_part_is_changed_from_outside_after_it_was_made(room: str) -> None:
    files = sorted((APP / room).rglob("*.py"))
    assert files, "the room was moved"
    found = [
        f"{file.relative_to(APP)}: {target}"
        for file in files
        for target in assigned_elsewhere(file.read_text("utf-8"))
    ]
    assert found == []


@pytest.mark.parametrize(
    ("source", "targets"),
    [
        ("node.ari = client", ["node.ari"]),
        ("self.legs.awake_ms = 1", ["self.legs.awake_ms"]),
        ("rows.observers += [observe]", ["rows.observers"]),
        ("one, node.ami = 1, client", ["node.ami"]),
        ("node.agi: object = server", ["node.agi"]),
        ("setattr(node, 'ari', client)", ["setattr(node, 'ari', client)"]),
        ("self.ari = client\ncls.ami = client\nnode = client\nnode.calls[1] = task", []),
    ],
)
def test_every_form_of_assignment_is_found(source: str, targets: list[str]) -> None:
    assert list(assigned_elsewhere(source)) == targets
