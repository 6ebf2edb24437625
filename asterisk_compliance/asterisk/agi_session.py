"""One call in ``AGI()``: commands and their answers, one at a time.

panoramisk parses the answers; this adds what it lacks: time limits, quoting, an end at the hang-up.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from panoramisk.utils import parse_agi_result

from asterisk_compliance.asterisk import agi_header
from asterisk_compliance.errors import AsteriskError, AsteriskUnavailable, RequestRefused
from asterisk_compliance.ids import ChannelId


class AgiHangup(AsteriskError):
    """The call is gone, or Asterisk closed the connection. The session is over."""


@dataclass(frozen=True, slots=True)
class AgiReply:
    """An answer with status 200.

    Attributes:
        result: -1 means that the application failed or the caller hung up.
        data: The text in parentheses.
        end_samples: ``endpos``: how far a file was played, in samples of that file; 0 if not told.
    """

    result: int
    data: str
    end_samples: int


@dataclass(frozen=True, slots=True)
class Played:
    """How a file ended. Heard is only what is completed *and* as long as the file."""

    completed: bool
    end_samples: int


class AgiSession:
    """One call in ``AGI()``. One command at a time; after any error but ``ValueError`` it is over.

    Attributes:
        environment: Every ``agi_`` variable; caller data is among them.
        script: Path of the requested URL.
        parameters: Query of the requested URL.
        channel: Asterisk's ``uniqueid``.
    """

    def __init__(
        self,
        header: agi_header.AgiHeader,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        command_s: float,
    ) -> None:
        self.environment: Mapping[str, str] = header.environment
        self.script = header.script
        self.parameters: Mapping[str, str] = header.parameters
        self.channel: ChannelId = header.channel
        self.language = header.language
        self._reader = reader
        self._writer = writer
        self._command_s = command_s
        self._over = False

    async def answer(self) -> None:
        """Answer; Asterisk waits up to 0.5 s for the caller's first RTP packet.

        Raises:
            AgiHangup: the channel could not be answered.
        """
        if (await self.command("ANSWER")).result == -1:
            raise AgiHangup("the channel cannot be answered")

    async def stream_file(self, path: str, limit_s: float) -> Played:
        """Play a file (without its extension) to its end; no digit interrupts it.

        A file that is missing and a caller who hangs up look the same here; the next command
        tells, since it raises :class:`AgiHangup` in the second case.
        """
        reply = await self.command("STREAM FILE", path, "", limit_s=limit_s)
        return Played(reply.result == 0, reply.end_samples)

    async def set_variable(self, name: str, value: str) -> None:
        await self.command("SET VARIABLE", name, value)

    async def command(self, name: str, *arguments: str, limit_s: float | None = None) -> AgiReply:
        """Send one command, every argument quoted, and wait for its answer.

        Raises:
            ValueError: an argument has a control character or is too long; nothing was sent.
            AgiHangup: the call is gone; nothing more is read, since answers shift by one then.
            AsteriskUnavailable: no answer in time, or one that is none.
            RequestRefused: Asterisk does not know the command.
        """
        line = agi_header.command_line(name, arguments)
        said = await self._exchange(name, line, self._command_s if limit_s is None else limit_s)
        if said == "HANGUP" or said.startswith("511"):
            raise self._end(AgiHangup("the caller hung up"))
        parsed = parse_agi_result(said) if said[:4] in {"200 ", "510 ", "520-"} else {}
        if parsed.get("error") == "AGIAppError":  # result=-1
            return AgiReply(-1, "", 0)
        if "error" in parsed:
            raise self._end(RequestRefused(f"AGI {name}", int(said[:3])))
        try:
            result, data = parsed["result"]
            return AgiReply(int(result), data, int(parsed.get("endpos", ("0", ""))[0]))
        except (KeyError, ValueError):
            raise self._end(AsteriskUnavailable(f"AGI {name}: not an answer")) from None

    async def confirm(self) -> None:
        """Make sure that all of the header was read and that what follows answers *our* commands.

        A line break in a caller's number can end the header early and bring answers of the
        caller's choice; nobody can choose one that repeats a random word.

        Raises:
            AsteriskUnavailable: the first answer is another one.
        """
        word = f"probe-{secrets.token_hex(8)}"
        said = await self._exchange(
            "probe", f"GET FULL VARIABLE {word}\n".encode(), self._command_s
        )
        if said == "HANGUP":
            raise self._end(AgiHangup("the caller hung up"))
        if said != f"200 result=1 ({word})":
            raise self._end(AsteriskUnavailable("the AGI header and its answers do not fit"))

    async def _exchange(self, name: str, line: bytes, limit_s: float) -> str:
        if self._over:
            raise AgiHangup("the AGI session is over")
        try:
            async with asyncio.timeout(limit_s):
                self._writer.write(line)
                await self._writer.drain()
                raw = await self._reader.readuntil(b"\n")
                while raw.startswith(b"100 "):  # "Trying", the answer follows
                    raw = await self._reader.readuntil(b"\n")
        except TimeoutError:
            why: AsteriskError = AsteriskUnavailable(f"no answer to AGI {name} in time")
        except (asyncio.IncompleteReadError, ConnectionError):
            why = AgiHangup("Asterisk closed the AGI connection")
        except asyncio.LimitOverrunError:
            why = AsteriskUnavailable(f"the answer to AGI {name} has no end")
        else:
            return raw.decode("utf-8", "replace").removesuffix("\n")
        raise self._end(why)

    def _end(self, why: AsteriskError) -> AsteriskError:
        self._over = True
        return why
