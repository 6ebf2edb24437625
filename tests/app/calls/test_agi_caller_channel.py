"""A call over FastAGI, played in pieces: an Asterisk of our own, in real time, with short prompts.

It does what was seen of the real one (``tests/asterisk``): a key that a command listens for ends
it, another command ends what plays without an answer, and a key between two commands is lost.
"""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from app.live_call import CALL, CHANNEL, LIMITS, NOTICE, POLICY, WORDING, Site
from asterisk_compliance.app.calls.agi_caller_channel import AgiCallerChannel
from asterisk_compliance.app.calls.call_task import CallTask
from asterisk_compliance.asterisk.agi.header import AgiHeader
from asterisk_compliance.asterisk.agi.session import AgiSession
from asterisk_compliance.clock import monotonic_ms
from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.domain.call import machine as rules
from asterisk_compliance.domain.call.events import CallEvent, ChannelGone, EntryWire, LeftStasis
from asterisk_compliance.domain.call.state import Arrival
from asterisk_compliance.domain.policy.notice import (
    Announcement,
    Consent,
    ConsentKeys,
    Policy,
    Prompt,
)
from asterisk_compliance.errors import AsteriskError
from values import replace

LENGTH_MS = 400
KEYS = ConsentKeys(accept="1", refuse="2", repeat="*")
REFUSED = Prompt("sound:/prompts/ja/refused", 100)
ASKS = replace(
    POLICY,
    notice=replace(NOTICE, wordings={"ja": replace(WORDING, length_ms=LENGTH_MS)}),
    consent=Consent.OPT_IN,
    keys=KEYS,
    grace_ms=300,
    repeats_max=1,
    announcements={Announcement.REFUSED: {"ja": REFUSED}},
)
PLAYS = 'STREAM FILE "/prompts/ja/notice" "12*"'
SETS = 'SET VARIABLE "COMPLIANCE_RESULT"'


class Asterisk:
    """One channel in ``AGI()``.

    Attributes:
        commands: What it was told, in order; ``probe`` for a command that only interrupts.
        lengths_ms: How long its files play, by path; a file that is not there fails.
        hurries: How many times faster than it should it plays.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.commands: list[str] = []
        self.lengths_ms = {"/prompts/ja/notice": LENGTH_MS, "/prompts/ja/refused": 100}
        self.hurries = 1.0
        self._reader, self._writer = reader, writer
        self._pressed: asyncio.Future[str] | None = None
        self._next: asyncio.Future[bytes] | None = None

    def press(self, key: str) -> None:
        """Let go of a key; ``-`` hangs up."""
        if self._pressed is not None and not self._pressed.done():
            self._pressed.set_result(key)

    async def run(self) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while (line := (await self._line()).decode().strip()) != "":
                await self._obey(line)

    async def _line(self) -> bytes:
        if self._next is None:
            self._next = asyncio.ensure_future(self._reader.readuntil(b"\n"))
        try:
            return await asyncio.shield(self._next)
        finally:
            if self._next.done():
                self._next = None

    async def _obey(self, line: str) -> None:
        name, *arguments = shlex.split(line)
        if name == "GET":
            self.commands.append("probe")
            self._say(f"result=1 ({arguments[-1]})")
            return
        self.commands.append(line)
        match name, arguments:
            case "STREAM", [_, path, keys, *offset]:
                await self._stream(path, keys, int(offset[0]) if offset else 0)
            case "WAIT", [*_, timeout_ms]:
                key = await self._until(int(timeout_ms), "0123456789*#")
                self._say(f"result={1 if key is None else self._code(key)}")
            case _:
                self._say("result=0")

    async def _stream(self, path: str, keys: str, offset: int) -> None:
        if path not in self.lengths_ms:
            self._say(f"result=-1 endpos={offset}")
            return
        end = self.lengths_ms[path] * 8
        began_ms = monotonic_ms()
        key = await self._until((end - offset) / 8 / self.hurries, keys)
        if key is None:
            return  # it gives no answer
        took = round((monotonic_ms() - began_ms) * 8 * self.hurries)
        self._say(f"result={self._code(key)} endpos={min(end, offset + took) if key else end}")

    async def _until(self, length_ms: float, keys: str) -> str | None:
        """A key, nothing when the time is over, ``None`` when another command came."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + length_ms / 1_000
        if self._next is None:
            self._next = asyncio.ensure_future(self._reader.readuntil(b"\n"))
        while (left := ends - loop.time()) > 0:
            self._pressed = loop.create_future()
            await asyncio.wait(
                {self._next, self._pressed}, timeout=left, return_when="FIRST_COMPLETED"
            )
            if self._next.done():
                return None
            if self._pressed.done() and self._pressed.result() in keys + "-":
                return self._pressed.result()
        self._pressed = None
        return ""

    def _code(self, key: str) -> int:
        if key == "-":
            self._writer.write_eof()
            return -1
        return ord(key) if key else 0

    def _say(self, what: str) -> None:
        if not self._writer.is_closing():
            with suppress(RuntimeError):  # it said that it ends
                self._writer.write(f"200 {what}\n".encode())


