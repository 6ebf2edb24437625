"""One call of a test telephone: its dialog, its audio, and when what happened."""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from lab.dialog import Dialog, Headers
from lab.rtp import FRAME_S, Heard, RtpStream
from lab.sip_message import Media, Message, describe, read_media, token

if TYPE_CHECKING:
    from lab.sip import Address, ClientTransaction, Phone


class CallFailed(Exception):
    """The call ended before it was answered.

    Attributes:
        status: The final answer to the INVITE: 486 busy, 487 cancelled, 408 no answer at all.
    """

    def __init__(self, status: int) -> None:
        super().__init__(f"the call ended with {status}")
        self.status = status


class Leg:
    """A call, outgoing or incoming.

    Attributes:
        times: ``time.monotonic()`` of ``invite``, ``trying``, ``ringing``, ``answered`` (2xx sent
            or received), ``confirmed`` (ACK received), ``first_rtp``, ``transfer`` and ``ended``.
        status: The final status of the INVITE; 0 before it.
        ended_by: ``us`` or ``them``; empty while the call lives.
        media: The RTP socket: what was sent and received.
        received: Requests of the other side within this call, and the INVITE that began it.
    """

    def __init__(self, phone: Phone, call_id: str) -> None:
        self.phone = phone
        self.dialog = Dialog(phone, call_id)
        self.times: dict[str, float] = {}
        self.status = 0
        self.ended_by = ""
        self.received: list[Message] = []
        self.media: RtpStream
        self._direction = "sendrecv"
        self._invitation: ClientTransaction | None = None
        self._incoming: Message | None = None
        self._cancelling = False
        self._transfer_status = 0
        self._changed = asyncio.Event()

    @classmethod
    async def create(cls, phone: Phone, call_id: str = "") -> Leg:
        leg = cls(phone, call_id or f"{token()}@127.0.0.1")
        first = phone.first_sequence
        sequence = random.randrange(1 << 16) if first is None else first
        leg.media = await RtpStream.open(phone.schedule, sequence, lambda: leg._note("first_rtp"))
        return leg

    # What a test waits for

    @property
    def is_answered(self) -> bool:
        return "confirmed" in self.times

    @property
    def is_over(self) -> bool:
        return bool(self.ended_by)

    async def until(self, holds: Callable[[], bool], timeout_s: float) -> None:
        """Wait until a condition on this leg holds.

        Raises:
            TimeoutError: it did not in time.
        """
        async with asyncio.timeout(timeout_s):
            while not holds():
                self._changed.clear()
                await self._changed.wait()

    async def ringing(self, timeout_s: float = 5.0) -> None:
        await self.until(lambda: "ringing" in self.times or self.is_over, timeout_s)

    async def answered(self, timeout_s: float = 10.0) -> None:
        """Wait until both sides know that the call is up.

        Raises:
            CallFailed: it ended instead.
            TimeoutError: neither came in time.
        """
        await self.until(lambda: self.is_answered or self.is_over, timeout_s)
        if not self.is_answered:
            raise CallFailed(self.status)

    async def ended(self, timeout_s: float = 10.0) -> None:
        await self.until(lambda: self.is_over, timeout_s)

    async def first_rtp(self, timeout_s: float = 5.0) -> None:
        await self.until(lambda: "first_rtp" in self.times, timeout_s)

    async def until_heard(self, seconds: float, timeout_s: float = 10.0) -> None:
        """Wait until so much audio arrived from now on."""
        await self.media.receive(round(seconds / FRAME_S), timeout_s)

    def heard_pcm(self) -> Heard:
        return self.media.heard()

    @property
    def spoke(self) -> tuple[float, float] | None:
        """Clock times of the first sample sent and of the end of the last; ``None``: nothing."""
        first, last = self.media.first_sent, self.media.last_sent
        return None if first is None or last is None else (first, last)

    # What a test does

    def answer(self) -> None:
        """Answer an incoming call that rings; anything else is left alone."""
        if self._incoming is not None and not self.status and not self.is_over:
            self.status = 200
            self._note("answered")
            self.dialog.reply(self._incoming, 200, self._describe())
            self._let_speak()

    async def hang_up(self, timeout_s: float = 5.0) -> None:
        """End the call in the way its state asks for: BYE, CANCEL, or 603 to who calls us."""
        if self.is_over:
            return
        if self.is_answered:
            bye = self.dialog.request("BYE")
            self._end("us")
            async with asyncio.timeout(timeout_s):
                await bye.final
        elif self._incoming is not None and not self.status:
            self.refuse(603)
        elif self._incoming is not None:  # BYE may follow only the ACK
            await self.answered(timeout_s)
            await self.hang_up(timeout_s)
        else:
            self._cancelling = True
            self._cancel()
            await self.ended(timeout_s)

    def refuse(self, status: int = 486) -> None:
        """Refuse an incoming call that rings."""
        assert self._incoming is not None
        self.status = status
        self.dialog.reply(self._incoming, status)
        self._end("us")

    def send_digit(self, digit: str) -> None:
        self.media.send_digit(digit)

    def stop_sending(self) -> None:
        """Send no RTP; the tone schedule runs on meanwhile."""
        self.media.stop()

    def start_sending(self) -> None:
        self.media.start()

    async def hold(self, timeout_s: float = 5.0) -> int:
        """Put the other side on hold and fall silent; returns the status of the re-INVITE."""
        self.stop_sending()
        return await self._reinvite("sendonly", timeout_s)

    async def resume(self, timeout_s: float = 5.0) -> int:
        status = await self._reinvite("sendrecv", timeout_s)
        self._let_speak()
        return status

    async def transfer(self, exten: str, timeout_s: float = 10.0) -> int:
        """Blind transfer; see :meth:`_refer`."""
        return await self._refer(f"<sip:{exten}@127.0.0.1:{self.dialog.server[1]}>", timeout_s)

    async def transfer_to(self, other: Leg, timeout_s: float = 10.0) -> int:
        """Attended transfer to the far end of another leg of this phone (RFC 3891)."""
        return await self._refer(other.dialog.refer_to_replacing(), timeout_s)

    def abandon(self) -> None:
        """Leave without waiting: one BYE or CANCEL is sent, sockets are freed."""
        if not self.is_over:
            if self.is_answered:
                self.dialog.request("BYE")
            elif self._incoming is None:
                self._cancelling = True
                self._cancel()
            elif not self.status:
                self.refuse(480)
            self._end("us")
        self.media.close()

    # Outgoing requests

    def invite(self, uri: str, server: Address, from_value: str, headers: Headers) -> None:
        sender = from_value or f"<sip:{self.phone.name}@127.0.0.1:{self.phone.port}>"
        self.dialog.begin(uri, server, sender)
        self._note("invite")
        self._invitation = self.dialog.request(
            "INVITE", headers, self._describe(), on_response=self._invite_answered
        )

    def _describe(self) -> str:
        return describe(self.media.port, self.dialog.cseq, self._direction)

    def _invite_answered(self, response: Message) -> None:
        invitation = self._invitation
        assert invitation is not None
        if media := read_media(response.body):
            self._meet(media)
        if response.status < 200:
            self._note("trying")
            if response.status > 100:
                self._note("ringing")
            self._cancel()
            return
        self.status = response.status
        self.dialog.remote = response.header("To")
        if response.status < 300:
            self.dialog.target = response.contact or self.dialog.target
        if response.status != 408:
            self.dialog.acknowledge(invitation, response)
        if response.status >= 300:
            self._end("us" if self._cancelling else "them")
        elif self._cancelling or self.is_over:  # the answer crossed our CANCEL
            self.dialog.request("BYE")
            self._end("us")
        else:
            self._note("answered")
            self._note("confirmed")
            self._let_speak()

    def _cancel(self) -> None:
        """Send the CANCEL that is wanted; not before a first response (RFC 3261, 9.1)."""
        invitation = self._invitation
        if self._cancelling and invitation and "trying" in self.times and not self.status:
            self.dialog.cancel(invitation)

    async def _reinvite(self, direction: str, timeout_s: float) -> int:
        self._direction = direction
        invitation = self.dialog.request("INVITE", (), self._describe())
        async with asyncio.timeout(timeout_s):
            response = await invitation.final
        self.dialog.acknowledge(invitation, response)
        return response.status

    async def _refer(self, refer_to: str, timeout_s: float) -> int:
        """Ask the other side to call somebody else, and hang up when that succeeded.

        Returns the last status reported by NOTIFY (or that of the REFER, if it was refused):
        200 when the new call was answered. Where the other side ends our call before it reports
        anything final, the transfer is taken to have succeeded, as a telephone would show it.
        """
        self._transfer_status = 0
        self._note("transfer")
        refer = self.dialog.request(
            "REFER", [("Refer-To", refer_to), ("Referred-By", self.dialog.local)]
        )
        async with asyncio.timeout(timeout_s):
            accepted = await refer.final
            if accepted.status >= 300:
                return accepted.status
            await self.until(lambda: self._transfer_status >= 200 or self.is_over, timeout_s)
        if self.is_over and self._transfer_status < 200:
            return 200
        if self._transfer_status == 200:
            await self.hang_up()
        return self._transfer_status

    # Incoming requests

    def ring(self, invite: Message, source: Address) -> None:
        self._incoming = invite
        self.received.append(invite)
        self.dialog.accept(invite, source)
        if media := read_media(invite.body):
            self._meet(media)
        self._note("invite")
        self.dialog.reply(invite, 180)
        self._note("ringing")

    def acknowledged(self) -> None:
        if self.status == 200:
            self._note("confirmed")

    def receive(self, request: Message, source: Address) -> None:
        """A request within this call."""
        self.received.append(request)
        self._changed.set()
        match request.method:
            case "BYE":
                self.dialog.reply(request, 200)
                self._end("them")
            case "CANCEL":
                self.dialog.reply(request, 200)
                if self._incoming is not None and not self.status:
                    self.status = 487
                    self.dialog.reply(self._incoming, 487)
                    self._end("them")
            case "INVITE":
                self._receive_reinvite(request)
            case "NOTIFY":
                self.dialog.reply(request, 200)
                if progress := re.match(r"SIP/2.0 (\d+)", request.body):
                    self._transfer_status = int(progress[1])
                    self._changed.set()
            case "REFER":
                self.dialog.reply(request, 501)
            case _:
                self.dialog.reply(request, 200)

    def _receive_reinvite(self, request: Message) -> None:
        media = read_media(request.body)
        if media:
            self._meet(media)
        mirrored = {"sendonly": "recvonly", "recvonly": "sendonly"}
        offered = media.direction if media else "sendrecv"
        self._direction = mirrored.get(offered, offered)
        self.dialog.reply(request, 200, self._describe())

    # State

    def _meet(self, media: Media) -> None:
        self.media.remote = (media.host, media.port)
        if self._incoming is None:
            self._let_speak()

    def _let_speak(self) -> None:
        if not self.phone.silent and not self.is_over:
            self.media.start()

    def _note(self, moment: str) -> None:
        self.times.setdefault(moment, time.monotonic())
        self._changed.set()

    def _end(self, by: str) -> None:
        if not self.is_over:
            self.ended_by = by
            self.media.stop()
            self._note("ended")
