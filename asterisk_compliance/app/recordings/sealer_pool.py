"""A bounded pool of sealer processes (``sealer.py``), started when needed.

The death of a process is noticed at once, and another one gets its job. That is safe because the
job can be repeated from its beginning at any time. A process that takes too long is killed.
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import structlog

from asterisk_compliance.app.recordings.sealer import (
    Failed,
    Job,
    SealedFile,
    SealerAnswer,
    SetAside,
    SetAsideFile,
    TakeIn,
)
from asterisk_compliance.domain.recording.verdict import Expected, Measured
from asterisk_compliance.errors import ComplianceError
from asterisk_compliance.ids import RecordingId

_TRIES = 2
_ANSWER_BYTES = 1 << 24
_ANSWERS: msgspec.json.Decoder[SealerAnswer] = msgspec.json.Decoder(SealerAnswer)
_OURSELVES = "/proc/self/exe"
"""Also where the service's user could not find the interpreter by its path any more."""
COMMAND = (sys.executable, "-P", "-m", "asterisk_compliance.app.recordings.sealer")

log = structlog.get_logger()


class NotTakenIn(ComplianceError):
    """A recording could not be taken in; its files are where they were.

    Attributes:
        problem: A code of ``recording_unjudged``.
    """

    def __init__(self, problem: str, why: str) -> None:
        super().__init__(why)
        self.problem = problem


class _SealerDied(Exception):
    pass


class SealerPool:
    """Takes recordings in, in other processes.

    Args:
        recipients: Public keys to which everything is encrypted; none: nothing is.
        most: So many at a time; who comes later waits.
        within_s: So long one job may take.
        command: What is started, with our process id behind it.
    """

    def __init__(
        self,
        recipients: Sequence[str] = (),
        *,
        most: int = 2,
        within_s: float = 600.0,
        command: Sequence[str] = COMMAND,
    ) -> None:
        self._recipients = tuple(recipients)
        self._free = asyncio.Semaphore(most)
        self._within_s = within_s
        self._command = command
        self._idle: list[SealerProcess] = []
        self._busy: set[SealerProcess] = set()

    @property
    def pids(self) -> list[int]:
        """Of the processes that are there."""
        return [sealer.process.pid for sealer in (*self._idle, *self._busy)]

    async def take_in(
        self, spool: Path, recording: RecordingId, vault: Path, expected: Expected
    ) -> Measured:
        """Measure both directions and put the recording into the vault.

        Raises:
            NotTakenIn: nothing of it is in the vault.
        """
        job = TakeIn(str(spool), recording, str(vault), expected, self._recipients)
        answer = await self._do(job)
        assert isinstance(answer, SealedFile)
        return answer.measured

    async def set_aside(self, path: Path, directory: Path) -> tuple[str, int, str]:
        """Copy a file that no row knows; returns its name, size and SHA-256.

        Raises:
            NotTakenIn: it could not be copied.
        """
        answer = await self._do(SetAside(str(path), str(directory), self._recipients))
        assert isinstance(answer, SetAsideFile)
        return answer.name, answer.size_bytes, answer.sha256

    async def close(self) -> None:
        """End them all; what one was doing is done again by the next life."""
        for sealer in (*self._idle, *self._busy):
            await sealer.end()
        self._idle.clear()
        self._busy.clear()

    async def _do(self, job: Job) -> SealerAnswer:
        async with self._free:
            for _ in range(_TRIES):
                try:
                    answer = await self._ask(job)
                except _SealerDied:
                    log.error("sealer_died")
                    continue
                if isinstance(answer, Failed):
                    raise NotTakenIn(answer.problem, answer.why)
                return answer
        raise NotTakenIn(problem="SEALER", why="the process that seals died twice")

    async def _ask(self, job: Job) -> SealerAnswer:
        sealer = self._idle.pop() if self._idle else await SealerProcess.begin(self._command)
        self._busy.add(sealer)
        answer: SealerAnswer | None = None
        try:
            async with asyncio.timeout(self._within_s):
                answer = await sealer.ask(job)
        except TimeoutError:
            raise NotTakenIn(problem="SEALER", why=f"took more than {self._within_s} s") from None
        finally:
            self._busy.discard(sealer)
            if answer is None:
                await sealer.end()
            else:
                self._idle.append(sealer)
        return answer


@dataclass(frozen=True, slots=True, eq=False)
class SealerProcess:
    """One process, and both ends of the line to it."""

    process: subprocess.Popen[bytes]
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @classmethod
    async def begin(cls, command: Sequence[str]) -> SealerProcess:
        """Start one, from the thread of the loop: it dies with the thread that started it."""
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                process = subprocess.Popen(  # noqa: ASYNC220, S603 - ourselves; no wait
                    [*command, str(os.getpid())],
                    executable=_OURSELVES if command[0] == sys.executable else command[0],
                    stdin=theirs.fileno(),
                    stdout=theirs.fileno(),
                    env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
                )
            except OSError as error:
                ours.close()
                raise NotTakenIn(
                    problem="SEALER", why=error.strerror or "cannot be started"
                ) from None
        return cls(process, *await asyncio.open_unix_connection(sock=ours, limit=_ANSWER_BYTES))

    async def ask(self, job: Job) -> SealerAnswer:
        try:
            self.writer.write(msgspec.json.encode(job) + b"\n")
            await self.writer.drain()
            return _ANSWERS.decode(await self.reader.readuntil(b"\n"))
        except (OSError, EOFError):
            raise _SealerDied from None

    async def end(self) -> None:
        self.process.kill()
        await asyncio.to_thread(self.process.wait)
        self.writer.close()
