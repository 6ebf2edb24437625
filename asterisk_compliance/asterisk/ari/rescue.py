"""Sends every channel in our Stasis application back to the dialplan. Plain HTTP, no event loop.

This is for a process that acts while the service itself cannot. Each request has its own time
limit. Nothing here hangs up a channel, since a late request would end a live call.
"""

from __future__ import annotations

import base64
import http.client
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlsplit

from asterisk_compliance.asterisk.ari.address import AriAddress
from asterisk_compliance.errors import AsteriskUnavailable
from asterisk_compliance.ids import ChannelId, PlaybackId

_LONGEST_BODY = 1 << 20
_CALLEE = "leg=callee"
"""What our routine gives to ``Stasis()`` inside ``Dial``'s ``U()`` (docs/dialplan.md)."""
_BEHIND_CALLEE = 2
"""Inside ``U()`` Asterisk enters ``Stasis()`` again unless it is told the line of it and two."""


def release_waiting(
    address: AriAddress, playing: Mapping[ChannelId, PlaybackId], request_s: float
) -> Iterator[ChannelId]:
    """Let every channel go on that waits in the application, and tell each that did.

    Channels that are only subscribed to, and channels that whisper, do not wait there.

    Args:
        address: Where ARI is, and who we are.
        playing: What plays on which channel: Asterisk lets it go on when that has ended.
        request_s: Until one request counts as unanswered.

    Raises:
        AsteriskUnavailable: Asterisk cannot be asked any more.
    """
    ari = _Ari(address, request_s)
    try:
        known = ari.request("GET", f"applications/{quote(address.application, safe='')}")
        for channel in known.get("channel_ids", ()) if known else ():
            found = ari.request("GET", f"channels/{quote(channel, safe='')}")
            if found is None or not _waits(found):
                continue
            if (playback := playing.get(channel)) is not None:
                ari.request("DELETE", f"playbacks/{quote(playback, safe='')}")
            if ari.go_on(channel, found):
                yield ChannelId(channel)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise AsteriskUnavailable(f"{address.url}: {type(error).__name__}") from None
    finally:
        ari.close()


def _waits(channel: dict[str, Any]) -> bool:
    in_stasis = channel["dialplan"]["app_name"] == "Stasis"
    return in_stasis and not channel["name"].startswith("Snoop/")


class _Ari:
    """One connection, one request after the other."""

    def __init__(self, address: AriAddress, request_s: float) -> None:
        where = urlsplit(address.url)
        secure = where.scheme == "https"
        connection = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        self._connection = connection(where.hostname or "", where.port, timeout=request_s)
        self._path = where.path.rstrip("/")
        token = base64.b64encode(f"{address.user}:{address.password}".encode()).decode("ascii")
        self._headers = {"Authorization": f"Basic {token}"}

    def request(self, method: str, path: str) -> dict[str, Any] | None:
        """What Asterisk answers; ``None`` where it refuses: the channel is gone, or went on."""
        self._connection.request(method, f"{self._path}/{path}", headers=self._headers)
        answer = self._connection.getresponse()
        body = answer.read(_LONGEST_BODY)
        if answer.status >= http.client.MULTIPLE_CHOICES:
            return None
        return dict(json.loads(body)) if body else {}

    def go_on(self, channel: str, found: dict[str, Any]) -> bool:
        dialplan = found["dialplan"]
        arguments: Sequence[str] = str(dialplan["app_data"]).split(",")
        line = int(dialplan["priority"]) + _BEHIND_CALLEE
        where = f"?priority={line}" if _CALLEE in arguments else ""
        path = f"channels/{quote(channel, safe='')}/continue{where}"
        return self.request("POST", path) is not None

    def close(self) -> None:
        self._connection.close()
