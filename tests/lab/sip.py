"""A SIP telephone on loopback for tests: UDP, any number of calls, each a :class:`lab.leg.Leg`.

Follows RFC 3261 where a test depends on it: requests and final answers to INVITE are repeated
until they are answered (timers A, E and G), repeated requests get the same answer again, and every
wait ends. It does not authenticate, register or follow record routes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Self, cast

from lab.leg import Leg
from lab.rtp import MediaClock
from lab.sip_message import Message
from lab.tones import CALLER, Schedule, Voice

T1_S = 0.5
T2_S = 4.0
GIVE_UP_S = 64 * T1_S
Address = tuple[str, int]


def address(user: str, display: str = "", host: str = "127.0.0.1") -> str:
    """A ``From`` value with quotes and backslashes escaped; for hostile input write your own."""
    quoted = display.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}" <sip:{user}@{host}>' if display else f"<sip:{user}@{host}>"


class Repeated:
    """Bytes that are sent again, at doubling intervals, until somebody calls :meth:`stop`."""

    def __init__(
        self, send: Callable[[], None], slowest_s: float, on_give_up: Callable[[], None]
    ) -> None:
        self._send, self._slowest_s, self._on_give_up = send, slowest_s, on_give_up
        self._loop = asyncio.get_running_loop()
        self._until = self._loop.time() + GIVE_UP_S
        self._timer: asyncio.TimerHandle | None = None
        self._fire(T1_S)

    def _fire(self, interval_s: float) -> None:
        if self._loop.time() >= self._until:
            self._on_give_up()
            return
        self._send()
        following = min(2 * interval_s, self._slowest_s)
        self._timer = self._loop.call_later(interval_s, self._fire, following)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()


class ClientTransaction:
    """A request of ours on its way. ``final`` becomes its answer, or a 408 made here."""

    def __init__(
        self, phone: Phone, request: Message, to: Address, on_response: OnResponse | None
    ) -> None:
        self.request, self._phone, self._to, self._on_response = request, phone, to, on_response
        self.final: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self.ack: Message | None = None
        """Set by whoever takes the final answer to an INVITE; sent again when that is repeated."""
        slowest_s = GIVE_UP_S if request.method == "INVITE" else T2_S
        self._repeated = Repeated(lambda: phone.send(request, to), slowest_s, self._timed_out)

    def _timed_out(self) -> None:
        self.receive(self.request.response(408, "", ""))

    def receive(self, response: Message) -> None:
        if self.final.done():
            if self.ack is not None:
                self._phone.send(self.ack, self._to)
            return
        if response.status >= 200 or self.request.method == "INVITE":
            self._repeated.stop()
        if response.status >= 200:
            self.final.set_result(response)
        if self._on_response is not None:
            self._on_response(response)

    def stop(self) -> None:
        self._repeated.stop()


OnResponse = Callable[[Message], None]


class Phone(asyncio.DatagramProtocol):
    """A telephone with one voice.

    Attributes:
        schedule: What it says in every call; all phones of an event loop share one epoch.
        answer_after: Seconds from an incoming INVITE to the answer; ``None`` rings for ever
            (use :meth:`Leg.answer <lab.leg.Leg.answer>`).
        first_sequence: RTP sequence number at which each call starts; ``None`` is random.
        silent: It never sends RTP.
        lines: Calls it takes at a time; further incoming ones are answered 486.
        log: Time, direction and first line of every message.
    """

    def __init__(self, name: str, schedule: Schedule) -> None:
        self.name, self.schedule = name, schedule
        self.answer_after: float | None = 0.2
        self.first_sequence: int | None = None
        self.silent = False
        self.lines = 1
        self.legs: list[Leg] = []
        self.log: list[tuple[float, str, str]] = []
        self.strays = 0
        """Datagrams that were no SIP, or belonged to nothing."""
        self._by_call_id: dict[str, Leg] = {}
        self._clients: dict[tuple[str, str], ClientTransaction] = {}
        self._answers: dict[tuple[str, str], tuple[Message, Address]] = {}
        self._unacknowledged: dict[tuple[str, int], Repeated] = {}
        self._incoming: asyncio.Queue[Leg] = asyncio.Queue()
        self._arrivals: set[asyncio.Task[None]] = set()
        self._transport: asyncio.DatagramTransport | None = None

    @classmethod
    async def open(cls, name: str, voice: Voice = CALLER, *, port: int = 0) -> Self:
        """Bind a UDP port on loopback (any free one by default) and be ready."""
        schedule = Schedule(voice, MediaClock.shared().epoch)
        loop = asyncio.get_running_loop()
        _, phone = await loop.create_datagram_endpoint(
            lambda: cls(name, schedule), local_addr=("127.0.0.1", port)
        )
        return phone

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Hang up what is still up, without waiting for answers, and free every socket."""
        for leg in self.legs:
            leg.abandon()
        for task in self._arrivals:
            task.cancel()
        for client in self._clients.values():
            client.stop()
        for repeated in self._unacknowledged.values():
            repeated.stop()
        if self._transport is not None:
            self._transport.close()
        await asyncio.sleep(0)  # the loop closes sockets one turn later

    @property
    def port(self) -> int:
        assert self._transport is not None
        return int(self._transport.get_extra_info("sockname")[1])

    @property
    def contact(self) -> str:
        return f"<sip:{self.name}@127.0.0.1:{self.port}>"

    async def dial(
        self,
        exten: str,
        server_port: int,
        *,
        from_value: str = "",
        headers: Sequence[tuple[str, str]] = (),
    ) -> Leg:
        """Send an INVITE and return at once.

        Args:
            from_value: The ``From`` header as it is to be, without a tag; sent exactly as given.
            headers: Further headers of the INVITE, sent exactly as given.
        """
        leg = await Leg.create(self)
        self._enter(leg)
        server = ("127.0.0.1", server_port)
        leg.invite(f"sip:{exten}@127.0.0.1:{server_port}", server, from_value, headers)
        return leg

    async def next_call(self, timeout_s: float = 10.0) -> Leg:
        """The next incoming call, when it rings.

        Raises:
            TimeoutError: nobody called.
        """
        async with asyncio.timeout(timeout_s):
            return await self._incoming.get()

    # Between legs and the socket

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def send(self, message: Message, to: Address) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self.log.append((time.monotonic(), ">", message.start))
            self._transport.sendto(message.encode(), to)

    def request(
        self, message: Message, to: Address, on_response: OnResponse | None = None
    ) -> ClientTransaction:
        """Send a request, repeatedly, until it is answered; a response calls ``on_response``."""
        client = ClientTransaction(self, message, to, on_response)
        self._clients[message.branch, message.method] = client
        return client

    def answer(self, request: Message, response: Message, to: Address) -> None:
        """Answer a request; a final answer to an INVITE is repeated until its ACK comes."""
        self._answers[request.branch, request.method] = (response, to)
        if request.method == "INVITE" and response.status >= 200:
            key = (request.call_id, request.cseq)
            self._unacknowledged[key] = Repeated(
                lambda: self.send(response, to), T2_S, lambda: self._acknowledged(key)
            )
        else:
            self.send(response, to)

    def _acknowledged(self, key: tuple[str, int]) -> None:
        if repeated := self._unacknowledged.pop(key, None):
            repeated.stop()

    def _enter(self, leg: Leg) -> None:
        self.legs.append(leg)
        self._by_call_id[leg.dialog.call_id] = leg

    def datagram_received(self, data: bytes, addr: Address) -> None:
        try:
            message = Message.parse(data)
        except ValueError:
            self.strays += 1
            return
        self.log.append((time.monotonic(), "<", message.start))
        if message.status:
            client = self._clients.get((message.branch, message.method))
            if client is None:
                self.strays += 1
            else:
                client.receive(message)
        else:
            self._receive_request(message, addr)

    def _receive_request(self, message: Message, source: Address) -> None:
        known = self._answers.get((message.branch, message.method))
        leg = self._by_call_id.get(message.call_id)
        if message.method == "ACK":
            self._acknowledged((message.call_id, message.cseq))
            if leg is not None:
                leg.acknowledged()
        elif known is not None:
            self.send(*known)
        elif leg is not None:
            leg.receive(message, source)
        elif message.method == "INVITE":
            self._receive_invite(message, source)
        else:
            status = 200 if message.method in {"OPTIONS", "NOTIFY"} else 481
            self.answer(message, message.response(status, "", self.contact), source)

    def _receive_invite(self, invite: Message, source: Address) -> None:
        if sum(not leg.is_over for leg in self.legs) + len(self._arrivals) >= self.lines:
            self.answer(invite, invite.response(486, self.name, self.contact), source)
            return
        # Known at once, so that a repeated INVITE while the RTP port is opened is no second call.
        self._answers[invite.branch, "INVITE"] = (invite.response(100, "", self.contact), source)
        task = asyncio.get_running_loop().create_task(self._ring(invite, source))
        self._arrivals.add(task)
        task.add_done_callback(self._arrivals.discard)

    async def _ring(self, invite: Message, source: Address) -> None:
        leg = await Leg.create(self, invite.call_id)
        self._enter(leg)
        leg.ring(invite, source)
        self._incoming.put_nowait(leg)
        if self.answer_after is not None:
            asyncio.get_running_loop().call_later(self.answer_after, leg.answer)
