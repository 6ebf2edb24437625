"""Records what AMI tells of the dialplans and recordings of others, into ``fixtures/<version>/``.

    PYTHONPATH=tests python tests/asterisk/record_observed.py

One file ``observed_NAME.txt`` for each event, as the socket sent it. ``MonitorStart`` is not among
them: Asterisk has it up to 20 only.
"""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from lab.asterisk import Asterisk
from lab.prompt import write_notice
from lab.rootfs import obtain
from lab.sip import Phone
from lab.tones import CALLER

EXTENSIONS = """
[from-lab]
exten => 100,1,Answer()
 same => n,Playback(custom/notice)
 same => n,Set(CONFBRIDGE(bridge,record_conference)=yes)
 same => n,ConfBridge(room)
"""
CONFERENCES = "[general]\n[default_user]\ntype=user\nquiet=yes\n[default_bridge]\ntype=bridge\n"
WANTED = {"Newchannel", "Newexten", "VarSet", "ConfbridgeRecord", "ConfbridgeStopRecord"}


async def main() -> None:
    build = obtain(print)
    into = Path(__file__).with_name("fixtures") / build.version
    extra = {"confbridge.conf": CONFERENCES}
    asterisk = Asterisk(build, extensions=EXTENSIONS, extra=extra)
    async with asterisk, await Phone.open("caller", CALLER) as phone:
        (asterisk.sounds_here / "en/custom").mkdir()
        write_notice(asterisk.sounds_here / "en/custom/notice.wav", 0.3)
        reader, writer = await asyncio.open_connection("127.0.0.1", asterisk.ami_port)
        login = f"Action: Login\r\nUsername: lab\r\nSecret: {asterisk.ami_password}\r\n\r\n"
        writer.write(login.encode())
        leg = await phone.dial("100", asterisk.sip_port)
        missing = set(WANTED)
        async with asyncio.timeout(10):
            while missing:
                message = await reader.readuntil(b"\r\n\r\n")
                found = re.match(rb"Event: (\w+)", message)
                name = found[1].decode() if found else ""
                of_another_variable = name == "VarSet" and b"PLAYBACKSTATUS" not in message
                of_another_app = name == "Newexten" and b"custom/notice" not in message
                if name in missing and not (of_another_variable or of_another_app):
                    (into / f"observed_{name}.txt").write_bytes(message)
                    missing.discard(name)
                if name == "ConfbridgeRecord":
                    await leg.hang_up()
        writer.close()


if __name__ == "__main__":
    asyncio.run(main())
