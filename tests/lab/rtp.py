"""RTP of a test party: PCMU from its tone schedule, RFC 4733 digits, and all that arrives.

One clock per event loop sends for all parties, so that twenty of them cost little. A frame is
never sent before its time, and never more than one frame after it: where the loop was held up,
frames are left out, as a network would lose them. So a sample that is found in a recording was
recorded within 20 ms of the time for which it stands.
"""

from __future__ import annotations

import asyncio
import random
import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, cast
from weakref import WeakKeyDictionary

import numpy as np

from lab.g711 import Pcm, ulaw_decode, ulaw_encode
from lab.tones import FRAME, RATE, Schedule

PCMU = 0
TELEPHONE_EVENT = 101
FRAME_S = FRAME / RATE
_DIGITS = "0123456789*#ABCD"
_FIRST_END = 6
"""Frames that a digit has sounded for when its first end packet is sent."""
_REANCHOR = round(0.06 * RATE)
"""Samples; a stream whose timestamps drift further than this from its arrivals was changed."""
_LEFT_OUT = 10 * FRAME
"""Samples from packet to packet in one run: some may have been left out by who was held up."""
_RUN = 50
"""Packets, a second: one that is held up no longer than this is followed by others in time."""


@dataclass(frozen=True, slots=True)
class Packet:
    """An RTP packet as it arrived; ``at`` is ``time.monotonic()``."""

    at: float
    payload_type: int
    sequence: int
    timestamp: int
    source: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Heard:
    """What a party received: samples, and the clock time of the first of them."""

    pcm: Pcm
    clock_start: float

    def clock_of(self, position_s: float) -> float:
        return self.clock_start + position_s


class MediaClock:
    """Ticks every 20 ms while a stream is sending. Frame ``k`` is due at ``epoch + k * 0.02``."""

    _of_loop: ClassVar[WeakKeyDictionary[asyncio.AbstractEventLoop, MediaClock]] = (
        WeakKeyDictionary()
    )

    def __init__(self) -> None:
        self.epoch = time.monotonic()
        self._streams: set[RtpStream] = set()
        self._timer: asyncio.TimerHandle | None = None

    @classmethod
    def shared(cls) -> MediaClock:
        """The clock of the running event loop."""
        return cls._of_loop.setdefault(asyncio.get_running_loop(), cls())

    def add(self, stream: RtpStream) -> None:
        self._streams.add(stream)
        if self._timer is None:
            self._wait(self._due() + 1)

    def discard(self, stream: RtpStream) -> None:
        self._streams.discard(stream)
        if not self._streams and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _due(self) -> int:
        return int((time.monotonic() - self.epoch) / FRAME_S)

    def _wait(self, frame: int) -> None:
        delay = self.epoch + frame * FRAME_S - time.monotonic()
        self._timer = asyncio.get_running_loop().call_later(max(0.0, delay), self._tick, frame)

    def _tick(self, frame: int) -> None:
        if time.monotonic() < self.epoch + frame * FRAME_S:
            self._wait(frame)  # the loop's clock is coarser than ours
            return
        frame = max(frame, self._due())
        for stream in tuple(self._streams):
            stream.send_frame(frame)
        if self._streams:
            self._wait(frame + 1)


def _run_end(packets: Sequence[Packet], first: int) -> int:
    """Where the run of one stream ends to which ``first`` belongs, or a second of it."""
    end = first + 1
    while end < min(len(packets), first + _RUN):
        last, now = packets[end - 1], packets[end]
        if now.source != last.source or not 0 < now.timestamp - last.timestamp <= _LEFT_OUT:
            break
        end += 1
    return end


