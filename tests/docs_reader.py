"""Reads the command lines of the pages, and types them at a site that has a few calls."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import typer
from typer.testing import CliRunner, Result

from app.recovered_site import LOUD
from app.released_site import IDENTITY, RECIPIENT, Site
from asterisk_compliance.cli.main import app
from asterisk_compliance.clock import unix_ms
from asterisk_compliance.domain.audit.rows import Draft, Kind
from asterisk_compliance.domain.recording.verdict import Expected
from asterisk_compliance.errors import ComplianceError
from asterisk_compliance.ids import call_id, recording_id, spool_name
from asterisk_compliance.storage.log.writer import StoreWriter
from asterisk_compliance.storage.recordings.assembly import measure_and_join, wav_header
from sample_rows import a_recorded_call
from values import replace

PROGRAM = "asterisk-compliance"
NUMBER = "+81312345678"
TOLD = ("SERVICE", "QUALITY", "DISPUTE", "LEGAL")


class Spoken(NamedTuple):
    """A command line as a page shows it."""

    line: str
    words: tuple[str, ...]


# -- reading -----------------------------------------------------------------------------------


def blocks(text: str) -> Iterator[str]:
    """The code blocks of a page, fenced or indented."""
    fenced = re.compile(r"(?ms)^```\w*\n(.*?)^```")
    yield from fenced.findall(text)
    yield from re.findall(r"(?m)(?:^    .*\n|^\n)+", fenced.sub("", text))


def spoken(text: str) -> list[Spoken]:
    """The program's command lines, without what stands before, behind and beside them."""
    found = []
    for block in blocks(text):
        for line in re.sub(r"\\\n\s*", "", block).splitlines():
            for match in COMMAND.finditer(line):
                beside = re.split(r"\s#\s|\s{3,}(?![\s|&;#\"'-])", match[1])[0]
                words = shell_words(beside)
                if words and re.fullmatch(r"[a-z-]+", words[0]) and words[0] not in PROSE:
                    found.append(Spoken(line.strip(), tuple(words)))
    return found


COMMAND = re.compile(
    r"(?:^\s*(?:[$#] )?|[|;&]\s?|[=/]bin/|=|bin/|ssh \S+ |-u \S+ (?:-- )?)" + PROGRAM + " (.*)"
)
"""At the start, behind a pipe or a path, or as somebody else or elsewhere."""
PROSE = {"does", "is", "notice", "serve─"}


