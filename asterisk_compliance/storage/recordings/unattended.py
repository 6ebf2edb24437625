"""Spool files that the dialplan recorded alone, until the service adopts them."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from asterisk_compliance.ids import ChannelId, RecordingId, parse_fallback_name, spool_name
from asterisk_compliance.storage.durable_files import sync_directory
from asterisk_compliance.storage.recordings.assembly import is_closed

STILL_S = 3.0
"""A file whose channel is gone, and that has not changed for so long, nobody writes any more: it
has no sample, or Asterisk died with it."""

_UNNAMED = re.compile(r"d-unknown-[0-9a-f]{16}\.wav")


@dataclass(frozen=True, slots=True)
class Alone:
    """One file.

    Attributes:
        code: Of what the dialplan promised; empty where the name does not say it.
        channel: Whose; ``None`` likewise.
        is_closed: Its header states its size: Asterisk has finished it.
        is_still: It has not changed for a while.
    """

    name: str
    code: str
    channel: ChannelId | None
    is_closed: bool
    is_still: bool = False


def recorded_alone(spool: Path) -> Iterator[Alone]:
    """Every such file; one whose name is not as ours are gets another, since a name can say a lot.

    Raises:
        OSError: the spool cannot be read or changed.
    """
    for path in sorted(spool.glob("d-*.wav")):
        if path.is_symlink() or not path.is_file():
            continue
        parsed = parse_fallback_name(path.name)
        if not is_alone(path.name):
            path = path.rename(path.with_name(f"d-unknown-{secrets.token_hex(8)}.wav"))  # noqa: PLW2901
        code, channel = parsed or ("", None)
        yield Alone(path.name, code, channel, is_closed(path), _is_still(path))


def is_alone(name: str) -> bool:
    """Whether a file is named as these are, or was so because its own name was not."""
    return parse_fallback_name(name) is not None or _UNNAMED.fullmatch(name) is not None


def take_over(spool: Path, name: str, recording: RecordingId) -> bool:
    """Make it the caller's direction of a recording, in one step.

    Returns:
        Whether it was there; not if an earlier run has done it.

    Raises:
        OSError: it could not be renamed.
    """
    try:
        (spool / name).rename(spool / spool_name(recording, "rx"))
    except FileNotFoundError:
        return False
    sync_directory(spool)
    return True


def _is_still(path: Path) -> bool:
    return abs(time.time() - path.stat().st_mtime) > STILL_S
