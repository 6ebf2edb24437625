"""The address of ARI, our login there, all time limits, and the meaning of a refusal."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from asterisk_compliance.asterisk.backoff import Backoff
from asterisk_compliance.errors import AsteriskUnavailable, RequestRefused

LONGEST_MESSAGE_BYTES = 1 << 20
HTTP_CONNECTIONS = 32

_STATUS = {
    401: "ARI refuses the user name or the password",
    403: "the ARI user may only read",
    404: "ARI is not enabled there",
}
_HINTS = {
    401: "compare the user name and the password with ari.conf",
    403: "ari.conf: the user needs read_only = no",
    404: "ari.conf: enabled = yes; is res_ari loaded, and does the URL end in /ari?",
}
_NOT_THERE = "is Asterisk running? http.conf: enabled = yes, and the same bindaddr and bindport"


@dataclass(frozen=True, slots=True)
class AriAddress:
    """Where ARI is, and who we are there.

    Attributes:
        url: Up to and with ``/ari``: ``http://127.0.0.1:8088/ari``.
        application: Name of our Stasis application.
    """

    url: str
    application: str
    user: str
    password: str = field(repr=False)

    def __post_init__(self) -> None:
        if "@" in self.url:
            raise ValueError("credentials do not belong into the URL")

    def session(self, limits: AriLimits) -> aiohttp.ClientSession:
        token = base64.b64encode(f"{self.user}:{self.password}".encode()).decode("ascii")
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=HTTP_CONNECTIONS, keepalive_timeout=limits.keepalive_s
            ),
            headers={"Authorization": f"Basic {token}"},
            cookie_jar=aiohttp.DummyCookieJar(),
        )


@dataclass(frozen=True, slots=True)
class AriLimits:
    """Every wait of a connection to ARI.

    Attributes:
        connect_s: Until the event WebSocket is open.
        request_s: Until a request is answered.
        probe_s: Until an Asterisk has shown that it answers over the WebSocket.
        heartbeat_s: A WebSocket ping that often; no pong for half of it ends the connection.
        keepalive_s: Less than ``session_keep_alive`` of http.conf (15 s), so that no request is
            written into a connection which Asterisk is closing.
    """

    connect_s: float = 5.0
    request_s: float = 5.0
    probe_s: float = 1.0
    heartbeat_s: float = 10.0
    keepalive_s: float = 10.0
    backoff: Backoff = field(default_factory=Backoff)


async def open_websocket(
    session: aiohttp.ClientSession, address: AriAddress, limits: AriLimits
) -> aiohttp.ClientWebSocketResponse[Any]:
    """Register the application and open its event WebSocket.

    Raises:
        AsteriskUnavailable: with a hint. It has no cause on purpose: the text of aiohttp's own
            handshake error repeats our ``Authorization`` header.
    """
    try:
        async with asyncio.timeout(limits.connect_s):
            return await session.ws_connect(
                f"{address.url.rstrip('/')}/events",
                params={"app": address.application, "subscribeAll": "false"},
                heartbeat=limits.heartbeat_s,
                max_msg_size=LONGEST_MESSAGE_BYTES,
                timeout=aiohttp.ClientWSTimeout(ws_close=1.0),
                decode_text=False,  # a message that is not UTF-8 must not end the connection
            )
    except aiohttp.WSServerHandshakeError as error:
        said = _STATUS.get(error.status, f"ARI answers with status {error.status}")
        why = AsteriskUnavailable(f"{address.url}: {said}", hint=_HINTS.get(error.status, ""))
    except (aiohttp.ClientConnectorError, TimeoutError):
        why = AsteriskUnavailable(f"{address.url}: nothing answers", hint=_NOT_THERE)
    except (aiohttp.ClientError, ValueError, OSError) as error:
        kind = type(error).__name__
        why = AsteriskUnavailable(f"{address.url}: this is not ARI ({kind})", hint=_HINTS[404])
    raise why


def refused(address: AriAddress, error: RequestRefused) -> AsteriskUnavailable:
    """A refusal of what every connection needs before anything else."""
    said = _STATUS.get(error.status, str(error)) if error.status != 404 else str(error)
    return AsteriskUnavailable(f"{address.url}: {said}", hint=_HINTS.get(error.status, ""))
