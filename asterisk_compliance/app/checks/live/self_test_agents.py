"""Agents of a self-test: each sends Asterisk a tone of its own by RTP.

No telephone and no SIP is involved: Asterisk calls the agents by ``UnicastRTP`` on loopback ports,
and they send to the address from which its first packet came.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

RATE, FRAME = 8_000, 160
FRAME_S = FRAME / RATE
_PCMU = 0
_LOUD = 6_000
_BLOCK = 400
"""50 ms: whole cycles of every tone."""
_HEARD = 1_000
"""A tone that is this loud is there; what is left of it by u-law is 1 % of it."""
_WAV_HEADER_BYTES = 44


@dataclass(frozen=True, slots=True)
class Voice:
    """A tone, and the RTP sequence number with which it begins."""

    hz: int
    first_sequence: int


VOICES = (Voice(1_400, 1_000), Voice(1_900, 20_000), Voice(2_300, 5_000))
"""The second goes on behind the first; the third begins before the second, modulo 65536, and that
is what some builds of Asterisk lose of a recording (docs/asterisk-facts.md#transfers)."""


class Agent(asyncio.DatagramProtocol):
    """One of them.

    Attributes:
        reached: Set when Asterisk sent the first packet.
    """

    def __init__(self, voice: Voice) -> None:
        self.voice = voice
        self.reached = asyncio.Event()
        self._transport: asyncio.DatagramTransport | None = None
        self._to: tuple[str, int] | None = None
        self._payload = tone(voice.hz)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if self._to is None:
            self._to = addr
            self.reached.set()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    @property
    def port(self) -> int:
        assert self._transport is not None
        return int(self._transport.get_extra_info("sockname")[1])

    async def talk(self) -> None:
        """Until cancelled: a packet every 20 ms, once it is known where to."""
        await self.reached.wait()
        assert self._transport is not None
        clock = asyncio.get_running_loop()
        began, number = clock.time(), 0
        while True:
            header = struct.pack(
                "!BBHII",
                0x80,
                _PCMU,
                (self.voice.first_sequence + number) & 0xFFFF,
                number * FRAME,
                self.voice.hz,
            )
            self._transport.sendto(header + self._payload, self._to)
            number += 1
            await asyncio.sleep(began + number * FRAME_S - clock.time())


@asynccontextmanager
async def agents(voices: Sequence[Voice]) -> AsyncIterator[list[Agent]]:
    """Agents who talk as soon as they are reached."""
    loop = asyncio.get_running_loop()
    there: list[Agent] = []
    talking: list[asyncio.Task[None]] = []
    try:
        for voice in voices:
            _, agent = await loop.create_datagram_endpoint(
                partial(Agent, voice), local_addr=("127.0.0.1", 0)
            )
            there.append(agent)
            talking.append(loop.create_task(agent.talk()))
        yield there
    finally:
        for task in talking:
            task.cancel()
        await asyncio.gather(*talking, return_exceptions=True)
        for agent in there:
            agent.close()


def tone(hz: int) -> bytes:
    """20 ms in u-law, whole cycles: one after the other is one tone."""
    samples = np.arange(FRAME)
    return _ulaw((_LOUD * np.sin(2 * np.pi * hz * samples / RATE)).astype(np.int16))


def heard_s(recorded: Path, hz: int) -> float:
    """For how long a tone is in a recorded direction.

    Raises:
        OSError: it cannot be read.
    """
    data = recorded.read_bytes()[_WAV_HEADER_BYTES:]
    samples = np.frombuffer(data[: len(data) // 2 * 2], "<i2").astype(np.float64)
    blocks = samples[: len(samples) // _BLOCK * _BLOCK].reshape(-1, _BLOCK)
    turning = np.exp(-2j * np.pi * hz * np.arange(_BLOCK) / RATE)
    loud = np.abs(blocks @ turning) * 2 / _BLOCK >= _HEARD
    return float(loud.sum()) * _BLOCK / RATE


def _ulaw(pcm: NDArray[np.int16]) -> bytes:
    """ITU-T G.711, mu-law."""
    loud = np.minimum(np.abs(pcm.astype(np.int32)), 32_635) + 132
    exponent = np.floor(np.log2(loud)).astype(np.int32) - 7
    mantissa = (loud >> (exponent + 3)) & 0x0F
    sign = np.where(pcm < 0, 0x80, 0)
    return bytes((~(sign | exponent << 4 | mantissa) & 0xFF).astype(np.uint8))