def shell_words(text: str) -> list[str]:
    """Until a pipe, a redirection or a second command."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars="|<>;&")
    lexer.whitespace_split = True
    lexer.commenters = "#"
    words = []
    for word in lexer:
        if set(word) <= set("|<>;&"):
            break
        words.append(word)
    return words


# -- the program -------------------------------------------------------------------------------


@cache
def leaf(words: tuple[str, ...]) -> tuple[str, Any, tuple[str, ...]]:
    """The command that these words name, and its arguments."""
    command, name = typer.main.get_command(app), []
    context = typer.Context(command)
    rest = list(words)
    while hasattr(command, "list_commands") and rest and not rest[0].startswith("-"):
        child = command.get_command(context, rest[0])
        if child is None:
            break
        name.append(rest.pop(0))
        command = child
    return " ".join(name), command, tuple(rest)


class Reader:
    """Whoever types what a page says, at a site with a few calls, with ids instead of dots."""

    def __init__(self, home: Path) -> None:
        self.site = Site(home)
        self.home = home
        self.at_ms = unix_ms() - 24 * 3_600_000
        """Yesterday: pages ask for the calls of the last days."""
        self.call = call_id(self.at_ms, (9).to_bytes(8))
        self.recording = recording_id(self.call, 1)
        with StoreWriter.open(self.site.store) as store:
            store.commit(self._sealed())
        self.site.configured(TABLES)
        self.request, self.incident = "", ""
        for name, text in FILES.items():
            self.here(name).write_text(text, "utf-8")
        self.must("audit key new")
        key = json.loads(self.must("audit key show --json").stdout)["key"]
        self.here("log-key.pub").write_text(key)
        kept = self.must("audit checkpoint now").stdout
        self.here("checkpoints/1.checkpoint").write_text(kept)
        self.here("/var/lib/asterisk-compliance/store.broken").symlink_to(self.site.store)

    def _sealed(self) -> list[Draft]:
        """The rows of the call that is meant, as it was; its recording is in the vault."""
        for direction in ("rx", "tx"):
            file = self.home / "spool" / spool_name(self.recording, direction)
            file.write_bytes(wav_header(len(LOUD) // 2, 1) + LOUD)
        measured = measure_and_join(
            self.home / "spool", self.recording, self.site.vault, Expected(None), (RECIPIENT,)
        )
        assert measured.sealed
        was = {
            Kind.NOTICE_COMPLETED: {"purposes": TOLD},
            Kind.DECISION: {"purposes": TOLD},
            Kind.RECORDING_CLOSED: {"sha256": measured.joined_sha256, "length_ms": 1_000},
        }
        rows = [
            replace(row, detail={**row.detail, **was.get(row.kind, {})})
            for row in a_recorded_call(self.call, self.at_ms)
        ]
        of = {"sha256": measured.sealed.sha256, "bytes": measured.sealed.size_bytes}
        sealed = {"recording": self.recording, **of}
        return [*rows, replace(rows[-1], kind=Kind.RECORDING_SEALED, detail=sealed)]

    def must(self, line: str) -> Result:
        """What was done before, or behind the page."""
        result = self.types(Spoken(line, tuple(line.split())))
        assert status(result) == 0, (line, result.output, result.exception)
        return result

    def here(self, name: str) -> Path:
        """Where a path of a page is: below our own directory."""
        path = self.home / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def types(self, spoken: Spoken) -> Result:
        words = [self._word(word, spoken.words[0]) for word in spoken.words]
        if "--out" in words:
            self._clear(self.here(words[words.index("--out") + 1]))
        result = CliRunner().invoke(app, words, input=self._input(spoken.words))
        if result.exit_code == 0 and words[:2] == ["requests", "open"]:
            self.request = re.findall(r"q-[0-9a-f]{28}", result.stdout)[0]
        if result.exit_code == 0 and words[:2] == ["incidents", "open"]:
            self.incident = re.findall(r"\d+", result.stdout)[0]
        return result

    def _clear(self, out: Path) -> None:
        """A page may show several ways to make the same file."""
        for file in out.iterdir() if out.is_dir() else [out]:
            if file.is_file() and out != self.home:
                file.unlink()

    def _word(self, word: str, group: str) -> str:
        if word == "NUMBER" and group != "provisions":  # there it is an item
            return self.incident if group == "incidents" else NUMBER
        meant = {
            r"c-[0-9a-f]*…|c-0193a5c2f7e14b6d90f1a2b3c4d5|CALL": self.call,
            r"r-[0-9a-f]*…": self.recording,
            r"q-[0-9a-f]*…": self.request,
            r"SEQ|1024": "3",
            r".*compliance\.toml": str(self.site.config),
        }
        for pattern, value in meant.items():
            if re.fullmatch(pattern, word):
                return value
        return str(self.here(word)) if word.startswith("/") else word

    def _input(self, words: tuple[str, ...]) -> str:
        """What stands before a pipe or behind a ``<``, or is asked for by ``-``."""
        asked = [words[at - 1] for at, word in enumerate(words) if word == "-"]
        typed = [TYPED[option] for option in TYPED if option in asked]
        if "dialplan" in words:
            typed.append(FILES["extensions.conf"])
        return "\n".join([*typed, *([] if typed else [self.recording])]) + "\n"


def status(result: Result) -> int:
    """As ``main`` ends the process."""
    if isinstance(result.exception, ComplianceError):
        return result.exception.exit_code
    return result.exit_code if isinstance(result.exception, SystemExit | None) else -1


TABLES = """
[rules]
home = "JP"
time_zone = "Asia/Tokyo"

[publication]
name.en = "Example"
address.en = "1-1 Chiyoda, Tokyo"

[export]
storage_country = "JP"
"""
TYPED = {
    "--name": "Yamada Taro",
    "--agent": "Lawyer",
    "--contact": "1-1 Chiyoda, Tokyo",
    "--number": NUMBER,
    "--identity": IDENTITY,
}
"""What is read from standard input, in this order."""
EXTENSIONS = """\
#include compliance.conf
[from-trunk]
exten => 0312345678,1,Gosub(compliance-notice,s,1(inbound))
 same => n,Queue(support)
"""
FILES = {
    "extensions.conf": EXTENSIONS,
    "etc/asterisk/extensions.conf": EXTENSIONS,
    "Master.csv": "",
    "var/log/asterisk/cdr-csv/Master.csv": "",
    "sent.pdf": "sent",
    "list.csv": "list",
}
