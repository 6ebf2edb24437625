"""SIP messages as text, and the little SDP that a telephone needs (RFC 3261, RFC 4566).

Text is UTF-8 with ``surrogateescape``: any byte can be received, and sent on purpose.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from typing import NamedTuple

_SHORT = {"f": "from", "t": "to", "i": "call-id", "v": "via", "m": "contact", "l": "content-length"}
REASONS = {
    100: "Trying",
    180: "Ringing",
    183: "Session Progress",
    200: "OK",
    202: "Accepted",
    404: "Not Found",
    480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist",
    486: "Busy Here",
    487: "Request Terminated",
    491: "Request Pending",
    501: "Not Implemented",
    603: "Decline",
}


def token(bits: int = 64) -> str:
    return f"{random.getrandbits(bits):x}"


@dataclass(frozen=True, slots=True)
class Message:
    """A request or a response.

    Attributes:
        start: Its first line.
        headers: In order, names as written.
    """

    start: str
    headers: tuple[tuple[str, str], ...]
    body: str = ""

    @classmethod
    def parse(cls, data: bytes) -> Message:
        """Read a datagram.

        Raises:
            ValueError: it is no SIP message.
        """
        head, _, body = data.decode("utf-8", "surrogateescape").partition("\r\n\r\n")
        start, *lines = re.sub(r"\r\n[ \t]+", " ", head).split("\r\n")
        if "SIP/2.0" not in start:
            raise ValueError("not SIP")
        pairs = (line.partition(":") for line in lines)
        return cls(start, tuple((name.strip(), value.strip()) for name, _, value in pairs), body)

    def encode(self) -> bytes:
        body = self.body.encode("utf-8", "surrogateescape")
        lines = [self.start, *(f"{name}: {value}" for name, value in self.headers)]
        lines.append(f"Content-Length: {len(body)}")
        return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape") + body

    def all(self, name: str) -> list[str]:
        wanted = name.lower()
        return [
            value
            for header, value in self.headers
            if _SHORT.get(header.lower(), header.lower()) == wanted
        ]

    def header(self, name: str) -> str:
        """The first value of a header, or an empty text."""
        return next(iter(self.all(name)), "")

    @property
    def status(self) -> int:
        """The status of a response; 0 for a request."""
        return int(self.start.split()[1]) if self.start.startswith("SIP/2.0") else 0

    @property
    def method(self) -> str:
        """The method of a request, or of the request that a response answers."""
        return (
            self.header("CSeq").partition(" ")[2].strip() if self.status else self.start.split()[0]
        )

    @property
    def cseq(self) -> int:
        return int(self.header("CSeq").split()[0])

    @property
    def call_id(self) -> str:
        return self.header("Call-ID")

    @property
    def branch(self) -> str:
        match = re.search(r"branch=([^;,\s]+)", self.header("Via"))
        return match[1] if match else ""

    @property
    def contact(self) -> str:
        """The URI of the Contact header."""
        match = re.search(r"<([^>]+)>", self.header("Contact"))
        return match[1] if match else self.header("Contact")

    def response(self, status: int, to_tag: str, contact: str, body: str = "") -> Message:
        """A response to this request, with what a response repeats."""
        to = self.header("To")
        if to_tag and ";tag=" not in to:
            to += f";tag={to_tag}"
        headers = [("Via", via) for via in self.all("Via")]
        headers += [("From", self.header("From")), ("To", to), ("Call-ID", self.call_id)]
        headers += [("CSeq", self.header("CSeq")), ("Contact", contact), ("Allow", ALLOW)]
        if body:
            headers.append(("Content-Type", "application/sdp"))
        return Message(f"SIP/2.0 {status} {REASONS.get(status, '-')}", tuple(headers), body)


ALLOW = "INVITE, ACK, BYE, CANCEL, OPTIONS, NOTIFY, REFER, INFO"


def tag_of(address: str) -> str:
    match = re.search(r";tag=([^;>\s]+)", address)
    return match[1] if match else ""


class Media(NamedTuple):
    """Where the other side wants its audio, and in which direction it offers it."""

    host: str
    port: int
    direction: str


def describe(port: int, version: int, direction: str) -> str:
    """An SDP body: PCMU, digits, 20 ms."""
    lines = [
        "v=0",
        f"o=- 1 {version} IN IP4 127.0.0.1",
        "s=-",
        "c=IN IP4 127.0.0.1",
        "t=0 0",
        f"m=audio {port} RTP/AVP 0 101",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:101 telephone-event/8000",
        "a=fmtp:101 0-16",
        "a=ptime:20",
        f"a={direction}",
    ]
    return "\r\n".join([*lines, ""])


def read_media(body: str) -> Media | None:
    """The audio line of an SDP body; ``None`` where there is none."""
    port = re.search(r"(?m)^m=audio (\d+)", body)
    host = re.search(r"(?m)^c=IN IP4 (\S+)", body)
    direction = re.search(r"(?m)^a=(sendrecv|sendonly|recvonly|inactive)\s*$", body)
    if port is None or host is None:
        return None
    return Media(host[1], int(port[1]), direction[1] if direction else "sendrecv")