class RtpStream(asyncio.DatagramProtocol):
    """One leg's RTP socket. Sends once it knows the other side's address and is told to."""

    def __init__(
        self, schedule: Schedule, first_sequence: int, on_first: Callable[[], None]
    ) -> None:
        self._schedule = schedule
        self._clock = MediaClock.shared()
        self._sequence = first_sequence
        self._source = random.getrandbits(32)
        self._on_first = on_first
        self._digits: list[tuple[int, int, bool, int]] = []
        self._sounds: list[bytes] = []
        self._event_start = 0
        self._awaited: list[tuple[int, asyncio.Future[None]]] = []
        self._transport: asyncio.DatagramTransport | None = None
        self.remote: tuple[str, int] | None = None
        self.received: list[Packet] = []
        self.first_sent: float | None = None
        """Clock time of the first sample sent; ``None`` before it."""
        self.last_sent: float | None = None
        """Clock time of the end of the last sample sent."""
        self.digits_ended: list[float] = []
        """Clock time at which each digit's first end packet was sent."""

    @classmethod
    async def open(
        cls, schedule: Schedule, first_sequence: int, on_first: Callable[[], None]
    ) -> RtpStream:
        _, stream = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: cls(schedule, first_sequence, on_first), local_addr=("127.0.0.1", 0)
        )
        return stream

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    @property
    def port(self) -> int:
        assert self._transport is not None
        return int(self._transport.get_extra_info("sockname")[1])

    def start(self) -> None:
        self._clock.add(self)

    def stop(self) -> None:
        """Send nothing more until :meth:`start`; the schedule runs on meanwhile."""
        self._clock.discard(self)

    def close(self) -> None:
        self.stop()
        if self._transport is not None:
            self._transport.close()

    def send_digit(self, digit: str) -> None:
        """Queue a digit of 120 ms in place of the voice, and 60 ms of voice after it (RFC 4733)."""
        event = _DIGITS.index(digit)
        lengths = [FRAME * (step + 1) for step in range(6)]
        self._digits += [(event, length, False, step) for step, length in enumerate(lengths)]
        ends = [(event, lengths[-1], True, _FIRST_END + again) for again in range(3)]
        self._digits += ends + [(-1, 0, False, 0)] * 3

    def send_sound(self, pcm: Pcm) -> None:
        """Queue sound in place of the voice, in whole frames of 20 ms."""
        frames = pcm[: len(pcm) // FRAME * FRAME].reshape(-1, FRAME)
        self._sounds += [ulaw_encode(frame) for frame in frames]

    @property
    def is_saying(self) -> bool:
        """Digits or sounds wait to be sent."""
        return bool(self._digits or self._sounds)

    def send_frame(self, number: int) -> None:
        if self.remote is None or self._transport is None or self._transport.is_closing():
            return
        timestamp, kind, body = number * FRAME, PCMU, b""
        event, length, end, step = self._digits.pop(0) if self._digits else (-1, 0, False, 0)
        if event < 0:
            body = self._sounds.pop(0) if self._sounds else self._schedule.frame(number)
            start = self._schedule.clock_of(number * FRAME)
            self.first_sent = start if self.first_sent is None else self.first_sent
            self.last_sent = start + FRAME_S
        else:
            self._event_start = timestamp if step == 0 else self._event_start
            timestamp, kind = self._event_start, TELEPHONE_EVENT
            body = struct.pack("!BBH", event, 0x8A if end else 0x0A, length)
            if step == _FIRST_END:
                self.digits_ended.append(self._schedule.clock_of(number * FRAME))
        header = struct.pack(
            "!BBHII", 0x80, kind, self._sequence & 0xFFFF, timestamp & 0xFFFFFFFF, self._source
        )
        self._transport.sendto(header + body, self.remote)
        self._sequence += 1

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if len(data) < 12 or data[0] >> 6 != 2:
            return
        second, sequence, timestamp, source = struct.unpack_from("!BHII", data, 1)
        body = data[12 + 4 * (data[0] & 0x0F) :]
        packet = Packet(time.monotonic(), second & 0x7F, sequence, timestamp, source, body)
        self.received.append(packet)
        if len(self.received) == 1:
            self._on_first()
        for count, arrived in tuple(self._awaited):
            if len(self.received) >= count:
                self._awaited.remove((count, arrived))
                if not arrived.done():
                    arrived.set_result(None)

    async def receive(self, packets: int, timeout_s: float) -> None:
        """Wait until so many more packets arrived.

        Raises:
            TimeoutError: they did not in time.
        """
        arrived: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._awaited.append((len(self.received) + packets, arrived))
        async with asyncio.timeout(timeout_s):
            await arrived

    def heard(self) -> Heard:
        """All received PCMU on one line of time; silence where nothing arrived.

        A packet lies where its timestamp puts it; the line is tied to arrival times anew whenever
        the source changes or its timestamps and arrivals part by more than 60 ms. Packets that
        were only held up, and are followed by others in time, move nothing.
        """
        packets = [packet for packet in self.received if packet.payload_type == PCMU]
        if not packets:
            return Heard(np.zeros(0, np.int16), time.monotonic())
        clock_start = packets[0].at
        late = [round((one.at - clock_start) * RATE) - one.timestamp for one in packets]
        placed: list[tuple[int, bytes]] = []
        source, tie = -1, 0
        for number, packet in enumerate(packets):
            if packet.source != source or late[number] + tie < -_REANCHOR:
                source, tie = packet.source, -late[number]
            elif late[number] + tie > _REANCHOR:
                least = min(late[number : _run_end(packets, number)])
                tie = -least if least + tie > _REANCHOR else tie
            placed.append((max(0, packet.timestamp - tie), packet.payload))
        pcm = np.zeros(max(at + len(body) for at, body in placed), np.int16)
        for at, body in placed:
            pcm[at : at + len(body)] = ulaw_decode(body)
        return Heard(pcm, clock_start)
