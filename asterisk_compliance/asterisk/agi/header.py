"""What Asterisk says when it opens a FastAGI connection, and how to quote what we say.

Sans-I/O. Asterisk writes the caller's number and name into the header as they are
(res_agi.c, ``setup_env``): a line break in one of them makes lines of the caller's choice, and an
empty line ends the header early. So nothing is guessed here: whatever does not look exactly like
Asterisk's own header is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from asterisk_compliance.ids import ChannelId

LONGEST_COMMAND_BYTES = 2000
"""Asterisk reads commands into 2048 bytes (res_agi.c, ``AGI_BUF_LEN``)."""
MOST_LINES = 200

_NAME = re.compile(r"agi_[a-z0-9_]{1,40}")
_SCRIPT = re.compile(r"[A-Za-z0-9_-]{1,40}(?:/[A-Za-z0-9_-]{1,40}){0,4}")
_CHANNEL = re.compile(r"[!-~]{1,150}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_REQUIRED = ("agi_network_script", "agi_request", "agi_uniqueid", "agi_language", "agi_threadid")


@dataclass(frozen=True, slots=True)
class AgiHeader:
    """A header that was taken apart.

    Attributes:
        environment: Every ``agi_`` variable as it came; caller data among them, so quote it.
        script: Path of ``agi://host/path?query``.
        parameters: Its query, decoded, each name once.
    """

    environment: Mapping[str, str]
    script: str
    parameters: Mapping[str, str]
    channel: ChannelId
    language: str


def parse(data: bytes) -> AgiHeader:
    """Take apart everything up to and with the empty line.

    Raises:
        ValueError: it is not what Asterisk sends. The text repeats nothing from it.
    """
    environment: dict[str, str] = {}
    lines = data.decode("utf-8", "replace").removesuffix("\n\n").split("\n")
    if len(lines) > MOST_LINES:
        raise ValueError("AGI header: too many lines")
    for line in lines:
        name, colon, value = line.partition(": ")
        if not colon or not _NAME.fullmatch(name):
            raise ValueError("AGI header: a line that is no variable")
        if name in environment:
            raise ValueError("AGI header: a variable twice")
        environment[name] = value
    if environment.get("agi_network") != "yes" or any(n not in environment for n in _REQUIRED):
        raise ValueError("AGI header: a variable is missing")
    if not _CHANNEL.fullmatch(environment["agi_uniqueid"]):
        raise ValueError("AGI header: agi_uniqueid is no channel id")
    script, _, query = environment["agi_network_script"].partition("?")
    if not _SCRIPT.fullmatch(script):
        raise ValueError("AGI header: the script's path is not made of names")
    return AgiHeader(
        environment,
        script,
        _parameters(query),
        ChannelId(environment["agi_uniqueid"]),
        environment["agi_language"],
    )


def _parameters(query: str) -> dict[str, str]:
    parameters: dict[str, str] = {}
    try:
        pairs = parse_qsl(query, strict_parsing=True, max_num_fields=16, errors="strict")
    except ValueError:
        if query:
            raise ValueError("AGI header: the script's query cannot be read") from None
        pairs = []
    for name, value in pairs:
        if name in parameters or not name.isidentifier() or _CONTROL.search(value):
            raise ValueError("AGI header: a parameter is doubled or not clean")
        parameters[name] = value
    return parameters


def quoted(argument: str) -> str:
    """One argument of a command, as ``parse_args`` of res_agi.c takes it apart again.

    Raises:
        ValueError: it contains a control character.
    """
    if _CONTROL.search(argument):
        raise ValueError("a control character in an argument of an AGI command")
    escaped = argument.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def command_line(name: str, arguments: tuple[str, ...]) -> bytes:
    """A command, ready to be written.

    Raises:
        ValueError: an argument has a control character, or the line is too long for Asterisk.
    """
    line = " ".join((name, *map(quoted, arguments))).encode()
    if len(line) > LONGEST_COMMAND_BYTES:
        raise ValueError(f"AGI {name}: longer than {LONGEST_COMMAND_BYTES} bytes")
    return line + b"\n"
