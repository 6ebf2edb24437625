"""Every command line in the pages is one that the program takes, and does what it can without
Asterisk: run in the order of its page, at a site that has a few calls."""

from __future__ import annotations

import pytest
import typer

from docs_reader import Reader, leaf, spoken, status
from documented import ROOT, pages, text_of

UsageError = typer.BadParameter.__base__
PAGES = [path for path in pages() if path.parent != ROOT / "docs/decisions"]
NOT_RUN = {
    "init": "is for a machine, not for a site",
    "uninstall": "is for a machine, not for a site",
    "serve": "runs until it is told to stop",
    "watchdog": "is started by serve",
    "audit follow": "runs until Ctrl-C",
    "status": "asks the running service",
    "calls pause": "asks the running service",
    "calls resume": "asks the running service",
    "calls withdraw": "asks the running service",
    "calls start": "asks the running service",
    "calls stop": "asks the running service",
    "requests lend": "asks the running service",
    "requests unlend": "asks the running service",
}
"""What needs more than a store, and why. Its words are checked like all others."""


NEGATIVE = {
    "check": (1, "the spool is not Asterisk's"),
    "sounds lint": (1, "a notice of this site does not say the keys of its policy"),
    "dialplan check": (1, "the routines are not included"),
    "reconcile": (1, "nobody wrote CDRs"),
    "incidents assess": (1, "a report is due"),
    "calls past": (1, "nobody is on the line"),
    "retention run": (2, "nobody is at a terminal who could say yes"),
    "requests answer": (1, "one that was answered: pages show several ways"),
    "export dpv": (1, "the site has no page yet"),
    "audit key replace": (3, "the key is not lost"),
}
"""What may end with another status than 0 at this site, and why."""
BEFORE = {
    "q-…": (
        "requests open COPY --contact - --call CALL",
        "requests identify q-… --how CALLED_BACK",
        "requests decide q-… GRANTED --reason LAW",
    ),
    "recording.ja.html": ("publish notice-page --out .",),
}
"""What was done before, where a page speaks of that."""


# -- the tests ---------------------------------------------------------------------------------

SPEAKING = [path for path in PAGES if spoken(text_of(path))]
named = pytest.mark.parametrize("path", SPEAKING, ids=lambda path: str(path.relative_to(ROOT)))


def test_most_pages_show_commands():
    assert len(SPEAKING) > 15
    assert sum(len(spoken(text_of(path))) for path in SPEAKING) > 100


def parse(words: tuple[str, ...]) -> None:
    """Raises ``UsageError`` where the program would say how it is used."""
    name, command, rest = leaf(words)
    if hasattr(command, "list_commands"):
        raise UsageError(f"{name} is a group of commands")
    try:
        command.make_context(name, list(rest))
    except typer.BadParameter as error:
        if "does not exist" not in error.message:  # a file of the reader's
            raise


@named
def test_a_command_line_has_the_words_that_the_program_takes(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for line in spoken(text_of(path)):
        parse(line.words)


@named
def test_a_command_line_does_what_the_page_says(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = [line for line in spoken(text_of(path)) if leaf(line.words)[0] not in NOT_RUN]
    if not lines:
        return
    reader = Reader(tmp_path)
    for said, before in BEFORE.items():
        if any(said in line.line for line in lines):
            for line in before:
                reader.must(line)
    for line in lines:
        result = reader.types(line)
        other, _ = NEGATIVE.get(leaf(line.words)[0], (0, ""))
        assert status(result) in {0, other}, (line.line, result.output, result.exception)


@pytest.mark.parametrize(
    ("block", "words"),
    [
        ("    $ asterisk-compliance calls list   # all\n", [["calls", "list"]]),
        ("    PATH=x/bin/asterisk-compliance calls list    all of them\n", [["calls", "list"]]),
        ("    x | asterisk-compliance export vcon - | y\n", [["export", "vcon", "-"]]),
        ("    asterisk-compliance calls \\\n    list < x\n", [["calls", "list"]]),
        ("    adduser --home /var/lib/asterisk-compliance compliance\n", []),
        ("asterisk-compliance calls list\n", []),
    ],
)
def test_command_lines_are_found_in_code(block, words):
    assert [list(line.words) for line in spoken(block)] == words


@pytest.mark.parametrize(
    "words",
    ["calls list --nowhere", "calls show", "audit nothing", "explain", "audit prove x", "calls"],
)
def test_words_that_the_program_does_not_take_are_found(words):
    with pytest.raises(UsageError):
        parse(tuple(words.split()))
