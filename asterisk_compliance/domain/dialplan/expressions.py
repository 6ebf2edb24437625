"""Arguments and variables in the text of a dialplan, taken apart without executing anything.

Asterisk splits arguments after it has put values in (``main/app.c``, ``ast_app_separate_args``);
here a ``${…}`` or ``$[…]`` is one piece, whatever it becomes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

_CLOSING: Final = {"(": ")", "[": "]", "{": "}"}
_OPENING: Final = frozenset(_CLOSING)
_BRACKETS = re.compile(r"[][(){}]")
_CONSTANT = re.compile(r"\$\{(?:GLOBAL\()?([A-Za-z_][A-Za-z0-9_]*)\)?\}")
_NAME = re.compile(r"\s*([A-Za-z_0-9]*)")
_DEEPEST: Final = 8
"""Constants that are made of constants."""
_LONGEST: Final = 8192
"""``VAR_BUF_SIZE`` and the like: Asterisk cuts what is longer."""
_DEEPEST_NESTED: Final = 64
"""``${…}`` inside of each other; real ones have a handful."""


def separated(text: str, mark: str = ",", most: int = -1) -> list[str]:
    """The pieces between marks that stand in no parentheses, brackets or quotes.

    At most so many marks count; ``-1`` is all of them.
    """
    pieces, begin = [], 0
    for at in _marks(text, mark):
        if most == 0:
            break
        pieces.append(text[begin:at])
        begin, most = at + 1, most - 1
    return [*pieces, text[begin:]]


def _marks(text: str, mark: str) -> Iterator[int]:
    closing: list[str] = []
    quoted = escaped = False
    for at, one in enumerate(text):
        if escaped:
            escaped = False
        elif one == "\\":
            escaped = True
        elif one == '"':
            quoted = not quoted
        elif closing and one == closing[-1]:
            closing.pop()
        elif one == mark and not closing and not quoted:
            yield at
        elif one in _CLOSING:
            closing.append(_CLOSING[one])


def called(text: str) -> tuple[str, str]:
    """``name(arguments)`` taken apart; without parentheses there are no arguments."""
    name, *rest = separated(text.strip(), "(", 1)
    inner, closed, _ = "".join(rest).rpartition(")")
    return name.strip(), inner if closed else "".join(rest)


class Reference(NamedTuple):
    """A ``${…}``.

    Attributes:
        name: Of a variable or a function; empty where it is computed.
        arguments: Of a function. Of a computed name, the text that makes it.
    """

    name: str
    arguments: str
    is_function: bool


def references(text: str, *, nested: bool = False) -> list[Reference]:
    """The ``${…}`` of a text.

    ``nested``: also those inside of others and of ``$[…]``, which leave none of their own text.
    """
    found: list[Reference] = []
    at = text.find("$")
    while at >= 0:
        end = at + 1
        if text[at : at + 2] in {"${", "$["}:
            end = _end(text, at + 1)
            body = text[at + 2 : end - 1]
            if text[at + 1] == "{":
                found.append(_reference(body))
            if nested:
                found += references(body, nested=True)
        at = text.find("$", end)
    return found


def _end(text: str, at: int) -> int:
    """Behind what closes the bracket at ``at``; behind the text plus one if nothing does."""
    opening, closing, depth = text[at], _CLOSING[text[at]], 0
    for here in range(at, len(text)):
        depth += (text[here] == opening) - (text[here] == closing)
        if depth == 0:
            return here + 1
    return len(text) + 1


def _reference(body: str) -> Reference:
    name = _NAME.match(body)
    assert name is not None, "the pattern takes every text"
    rest = body[name.end() :]
    if rest.startswith("("):
        return Reference(name[1], rest[1 : _end(rest, 0) - 1], is_function=True)
    if rest.startswith("$"):
        return Reference("", body, is_function=False)
    return Reference(name[1], "", is_function=False)


def with_constants(text: str, constants: Mapping[str, str]) -> str:
    """The text with the values of global variables that nothing else sets."""
    for _ in range(_DEEPEST):
        done = _CONSTANT.sub(lambda found: constants.get(found[1], found[0]), text)
        if done == text:
            break
        text = done[:_LONGEST]
    return text


def shallow(text: str) -> str:
    """The text, up to where more is nested than any reader here follows."""
    depth = 0
    for found in _BRACKETS.finditer(text):
        depth = max(0, depth + (1 if found[0] in _OPENING else -1))
        if depth > _DEEPEST_NESTED:
            return text[: found.start()]
    return text


class Option(NamedTuple):
    """One letter of an application's options, and what stands in its parentheses."""

    letter: str
    argument: str


def options(text: str) -> list[Option]:
    """The options of ``Dial()``, ``Queue()`` and their like; variables among them are left out."""
    found, at = [], 0
    while at < len(text):
        if text[at : at + 2] in {"${", "$["}:
            at = _end(text, at + 1)
        elif text[at + 1 : at + 2] == "(":
            end = _end(text, at + 1)
            found.append(Option(text[at], text[at + 2 : end - 1]))
            at = end
        else:
            found.append(Option(text[at], ""))
            at += 1
    return found
