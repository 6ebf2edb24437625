"""How far each webhook receiver has got: a small file for each, beside the log.

A file may be out of date after a crash. Then some rows are sent again, but none is left out.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from asterisk_compliance.errors import StoreUnavailable
from asterisk_compliance.storage.durable_files import write_durably

POSITIONS = "webhooks"
_LONGEST = 1_024


class _Position(msgspec.Struct):
    log: str
    next_seq: int


def load_position(store: Path, receiver: str, log: str) -> int | None:
    """The first row that ``receiver`` has not taken; ``None`` if nobody knows, or of another log.

    Raises:
        StoreUnavailable: the file is there and cannot be read.
    """
    path = store / POSITIONS / f"{receiver}.json"
    try:
        with path.open("rb") as file:
            found = msgspec.json.decode(file.read(_LONGEST), type=_Position)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreUnavailable(f"cannot read {path}: {error.strerror}") from error
    except (msgspec.MsgspecError, ValueError):
        return None
    return found.next_seq if found.log == log and found.next_seq >= 0 else None


def save_position(store: Path, receiver: str, log: str, next_seq: int) -> None:
    """Keep it, over a loss of power too.

    Raises:
        StoreUnavailable: it is as it was.
    """
    directory = store / POSITIONS
    try:
        directory.mkdir(mode=0o700, exist_ok=True)
        position = msgspec.json.encode(_Position(log, next_seq))
        write_durably(directory / f"{receiver}.json", position + b"\n")
    except OSError as error:
        raise StoreUnavailable(f"cannot write below {directory}: {error.strerror}") from error
