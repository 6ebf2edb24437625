"""One connection to one Asterisk's manager interface: a few actions, a few events.

The AMI user needs ``read = call,user`` and ``write = call``; ``user`` is for the dialplan's own
``UserEvent``, and without it everything else works. Who observes the dialplans of others reads
``dialplan`` too. Actions are never sent twice: one that was not answered when the connection
dropped fails, and its caller decides.
"""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass, field
from typing import Literal, NoReturn, Protocol, TypeAlias

import structlog

from asterisk_compliance.asterisk.ami import events as ami_events
from asterisk_compliance.asterisk.ami import observed_events as ami_observed
from asterisk_compliance.asterisk.ami.events import AmiEvent
from asterisk_compliance.asterisk.ami.observed_events import ObservedEvent
from asterisk_compliance.asterisk.ami.protocol import AmiProtocol, Headers
from asterisk_compliance.asterisk.backoff import Backoff
from asterisk_compliance.asterisk.dispatch import call_listener
from asterisk_compliance.errors import AsteriskUnavailable, RequestRefused
from asterisk_compliance.ids import ChannelId

_LOGIN_HINT = "compare the user name and the secret with manager.conf, and its permit and acl"
_NOT_THERE = "is Asterisk running? manager.conf: enabled = yes, and the same bindaddr and port"

MOST_IGNORED = 100
"""So many types of events are told apart that nobody here uses."""
_LONGEST_DIGIT_MS = 5_000
_DIGIT = re.compile(r"[0-9A-D*#]")
_PLACE = re.compile(r"[A-Za-z0-9_-]{1,79}")
"""Asterisk cuts a context or an extension after 79 characters (``AST_MAX_CONTEXT``)."""

log = structlog.get_logger()

AnyEvent: TypeAlias = AmiEvent | ObservedEvent


@dataclass(frozen=True, slots=True)
class AmiAddress:
    host: str
    port: int
    user: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class AmiLimits:
    """Every wait of a connection to AMI.

    Attributes:
        ping_every_s: Pause between a pong and the next ping: for so long what happens may be told
            late before anybody notices.
        late_s: Until a ping is answered; after that all that is told may have happened long ago.
        ping_s: The same; after that the connection counts as lost.
        login_backoff: Waits after a refused login: longer, since no retry mends a wrong secret.
    """

    connect_s: float = 5.0
    action_s: float = 5.0
    ping_every_s: float = 0.5
    ping_s: float = 5.0
    backoff: Backoff = field(default_factory=Backoff)
    login_backoff: Backoff = field(default_factory=lambda: Backoff(5.0, 60.0))
    late_s: float = 0.15


class AmiListener(Protocol):
    """What the client tells. The reader calls all of it and waits for nobody: return at once."""

    def on_connected(self, version: str) -> None:
        """Logged in; ``version`` is that of the protocol, as ``11.0.0``."""

    def on_disconnected(self, why: AsteriskUnavailable) -> None:
        """The connection is lost, or could not be made: once per outage and reason."""

    def on_login_failed(self, why: AsteriskUnavailable) -> None:
        """Asterisk refuses our user; instead of ``on_disconnected``, once per outage."""

    def on_event(self, event: AnyEvent, received_monotonic: float) -> None: ...

    def on_malformed(self, why: str) -> None: ...


class _LoginFailed(AsteriskUnavailable):
    hint = _LOGIN_HINT


