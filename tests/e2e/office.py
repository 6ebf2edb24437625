"""An office that calls out: an agent, the customer whom he calls, and somebody outside.

Everything is judged by what telephones heard, by the files, and by the rows.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from lab.hearing import Capture, Claim, NoticeHeard
from lab.leg import Leg
from lab.notice_search import NoticeSearch
from lab.prompt import write_notice
from lab.sip import Phone
from lab.site import Site, install_test_prompts
from lab.tone_spans import find_spans
from lab.tones import AGENT, AGENT2, CALLER, OTHER, RATE
from lab.wav import read_wav

VOICES = {"customer": CALLER, "agent": AGENT, "outside": OTHER, "agent2": AGENT2}
ANNOUNCEMENT_S = 0.4


@dataclass(slots=True)
class Office:
    """A site with four telephones; each answers after 50 ms."""

    site: Site
    phones: dict[str, Phone]
    began: float = field(default_factory=time.monotonic)

    @property
    def port(self) -> int:
        return self.site.asterisk.sip_port

    async def dial(self, who: str, exten: str) -> Leg:
        return await self.phones[who].dial(exten, self.port)

    async def called(self, who: str, timeout_s: float = 5.0) -> Leg:
        """The next call to a telephone, once it has answered."""
        leg = await self.phones[who].next_call(timeout_s)
        await leg.answered()
        return leg

    # -- what the log says ----------------------------------------------------------------

    def rows(self, kind: str = "") -> list[dict[str, Any]]:
        """Rows of calls, or of one kind."""
        rows = [row for row in self.site.rows() if row["call"] or kind]
        return [row for row in rows if not kind or row["kind"] == kind]

    def details(self, kind: str) -> list[dict[str, Any]]:
        return [row["detail"] for row in self.rows(kind)]

    def decisions(self) -> list[tuple[str, str]]:
        return [(one["status"], one["reason"]) for one in self.details("decision")]

    async def seen(self, kind: str, times: int = 1) -> None:
        """Wait until so many rows of a kind are there."""
        await self.site.rows_until(lambda rows: [r["kind"] for r in rows].count(kind) >= times)

    # -- what Asterisk says ---------------------------------------------------------------

    async def ari(self, method: str, path: str, **parameters: str) -> Any:
        """What ARI answers; ``None`` if it does not know it."""
        asterisk = self.site.asterisk
        login = aiohttp.encode_basic_auth(asterisk.ari_user, asterisk.ari_password)
        async with (
            aiohttp.ClientSession(headers={"Authorization": login}) as session,
            session.request(method, f"{asterisk.ari_url}/{path}", params=parameters) as answer,
        ):
            return await answer.json() if answer.status == 200 else None

    async def channel_of(self, who: str) -> str:
        """The id of a telephone's only channel, once those of its former calls are gone."""
        async with asyncio.timeout(3):
            while True:
                channels = await self.ari("GET", "channels")
                found = [one for one in channels if one["name"].startswith(f"PJSIP/{who}-")]
                if len(found) == 1:
                    return str(found[0]["id"])
                await asyncio.sleep(0.02)

    async def variable(self, channel: str, name: str) -> str | None:
        answer = await self.ari("GET", f"channels/{channel}/variable", variable=name)
        return None if answer is None else str(answer["value"])

    # -- what was heard -------------------------------------------------------------------

    def search(self, prompt: str = "notice-test", language: str = "en") -> NoticeSearch:
        file = self.site.asterisk.sounds_here / language / f"{prompt}.wav"
        return NoticeSearch(read_wav(file)[0])

    def notice_to(self, leg: Leg, prompt: str = "notice-test", language: str = "en") -> NoticeHeard:
        return NoticeHeard.of(self.search(prompt, language), leg.heard_pcm())

    async def hears(self, leg: Leg, prompt: str, timeout_s: float = 8.0) -> None:
        """Wait until a telephone has heard a prompt to its end.

        To look takes time from the telephones, so it is done in a thread, and not often.
        """
        async with asyncio.timeout(timeout_s):
            while not (await asyncio.to_thread(self.notice_to, leg, prompt)).completed:  # noqa: ASYNC110
                await asyncio.sleep(0.2)

    def heard(self, leg: Leg, speaker: str) -> list[tuple[float, float]]:
        """When what a telephone received of a voice was said."""
        heard = leg.heard_pcm()
        until = heard.clock_of(len(heard.pcm) / RATE)
        spans = find_spans(heard.pcm, self.phones[speaker].schedule, self.began, until)
        return [(span.clock_start, span.clock_end) for span in spans]

    def recordings(self) -> list[Path]:
        return sorted(self.site.recordings.glob("r-*.wav"))

    def capture(self, file: Path, prompt: str = "notice-test") -> Capture:
        schedules = {name: phone.schedule for name, phone in self.phones.items()}
        return Capture.read(file, schedules, self.search(prompt), self.began, time.monotonic())


def must_hold(*claims: Claim) -> None:
    assert [claim for claim in claims if not claim.ok] == []


@asynccontextmanager
async def open_office(extensions: str, **options: Any) -> AsyncIterator[Office]:
    """A running office; ``options`` as of :meth:`Site.open`."""
    async with AsyncExitStack() as stack:
        phones = {}
        for name, voice in VOICES.items():
            phone = await stack.enter_async_context(await Phone.open(name, voice))
            phone.answer_after = 0.05
            phone.lines = 2
            phones[name] = phone
        ports = {name: phone.port for name, phone in phones.items()}
        options.setdefault("install_prompts", install_all)
        site = await Site.open(ports, extensions=extensions, **options)
        await stack.enter_async_context(site)
        yield Office(site, phones)


def install_all(sounds: Path, more: Iterable[str] = ()) -> None:
    """The notice of the tests, and short sounds for everything else that is said."""
    install_test_prompts(sounds)
    for seed, name in enumerate(("refused", "not-recorded", "required-here", *more), 10):
        for language in ("en", "ja"):
            write_notice(sounds / language / f"{name}.wav", ANNOUNCEMENT_S, seed)