class Scene:
    """A call with its line, its session, and Asterisk."""

    def __init__(self, asterisk: Asterisk, session: AgiSession, policy: Policy, limits_ms: int):
        self.asterisk, self.site = asterisk, Site()
        self.line = AgiCallerChannel(session, 5.0)
        limits = replace(LIMITS, notice_margin_ms=limits_ms)
        arrival = Arrival(CHANNEL, CHANNEL, EntryWire.AGI, monotonic_ms(), policy, "inbound")
        call, self.first = rules.arrive(CALL, arrival, limits)
        task = CallTask(call, self.line, self.site, self.site, self.site, events=64)
        self.task = task

    async def serve(self) -> None:
        """As ``serve_call`` does."""
        try:
            with suppress(AsteriskError):
                await self.line.run(self.task)
        finally:
            self.task.feed(LeftStasis())

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not holds():  # noqa: ASYNC110 - one list for all it awaits
                await asyncio.sleep(0.005)

    async def told(self, command: str, times: int = 1) -> None:
        await self.until(
            lambda: sum(c.startswith(command) for c in self.asterisk.commands) == times
        )

    async def decided(self) -> object:
        await self.until(lambda: bool(self.site.reasons()))
        (reason,) = self.site.reasons()
        return reason

    def after(self, command: str) -> list[str]:
        """What was told behind the first command that starts so."""
        commands = self.asterisk.commands
        return commands[[c.startswith(command) for c in commands].index(True) + 1 :]


@asynccontextmanager
async def call(
    policy: Policy = ASKS, *, margin_ms: int = 10_000, **asterisk: object
) -> AsyncIterator[Scene]:
    accepted: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    server = await asyncio.start_server(
        lambda *streams: accepted.put_nowait(streams), "127.0.0.1", 0
    )
    ours = await asyncio.open_connection(*server.sockets[0].getsockname())
    theirs = await accepted.get()
    peer = Asterisk(*theirs)
    for name, value in asterisk.items():
        setattr(peer, name, value)
    session = AgiSession(AgiHeader({}, "notice", {}, CHANNEL, "ja"), *ours, 5.0)
    scene = Scene(peer, session, policy, margin_ms)
    work = [scene.task.run(scene.first), scene.serve(), peer.run()]
    running = [asyncio.ensure_future(one) for one in work]
    try:
        yield scene
        scene.task.feed(ChannelGone(monotonic_ms()))
        async with asyncio.timeout(5):
            await asyncio.gather(*running[:2])
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        for writer in (ours[1], theirs[1]):
            writer.transport.abort()
        server.close()
        await server.wait_closed()


async def test_a_yes_in_the_prompt_counts_when_the_rest_of_it_was_played() -> None:
    async with call() as scene:
        await scene.told(PLAYS)
        await asyncio.sleep(0.1)
        scene.asterisk.press("1")
        await scene.told(PLAYS, 2)
        assert not scene.site.reasons()
        assert await scene.decided() == "CONSENT_GIVEN"
        first, second = [c for c in scene.asterisk.commands if c.startswith(PLAYS)]
        assert first == PLAYS
        assert 700 < int(second.removeprefix(PLAYS).strip(' "')) < 1_600
        (completed,) = scene.site.rows(Kind.NOTICE_COMPLETED)
        assert LENGTH_MS - 40 <= int(str(completed.detail["lasted_ms"])) <= LENGTH_MS
        await scene.told(SETS)


async def test_a_no_in_the_prompt_ends_it_and_he_is_told() -> None:
    async with call() as scene:
        await scene.told(PLAYS)
        scene.asterisk.press("2")
        assert await scene.decided() == "CONSENT_REFUSED"
        await scene.until(lambda: scene.task.call.file_clock.continued_at_ms is not None)
        behind = scene.after(PLAYS)
        assert behind[0].startswith(SETS)
        assert behind[1:] == ['STREAM FILE "/prompts/ja/refused" ""'], "and no key ends that"


async def test_a_key_that_means_nothing_does_not_stop_the_prompt() -> None:
    async with call() as scene:
        await scene.told(PLAYS)
        scene.asterisk.press("5")
        assert await scene.decided() == "CONSENT_NOT_GIVEN"
        await scene.until(lambda: scene.task.call.file_clock.continued_at_ms is not None)
        assert sum(c.startswith("STREAM FILE") for c in scene.asterisk.commands) == 2


