"""The process that takes recordings in: ``python -m asterisk_compliance.app.recordings.sealer
PARENT``.

Joining and encrypting holds the interpreter for as long as it takes, and no call may wait for it.
One job a line on the standard input, one answer a line on the standard output. It ends with its
input, and is killed with its parent, so that no two of them ever write the same recording.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from pathlib import Path
from typing import TypeAlias

import msgspec

from asterisk_compliance.domain.recording.verdict import Expected, Measured
from asterisk_compliance.errors import RecordingUnreadable, SealingFailed
from asterisk_compliance.ids import RecordingId
from asterisk_compliance.storage.recordings.assembly import measure_and_join
from asterisk_compliance.storage.recordings.quarantine import copy_aside

NICENESS = 10
"""Calls come first."""

_PR_SET_PDEATHSIG = 1


class TakeIn(msgspec.Struct, frozen=True, tag=True):
    """Measure, join and seal
    (:func:`~asterisk_compliance.storage.recordings.assembly.measure_and_join`).
    """

    spool: str
    recording: str
    vault: str
    expected: Expected
    recipients: tuple[str, ...]


class SetAside(msgspec.Struct, frozen=True, tag=True):
    """Copy a file of no call to the quarantine."""

    path: str
    directory: str
    recipients: tuple[str, ...]


class SealedFile(msgspec.Struct, frozen=True, tag=True):
    measured: Measured


class SetAsideFile(msgspec.Struct, frozen=True, tag=True):
    name: str
    size_bytes: int
    sha256: str


class Failed(msgspec.Struct, frozen=True, tag=True):
    """What went wrong: a code of ``recording_unjudged``, and the system's words for the journal."""

    problem: str
    why: str


Job: TypeAlias = TakeIn | SetAside
SealerAnswer: TypeAlias = SealedFile | SetAsideFile | Failed


def perform_job(job: Job) -> SealerAnswer:
    """Do one job; what goes wrong is an answer."""
    try:
        match job:
            case TakeIn():
                return SealedFile(
                    measure_and_join(
                        Path(job.spool),
                        RecordingId(job.recording),
                        Path(job.vault),
                        job.expected,
                        job.recipients,
                    )
                )
            case SetAside():
                return SetAsideFile(
                    *copy_aside(Path(job.path), Path(job.directory), job.recipients)
                )
    except RecordingUnreadable as error:
        return Failed(problem="NOT_PCM", why=str(error))
    except SealingFailed as error:
        return Failed(problem="NOT_SEALED", why=str(error))
    except OSError as error:
        return Failed(problem="DISK", why=error.strerror or type(error).__name__)


def exit_with_parent(parent: int) -> None:
    """Be killed when the parent dies, however it dies; signals to its group are not for us."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before
        sys.exit(0)


def main() -> None:
    exit_with_parent(int(sys.argv[1]))
    os.nice(NICENESS)
    decoder, encoder = msgspec.json.Decoder(Job), msgspec.json.Encoder()
    for line in sys.stdin.buffer:
        answer = perform_job(decoder.decode(line))
        sys.stdout.buffer.write(encoder.encode(answer) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
