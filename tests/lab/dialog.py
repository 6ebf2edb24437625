"""The names of a call and the requests within it (RFC 3261, section 12)."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING
from urllib.parse import quote

from lab.sip_message import Message, tag_of, token

if TYPE_CHECKING:
    from lab.sip import Address, ClientTransaction, Phone

Headers = Sequence[tuple[str, str]]


class Dialog:
    """One call's Call-ID, tags, sequence numbers and remote target.

    Attributes:
        local: Our address with its tag, as it stands in ``From`` of our requests.
        remote: Theirs, as it stands in ``To``.
        target: The URI that our requests go to.
        server: The UDP address that they are sent to.
    """

    def __init__(self, phone: Phone, call_id: str) -> None:
        self.phone, self.call_id = phone, call_id
        self.local, self.remote, self.target = "", "", ""
        self.server: Address = ("127.0.0.1", 0)
        self.cseq = random.randint(1, 1000)
        self._tag = token()

    def begin(self, uri: str, server: Address, sender: str) -> None:
        """We call."""
        self.server, self.target, self.remote = server, uri, f"<{uri}>"
        self.local = f"{sender};tag={self._tag}"

    def accept(self, invite: Message, source: Address) -> None:
        """We are called."""
        self.server = source
        self.local = f"{invite.header('To')};tag={self._tag}"
        self.remote, self.target = invite.header("From"), invite.contact

    def request(
        self,
        method: str,
        headers: Headers = (),
        body: str = "",
        on_response: Callable[[Message], None] | None = None,
    ) -> ClientTransaction:
        self.cseq += 1
        message = self._message(method, _new_branch(), self.cseq, headers, body)
        return self.phone.request(message, self.server, on_response)

    def cancel(self, invitation: ClientTransaction) -> None:
        invite = invitation.request
        self.phone.request(self._message("CANCEL", invite.branch, invite.cseq), self.server)

    def acknowledge(self, invitation: ClientTransaction, response: Message) -> None:
        """Send the ACK of a final answer to our INVITE, and again whenever that is repeated."""
        invite = invitation.request
        branch = _new_branch() if response.status < 300 else invite.branch
        invitation.ack = self._message("ACK", branch, invite.cseq)
        self.phone.send(invitation.ack, self.server)

    def reply(self, request: Message, status: int, body: str = "") -> None:
        response = request.response(status, self._tag, self.phone.contact, body)
        self.phone.answer(request, response, self.server)

    def refer_to_replacing(self) -> str:
        """A ``Refer-To`` value by which somebody else can take our place (RFC 3891)."""
        tags = f"to-tag={tag_of(self.remote)};from-tag={tag_of(self.local)}"
        uri = re.search(r"<([^>]+)>", self.remote)
        assert uri is not None
        return f"<{uri[1]}?Replaces={quote(f'{self.call_id};{tags}', safe='')}>"

    def _message(
        self, method: str, branch: str, cseq: int, headers: Headers = (), body: str = ""
    ) -> Message:
        first = [
            ("Via", f"SIP/2.0/UDP 127.0.0.1:{self.phone.port};branch={branch};rport"),
            ("Max-Forwards", "70"),
            ("From", self.local),
            ("To", self.remote),
            ("Call-ID", self.call_id),
            ("CSeq", f"{cseq} {method}"),
            ("Contact", self.phone.contact),
        ]
        kind = [("Content-Type", "application/sdp")] if body else []
        return Message(f"{method} {self.target} SIP/2.0", (*first, *headers, *kind), body)


def _new_branch() -> str:
    return f"z9hG4bK{token()}"
