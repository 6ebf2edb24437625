"""One call in ``AGI()``: commands and their answers, one at a time.

panoramisk parses the answers; this adds what it lacks: time limits, quoting, an end at the
hang-up, and the one way in which AGI lets go of something before it is over: whatever plays or
waits ends when another command comes in (res_agi.c; a file that plays gives no answer then).
That other command must not come in the same read: Asterisk waits for the socket, and what it has
read already lies in a buffer that it does not look at. So a command that shall end something is
repeated until it is answered.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from panoramisk.utils import parse_agi_result

from asterisk_compliance.asterisk.agi import header as agi_header
from asterisk_compliance.errors import AsteriskError, AsteriskUnavailable, RequestRefused
from asterisk_compliance.ids import ChannelId

_LONGEST_ANSWER = 512
"""What is longer answers none of our commands; the parser needs quadratic time."""
_WORD = "probe-"
_AGAIN_S = 0.25
_KEYS = frozenset(b"0123456789*#ABCD")


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
    """How a file ended. Heard is only what is completed *and* as long as the file.

    Attributes:
        end_samples: Where, in samples from the beginning of the file.
        digit: The key that stopped it, or nothing.
    """

    completed: bool
    end_samples: int
    digit: str = ""


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
        self._lets_go = False
        self._word = ""
        self._again: asyncio.TimerHandle | None = None

    async def answer(self) -> None:
        """Answer; Asterisk waits up to 0.5 s for the caller's first RTP packet.

        Raises:
            AgiHangup: the channel could not be answered.
        """
        if (await self.command("ANSWER")).result == -1:
            raise AgiHangup("the channel cannot be answered")

    async def stream_file(
        self, path: str, limit_s: float, *, digits: str = "", offset_samples: int = 0
    ) -> Played:
        """Play a file (without its extension), to its end or until one of ``digits`` is let go.

        A file that is missing, a caller who hangs up, and :meth:`interrupt` look the same here;
        the next command tells of a hang-up, since it raises :class:`AgiHangup`.
        """
        offset = (str(offset_samples),) if offset_samples else ()
        reply = await self._letting_go("STREAM FILE", path, digits, *offset, limit_s=limit_s)
        if reply is None:
            return Played(False, offset_samples)
        return Played(reply.result == 0, reply.end_samples, _digit(reply.result))

    async def wait_for_digit(self, timeout_s: float) -> str:
        """The key that is let go; nothing after ``timeout_s``, or after :meth:`interrupt`.

        Raises:
            AgiHangup: the caller hung up.
        """
        timeout_ms = str(round(timeout_s * 1_000))
        limit_s = timeout_s + self._command_s
        reply = await self._letting_go("WAIT FOR DIGIT", timeout_ms, limit_s=limit_s)
        if reply is not None and reply.result == -1:
            await self.command("NOOP")
            raise self._end(AsteriskUnavailable("AGI WAIT FOR DIGIT failed"))
        return "" if reply is None else _digit(reply.result)

    def interrupt(self) -> None:
        """End what plays or waits; where nothing does, nothing happens."""
        if self._lets_go and not self._word:
            self._break_in()

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
        return self._parsed(name, said)

    async def confirm(self) -> None:
        """Make sure that all of the header was read and that what follows answers *our* commands.

        A line break in a caller's number can end the header early and bring answers of the
        caller's choice; nobody can choose one that repeats a random word.

        Raises:
            AsteriskUnavailable: the first answer is another one.
        """
        word = _new_word()
        if await self._exchange("probe", _probe(word), self._command_s) != _echo(word):
            raise self._end(AsteriskUnavailable("the AGI header and its answers do not fit"))

    async def _letting_go(self, name: str, *arguments: str, limit_s: float) -> AgiReply | None:
        """A command that :meth:`interrupt` can end; ``None`` if it did and there is no answer."""
        line = agi_header.command_line(name, arguments)
        self._lets_go = True
        try:
            said = await self._exchange(name, line, limit_s)
        finally:
            self._lets_go, self._word = False, ""
            if self._again is not None:
                self._again.cancel()
        return self._parsed(name, said) if said else None

    def _break_in(self) -> None:
        self._word = _new_word()
        self._writer.write(_probe(self._word))
        self._again = asyncio.get_running_loop().call_later(_AGAIN_S, self._break_in)

    async def _exchange(self, name: str, line: bytes, limit_s: float) -> str:
        """Send a line, and read its answer: empty if it was interrupted and gave none."""
        if self._over:
            raise AgiHangup("the AGI session is over")
        try:
            async with asyncio.timeout(limit_s):
                self._writer.write(line)
                await self._writer.drain()
                said = await self._answer()
        except AgiHangup as hangup:
            why: AsteriskError = hangup
        except TimeoutError:
            why = AsteriskUnavailable(f"no answer to AGI {name} in time")
        except (asyncio.IncompleteReadError, ConnectionError):
            why = AgiHangup("Asterisk closed the AGI connection")
        except asyncio.LimitOverrunError:
            why = AsteriskUnavailable(f"the answer to AGI {name} has no end")
        else:
            return said
        raise self._end(why)

    async def _answer(self) -> str:
        """The next answer; after an interruption, what came before the answer to that."""
        said, line = "", await self._line()
        while self._word and line != _echo(self._word):
            said = said if line.startswith(_echo(_WORD)[:-1]) else line
            line = await self._line()
        return said if self._word else line

    async def _line(self) -> str:
        """The next line that is an answer.

        Raises:
            AgiHangup: it says that the caller hung up.
        """
        raw = await self._reader.readuntil(b"\n")
        while raw.startswith(b"100 "):  # "Trying", the answer follows
            raw = await self._reader.readuntil(b"\n")
        line = raw.decode("utf-8", "replace").removesuffix("\n")
        if line == "HANGUP" or line.startswith("511"):
            raise AgiHangup("the caller hung up")
        return line

    def _end(self, why: AsteriskError) -> AsteriskError:
        self._over = True
        return why

    def _parsed(self, name: str, said: str) -> AgiReply:
        readable = said[:4] in {"200 ", "510 ", "520-"} and len(said) <= _LONGEST_ANSWER
        parsed = parse_agi_result(said) if readable else {}
        if parsed.get("error") == "AGIAppError":  # result=-1
            return AgiReply(-1, "", 0)
        if "error" in parsed:
            raise self._end(RequestRefused(f"AGI {name}", int(said[:3])))
        try:
            result, data = parsed["result"]
            return AgiReply(int(result), data, int(parsed.get("endpos", ("0", ""))[0]))
        except (KeyError, ValueError):
            raise self._end(AsteriskUnavailable(f"AGI {name}: not an answer")) from None


def _new_word() -> str:
    return f"{_WORD}{secrets.token_hex(8)}"


def _probe(word: str) -> bytes:
    """A command that does nothing, and whose answer nobody else can have asked for."""
    return f"GET FULL VARIABLE {word}\n".encode()


def _echo(word: str) -> str:
    return f"200 result=1 ({word})"


def _digit(result: int) -> str:
    """0: none; 1: another command came."""
    return chr(result) if result in _KEYS else ""
