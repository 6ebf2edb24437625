"""A stream of callers by SIPp, and how long each waited.

A caller sends INVITE and ACK, and waits for Asterisk's BYE. What he waited is measured by SIPp
itself: from INVITE to 200, and from ACK to BYE.
"""

from __future__ import annotations

import asyncio
import csv
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_SDP_AND_HEADERS = """\
From: <sip:caller@127.0.0.1:[local_port]>;tag=[call_number]
To: <sip:[service]@127.0.0.1:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
Contact: <sip:caller@127.0.0.1:[local_port]>
Max-Forwards: 70
"""
_SCENARIO = """<?xml version="1.0" encoding="ISO-8859-1" ?>
<scenario name="a caller who waits for the end">
  <send retrans="500" start_rtd="answer"><![CDATA[
INVITE sip:[service]@127.0.0.1:[remote_port] SIP/2.0
Via: SIP/2.0/UDP 127.0.0.1:[local_port];branch=[branch]
{headers}CSeq: 1 INVITE
Content-Type: application/sdp
Content-Length: [len]

v=0
o=caller 1 1 IN IP4 127.0.0.1
s=-
c=IN IP4 127.0.0.1
t=0 0
m=audio {port} RTP/AVP 0
a=rtpmap:0 PCMU/8000
  ]]></send>
  <recv response="100" optional="true"/>
  <recv response="180" optional="true"/>
  <recv response="183" optional="true"/>
  <recv response="200" rtd="answer" rrs="true"/>
  <send start_rtd="call"><![CDATA[
ACK sip:[service]@127.0.0.1:[remote_port] SIP/2.0
Via: SIP/2.0/UDP 127.0.0.1:[local_port];branch=[branch]
{headers}CSeq: 1 ACK
Content-Length: 0

  ]]></send>
{media}  <recv request="BYE" rtd="call"/>
  <send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

  ]]></send>
</scenario>
"""
_MEDIA = '  <nop><action><exec rtp_stream="{wav},-1,0"/></action></nop>\n'
_STOP_S = 20.0


@dataclass(frozen=True, slots=True)
class Waited:
    """Milliseconds that each caller waited, by when it was over (seconds from the first call)."""

    answer: list[tuple[float, float]]
    call: list[tuple[float, float]]
    failed: int


class Callers:
    """SIPp with ``rate`` new callers a second, until it is told to stop."""

    def __init__(self, directory: Path, *, port: int, target: int, wav: Path | None = None) -> None:
        """``port``: the callers' own, on 127.0.0.1; ``target``: Asterisk's; ``wav``: with media."""
        self._directory = directory
        self._port, self._target, self._wav = port, target, wav
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, exten: str, rate: float, limit: int, most: int = 1_000_000) -> None:
        """Begin; at most ``limit`` calls live at once, and ``most`` in all.

        Raises:
            FileNotFoundError: there is no ``sipp``.
        """
        if shutil.which("sipp") is None:
            raise FileNotFoundError("sipp is missing; on Debian it is in the package sip-tester")
        self._directory.mkdir(parents=True, exist_ok=True)
        media = "" if self._wav is None else _MEDIA.format(wav=self._wav)
        port = "[rtpstream_audio_port]" if self._wav else "[media_port]"
        scenario = _SCENARIO.format(headers=_SDP_AND_HEADERS, media=media, port=port)
        (self._directory / "caller.xml").write_text(scenario)
        words = ["-sf", "caller.xml", "-s", exten, "-i", "127.0.0.1", "-p", str(self._port)]
        words += ["-r", str(rate), "-l", str(limit), "-m", str(most), "-trace_rtt", "-rtt_freq"]
        words += ["1", "-nostdin", "-trace_stat", "-fd", "1", "-max_socket", "4096"]
        self._process = await asyncio.create_subprocess_exec(
            "sipp",
            f"127.0.0.1:{self._target}",
            *words,
            cwd=self._directory,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def kill(self) -> None:
        """Leave all calls as they are."""
        assert self._process is not None
        self._process.kill()
        await self._process.wait()

    async def stop(self) -> Waited:
        """No more new calls; wait for those that live, and read what was measured."""
        assert self._process is not None
        if self._process.returncode is None:
            self._process.send_signal(10)  # SIGUSR1: as the key q
        try:
            await asyncio.wait_for(self._process.wait(), _STOP_S)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        return read_waited(self._directory)


def read_waited(directory: Path) -> Waited:
    """What SIPp wrote there (``-trace_rtt``, ``-trace_stat``); the files are removed."""
    times: Mapping[str, list[tuple[float, float]]] = {"answer": [], "call": []}
    for path in directory.glob("*_rtt.csv"):
        with path.open(newline="") as file:
            for at, waited, name in csv.reader(file, delimiter=";"):
                if name in times:
                    times[name].append((float(at) / 1_000, float(waited)))
        path.unlink()
    failed = 0
    for path in directory.glob("caller_*_.csv"):
        with path.open(newline="") as file:
            *_, last = csv.DictReader(file, delimiter=";")
        failed += int(last["FailedCall(C)"])
        path.unlink()
    return Waited(times["answer"], times["call"], failed)