class AmiClient:
    """A client of one Asterisk.

    Every action raises :class:`~asterisk_compliance.errors.AsteriskUnavailable` when there is no
    connection, it was lost, or no answer came in time; ``RequestRefused`` when Asterisk says no;
    and ``ValueError``, before anything is sent, for a value that could break out of its line.

    ``observes``: also ask for, and tell, what ``observed_events.py`` reads.

    Attributes:
        connected: Whether we are logged in.
        ignored: How many events came that nobody here uses, by type.
    """

    def __init__(
        self,
        address: AmiAddress,
        listener: AmiListener,
        limits: AmiLimits | None = None,
        *,
        observes: bool = False,
    ) -> None:
        self.connected = False
        self.ignored: dict[str, int] = {}
        self._address = address
        self._listener = listener
        self._limits = limits or AmiLimits()
        self._observes = observes
        self._protocol: AmiProtocol | None = None
        self._sure_s = 0.0
        self._asked_s: float | None = None
        self._late_until_s = 0.0
        self._late_s: float | None = None

    def told_until_s(self, now_s: float) -> float:
        """Until when all that happened was told, as far as anybody knows, on the monotonic clock.

        ``now_s``, as long as Asterisk answers in time. Else when it was last asked something whose
        answer is there: whatever is told now may have happened at any moment since.
        """
        waits = self._asked_s is not None and now_s - self._asked_s > self._limits.late_s
        return self._sure_s if waits or now_s < self._late_until_s else now_s

    async def run(self) -> NoReturn:
        """Connect, log in, and do so again, until cancelled."""
        attempt = 0
        told = ""
        while True:
            began = time.monotonic()
            try:
                await self._connection()
            except AsteriskUnavailable as error:
                why = error
            login_failed = isinstance(why, _LoginFailed)
            if self.connected or str(why) != told:
                told = str(why)
                self.connected = False
                log.warning("ami_disconnected", why=told, hint=why.hint)
                on_end = self._listener.on_login_failed if login_failed else None
                call_listener(on_end or self._listener.on_disconnected, why)
            backoff = self._limits.login_backoff if login_failed else self._limits.backoff
            if time.monotonic() - began > backoff.longest_s:
                attempt = 0
            await asyncio.sleep(backoff.delay_s(attempt))
            attempt += 1

    async def setvar(self, channel: ChannelId, name: str, value: str) -> None:
        """Set a variable of a channel, in Stasis or not."""
        await self._act("Setvar", channel, Variable=name, Value=value)

    async def stop_mixmonitor(self, channel: ChannelId, mixmonitor_id: str) -> None:
        """Stop one MixMonitor.

        Raises:
            ValueError: the id is empty: Asterisk would stop all of the channel's.
        """
        await self._act("StopMixMonitor", channel, MixMonitorID=_one(mixmonitor_id))

    async def mute(
        self,
        channel: ChannelId,
        mixmonitor_id: str,
        direction: Literal["read", "write", "both"],
        *,
        muted: bool,
    ) -> None:
        """Put silence into the file, or stop doing so; time in the file goes on.

        Raises:
            ValueError: the id is empty: Asterisk would mute all of the channel's.
        """
        await self._act(
            "MixMonitorMute",
            channel,
            MixMonitorID=_one(mixmonitor_id),
            Direction=direction,
            State="1" if muted else "0",
        )

    async def play_dtmf(
        self, channel: ChannelId, digit: str, *, receive: bool, duration_ms: int
    ) -> None:
        """Press a key. The answer proves nothing: wait for what the key was to bring about.

        ``digit`` is one of ``0`` to ``9``, ``A`` to ``D``, ``*`` and ``#``; ``duration_ms`` is 1 to
        5000. With ``receive`` it is as if the channel's party had pressed the key, so that
        features see it; without, the party hears it.

        Raises:
            ValueError: no such digit, or no such duration.
        """
        if not _DIGIT.fullmatch(digit):
            raise ValueError("AMI PlayDTMF: not a digit")
        if not 0 < duration_ms <= _LONGEST_DIGIT_MS:
            raise ValueError(f"AMI PlayDTMF: a digit lasts 1 to {_LONGEST_DIGIT_MS} ms")
        await self._act(
            "PlayDTMF",
            channel,
            Digit=digit,
            Duration=str(duration_ms),
            Receive="true" if receive else "false",
        )

    async def redirect(
        self, channel: ChannelId, context: str, exten: str, priority: int = 1
    ) -> None:
        """Send a channel to another place of the dialplan, out of its bridge.

        Accepted is not arrived: it leaves what it executes a moment later.

        Raises:
            ValueError: context or extension is not made of letters, digits, ``_`` and ``-``, or
                the priority is below 1.
        """
        if not (_PLACE.fullmatch(context) and _PLACE.fullmatch(exten) and priority >= 1):
            raise ValueError("AMI Redirect: not a context, an extension and a priority")
        await self._act("Redirect", channel, Context=context, Exten=exten, Priority=str(priority))

    async def _act(self, action: str, channel: ChannelId, **headers: str) -> None:
        if not channel:
            raise ValueError(f"AMI {action}: no channel")
        answer = await self._request({"Action": action, "Channel": channel, **headers})
        if answer["Response"] != "Success":
            said = _said(answer)
            hint = "manager.conf: write = call" if said == "Permission denied" else ""
            raise RequestRefused(action, 0, said, hint=hint)

    async def _request(self, headers: dict[str, str]) -> Headers:
        if self._protocol is None or not self.connected:
            raise AsteriskUnavailable("not connected to AMI")
        return await self._protocol.request(headers, self._limits.action_s)

    async def _connection(self) -> NoReturn:
        """Live through one connection.

        Raises:
            AsteriskUnavailable: why it could not be made, or ended.
        """
        protocol = await self._open()
        self._protocol = protocol
        try:
            self._asked_s = self._late_s = None
            self._sure_s = time.monotonic()
            await self._log_in(protocol)
            self.connected = True
            log.info("ami_connected", protocol=protocol.version)
            call_listener(self._listener.on_connected, protocol.version)
            while not protocol.over.done():
                await asyncio.wait({protocol.over}, timeout=self._limits.ping_every_s)
                if not protocol.over.done():
                    await self._ping(protocol)
            raise protocol.over.result()
        finally:
            self._protocol = None
            protocol.close()
            await protocol.gone

    async def _ping(self, protocol: AmiProtocol) -> None:
        """Events may come behind the answer that were there before it."""
        self._asked_s = asked_s = time.monotonic()
        was_late = self._late_s is not None
        if self._late_s is not None and asked_s >= self._late_until_s:
            self._sure_s, self._late_s = self._late_s, None
        await protocol.request({"Action": "Ping"}, self._limits.ping_s)
        self._asked_s, now_s = None, time.monotonic()
        if now_s - asked_s <= self._limits.late_s:
            self._sure_s, self._late_s = asked_s, None
            return
        self._late_s, self._late_until_s = asked_s, now_s + self._limits.late_s
        if not was_late:
            log.warning("ami_late", for_ms=round((now_s - asked_s) * 1_000))

    async def _open(self) -> AmiProtocol:
        where = f"{self._address.host}:{self._address.port}"
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._limits.connect_s):
                _, protocol = await loop.create_connection(
                    lambda: AmiProtocol(self._on_message), self._address.host, self._address.port
                )
        except OSError:  # TimeoutError is one
            raise AsteriskUnavailable(f"no AMI at {where}", hint=_NOT_THERE) from None
        return protocol

    async def _log_in(self, protocol: AmiProtocol) -> None:
        login = {
            "Action": "Login",
            "Username": self._address.user,
            "Secret": self._address.secret,
            "Events": "call,user,dialplan" if self._observes else "call,user",
        }
        answer = await protocol.request(login, self._limits.action_s)
        if answer["Response"] != "Success":
            raise _LoginFailed(f"AMI refuses the login: {_said(answer)}")

    def _on_message(self, message: Headers) -> None:
        received = time.monotonic()
        try:
            event: AnyEvent | None = ami_events.parse(message)
            if event is None and self._observes:
                event = ami_observed.parse(message)
        except ValueError as error:
            log.warning("ami_event_malformed", why=str(error))
            call_listener(self._listener.on_malformed, str(error))
            return
        if event is None:
            name = str(message["Event"])
            if name not in self.ignored and len(self.ignored) >= MOST_IGNORED:
                name = "others"  # names can be forged, as everything in AMI
            self.ignored[name] = self.ignored.get(name, 0) + 1
        else:
            call_listener(self._listener.on_event, event, received)


def _one(mixmonitor_id: str) -> str:
    if not mixmonitor_id.strip():
        raise ValueError("an empty MixMonitor id means all of them")
    return mixmonitor_id


def _said(answer: Headers) -> str:
    """Asterisk's own sentence, if it is short and printable."""
    message = answer.get("Message")
    if isinstance(message, str) and message.isascii() and message.isprintable():
        return message if len(message) <= 120 else ""
    return ""