async def test_no_key_is_listened_for_where_nobody_is_asked() -> None:
    async with call(replace(ASKS, consent=Consent.NOTICE)) as scene:
        assert await scene.decided() == "NOTICE_COMPLETED"
        await scene.told(SETS)
        assert scene.asterisk.commands[1] == 'STREAM FILE "/prompts/ja/notice" ""'
        assert not [c for c in scene.asterisk.commands if c.startswith("WAIT")]


async def test_the_notice_again_begins_at_its_beginning() -> None:
    async with call() as scene:
        await scene.told(PLAYS)
        await asyncio.sleep(0.1)
        scene.asterisk.press("*")
        await scene.told(PLAYS, 2)
        assert [c for c in scene.asterisk.commands if c.startswith(PLAYS)] == [PLAYS, PLAYS]
        assert await scene.decided() == "CONSENT_NOT_GIVEN"


@pytest.mark.parametrize(("key", "reason"), [("1", "CONSENT_GIVEN"), ("2", "CONSENT_REFUSED")])
async def test_a_key_after_the_prompt(key: str, reason: str) -> None:
    async with call() as scene:
        await scene.told("WAIT FOR DIGIT")
        scene.asterisk.press("7")
        await scene.told("WAIT FOR DIGIT", 2)
        scene.asterisk.press(key)
        assert await scene.decided() == reason
        await scene.told(SETS)


async def test_the_wait_for_a_key_ends_with_the_grace() -> None:
    async with call(replace(ASKS, consent=Consent.OPT_OUT)) as scene:
        await scene.told("WAIT FOR DIGIT")
        began_ms = monotonic_ms()
        assert await scene.decided() == "CONSENT_NOT_REFUSED"
        await scene.told(SETS)
        assert 200 < monotonic_ms() - began_ms < 1_000
        assert scene.after("WAIT FOR DIGIT")[0] == "probe"


async def test_a_prompt_that_does_not_end_is_stopped_when_its_time_is_over() -> None:
    slow = {"/prompts/ja/notice": 60_000}
    async with call(replace(ASKS, consent=Consent.NOTICE), margin_ms=100, lengths_ms=slow) as scene:
        assert await scene.decided() == "NOTICE_TIMED_OUT"
        await scene.told(SETS)


async def test_a_prompt_that_goes_too_fast_was_not_heard() -> None:
    async with call(hurries=20.0) as scene:
        await scene.told(PLAYS)
        assert await scene.decided() == "NOTICE_CUT_SHORT"


async def test_time_between_the_pieces_is_no_part_of_the_prompt() -> None:
    length_ms = 4 * LENGTH_MS
    wordings = {"ja": replace(WORDING, length_ms=length_ms)}
    long = replace(ASKS, notice=replace(NOTICE, wordings=wordings))
    prompt = {"/prompts/ja/notice": length_ms}
    async with call(long, hurries=4.0, lengths_ms=prompt) as scene:
        tell = scene.line._tell

        async def slow(event: CallEvent) -> None:
            await asyncio.sleep(length_ms / 3_000)
            await tell(event)

        scene.line._tell = slow  # type: ignore[method-assign]
        for times in range(1, 4):
            await scene.told(PLAYS, times)
            await asyncio.sleep(0.02)  # a key before the first sample leaves the prompt where it is
            scene.asterisk.press("1")
        assert await scene.decided() == "NOTICE_CUT_SHORT"
        assert scene.asterisk.commands.count(PLAYS) == 1


async def test_a_missing_prompt() -> None:
    async with call(lengths_ms={}) as scene:
        await scene.told(PLAYS)
        assert await scene.decided() == "NOTICE_FAILED"
        assert scene.after(PLAYS)[0] == "NOOP"


@pytest.mark.parametrize("during", [PLAYS, "WAIT FOR DIGIT"])
async def test_who_hangs_up_has_not_agreed(during: str) -> None:
    async with call(replace(ASKS, consent=Consent.OPT_OUT)) as scene:
        await scene.told(during)
        scene.asterisk.press("-")
        assert await scene.decided() == "HANGUP_IN_NOTICE"


@pytest.mark.parametrize("during", [PLAYS, "WAIT FOR DIGIT"])
async def test_a_call_that_is_over_ends_its_session(during: str) -> None:
    """AMI may say so before AGI does; nobody answers what the line reports then."""
    async with call() as scene:
        await scene.told(during)
        scene.task.feed(ChannelGone(monotonic_ms()))
        assert await scene.decided() == "HANGUP_IN_NOTICE"
        await scene.told("probe")
