"""Logs in to AMI once, beside the service: what may the user do, and which events arrive?

No action is tried to see whether it is denied. ``ListCommands`` names the actions that a user may
send, with the classes of rights of each (main/manager.c, ``action_listcommands``).
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from asterisk_compliance.asterisk.ami.client import AmiAddress, AmiLimits
from asterisk_compliance.asterisk.ami.protocol import AmiProtocol, Headers
from asterisk_compliance.errors import AsteriskUnavailable, RequestRefused
from asterisk_compliance.ids import ChannelId

MOST_KINDS = 200
"""So many names of events are told apart."""
_RIGHTS = re.compile(r"\(Priv: ([a-z<>,]+)\)\s*$")


class AmiProbe:
    """A user who is logged in.

    Attributes:
        events: How often each event came, by its name; of a ``UserEvent`` by the name it brings.
    """

    def __init__(self, limits: AmiLimits) -> None:
        self.events: Counter[str] = Counter()
        self._limits = limits
        self.protocol = AmiProtocol(self._on_event)

    def _on_event(self, message: Headers) -> None:
        name = str(message["Event"])
        if name == "UserEvent":
            name = f"UserEvent {message.get('UserEvent', '')}"
        if name in self.events or len(self.events) < MOST_KINDS:
            self.events[name] += 1

    async def actions(self) -> Mapping[str, frozenset[str]]:
        """What the user may send, and the rights of which one is enough for it; maybe none."""
        answer = await self._request({"Action": "ListCommands"})
        found = {}
        for name, said in answer.items():
            if isinstance(said, str) and (rights := _RIGHTS.search(said)):
                found[name] = frozenset(rights[1].split(",")) - {"all", "<none>"}
        return found

    async def function(self, text: str) -> str:
        """The value of a dialplan function that needs no channel; empty if it cannot be asked."""
        answer = await self._request({"Action": "Getvar", "Variable": text})
        return str(answer.get("Value", "")) if answer["Response"] == "Success" else ""

    async def setvar(self, channel: ChannelId, name: str, value: str) -> None:
        await self._request(
            {"Action": "Setvar", "Channel": channel, "Variable": name, "Value": value}
        )

    async def press(self, channel: ChannelId, digit: str, duration_ms: int) -> None:
        """As if the channel's party had pressed the key."""
        await self._request(
            {
                "Action": "PlayDTMF",
                "Channel": channel,
                "Digit": digit,
                "Duration": str(duration_ms),
                "Receive": "true",
            }
        )

    async def log_in(self, address: AmiAddress) -> None:
        """Say who we are.

        Raises:
            RequestRefused: Asterisk does not take this user, or this secret.
        """
        answer = await self._request(
            {
                "Action": "Login",
                "Username": address.user,
                "Secret": address.secret,
                "Events": "on",
            }
        )
        if answer["Response"] != "Success":
            raise RequestRefused("the login", 0)

    async def _request(self, headers: Mapping[str, str]) -> Headers:
        return await self.protocol.request(headers, self._limits.action_s)


@asynccontextmanager
async def logged_in(address: AmiAddress, limits: AmiLimits) -> AsyncIterator[AmiProbe]:
    """Log in, and out again.

    Raises:
        AsteriskUnavailable: nothing answers, or not in time.
        RequestRefused: Asterisk does not take this user, or this secret.
    """
    probe = AmiProbe(limits)
    where = f"{address.host}:{address.port}"
    try:
        async with asyncio.timeout(limits.connect_s):
            await asyncio.get_running_loop().create_connection(
                lambda: probe.protocol, address.host, address.port
            )
    except OSError:  # TimeoutError is one
        raise AsteriskUnavailable(f"nothing answers at {where}") from None
    try:
        await probe.log_in(address)
        yield probe
    finally:
        probe.protocol.close()
        await probe.protocol.gone
