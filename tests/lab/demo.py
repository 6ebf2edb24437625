"""The demo: four real calls through a real Asterisk, each claim checked against the audio.

    inbound          notice heard to its end, queue, agent; both talk; recorded
    hangup           the caller hangs up in the middle of the notice: not recorded
    missing-prompt   the prompt is gone: not recorded, and the call still reaches the agent
    service-stopped  the service is stopped: the call reaches the agent at once, not recorded

What happened comes from the telephones and the recording, what was written down from the log;
``demo-output/summary.json`` has both, and the exit status is 0 only if all of it agrees. The
recording is sealed: the demo plays the compliance officer as well, whose key is in ``officer/``.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from asterisk_compliance.storage.proofs.verification import verify
from lab.demo_evidence import export_evidence
from lab.demo_output import (
    install_prompts,
    leave_behind,
    make_officer,
    make_output,
    opened,
    shipped_audio,
)
from lab.demo_report import report
from lab.hearing import (
    Capture,
    Claim,
    NoticeHeard,
    nothing_before_notice,
    notice_completed,
    notice_not_recorded,
    parties_recorded,
    party_heard,
)
from lab.leg import Leg
from lab.notice_search import NoticeSearch
from lab.rootfs import NoAsterisk, obtain
from lab.sip import Phone
from lab.site import Site
from lab.tones import AGENT, CALLER

PROMPT = "notice-standard"


POLICIES = """
[[notice]]
id = "standard"
version = "1"
purposes = ["SERVICE", "QUALITY"]
[notice.wording.{first}]
prompt = "notice-standard"
[notice.wording.{second}]
prompt = "notice-standard"

[[policy]]
name = "inbound"
notice = "standard"
languages = ["{first}", "{second}"]
"""

EXTENSIONS = """
[from-lab]
exten => 100,1,Set(CHANNEL(language)={language})
 same => n,Gosub(compliance-notice,s,1(inbound))
 same => n,Queue(support,r,,,30)
 same => n,Hangup()
"""


@dataclass(slots=True)
class Telling:
    """One call of the demo: what the telephones and the audio say, and what the log says.

    Attributes:
        recording: As it lies in the vault.
        sha256: Of what the officer's key found in it.
        moments: What happened, as seconds since the INVITE and a sentence.
    """

    name: str
    title: str
    began: float
    began_unix: float
    leg: Leg
    agent_leg: Leg | None = None
    notice: NoticeHeard | None = None
    capture: Capture | None = None
    recording: Path | None = None
    sha256: str = ""
    decision: str = ""
    reason: str = ""
    rows: list[dict[str, Any]] = field(default_factory=list)
    verified: bool = False
    moments: list[tuple[float, str]] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)

    def unix(self, clock: float) -> float:
        return self.began_unix + clock - self.began


class Demo:
    """Plays the four calls on one site."""

    def __init__(
        self, site: Site, caller: Phone, agent: Phone, search: NoticeSearch, officer: str
    ) -> None:
        self._site = site
        self._officer = officer
        self._caller = caller
        self._agent = agent
        self._search = search
        self._seen = len(site.rows())

    async def inbound(self, talk_s: float) -> Telling:
        telling = await self._dial("inbound", "The notice is heard to its end, then both talk")
        await self._reach_agent(telling, within_s=30)
        assert telling.agent_leg is not None
        await telling.agent_leg.until_heard(talk_s, talk_s + 10)
        await telling.leg.hang_up()
        await self._written_down(telling)
        self._listen(telling)
        telling.claims += [
            notice_completed(self._notice(telling)),
            *self._recorded(telling),
            party_heard(telling.agent_leg.heard_pcm(), self._caller.schedule, telling.began),
            party_heard(telling.leg.heard_pcm(), self._agent.schedule, telling.began),
            self._decided(telling, "ALLOWED", "NOTICE_COMPLETED"),
        ]
        return telling

    async def hangup(self) -> Telling:
        telling = await self._dial("hangup", "The caller hangs up in the middle of the notice")
        await telling.leg.answered()
        await telling.leg.until_heard(2.0)
        await telling.leg.hang_up()
        await self._written_down(telling)
        self._listen(telling)
        notice = self._notice(telling)
        telling.claims += [
            Claim("the notice was cut short", not notice.completed, _how_long(notice)),
            self._nothing_kept(telling),
            self._decided(telling, "NOT_RECORDED", "HANGUP_IN_NOTICE"),
        ]
        return telling

    async def missing_prompt(self) -> Telling:
        for file in self._site.asterisk.sounds_here.rglob(f"{PROMPT}.*"):
            file.unlink()
        telling = await self._dial("missing-prompt", "The prompt's file is missing")
        await self._talk_unrecorded(telling)
        await self._written_down(telling)
        self._listen(telling)
        telling.claims += [
            self._nothing_kept(telling),
            self._decided(telling, "NOT_RECORDED", "NOTICE_FAILED"),
        ]
        return telling

    async def service_stopped(self) -> Telling:
        status = await self._site.service.stop()
        self._seen = len(self._site.rows())
        telling = await self._dial("service-stopped", "The service is stopped")
        await self._talk_unrecorded(telling)
        await self._until(lambda: self._cdr(telling) != [])
        self._listen(telling)
        said, why = self._cdr(telling)[-1].split(":")[:2]
        telling.decision, telling.reason = said, why
        telling.verified = verify(self._site.store).intact
        assert telling.agent_leg is not None
        waited = telling.agent_leg.times["confirmed"] - telling.leg.times["invite"]
        telling.claims += [
            Claim("the service ended in order", status == 0, f"exit status {status}"),
            Claim("the agent was reached at once", waited < 1.0, f"after {waited:.2f} s"),
            self._nothing_kept(telling),
            Claim(
                "the dialplan says why",
                (said, why) == ("NOT_RECORDED", "SERVICE_UNAVAILABLE"),
                f"{said}, {why}",
            ),
        ]
        return telling

    # -- a call --------------------------------------------------------------------------

    async def _dial(self, name: str, title: str) -> Telling:
        began, began_unix = time.monotonic(), time.time()
        leg = await self._caller.dial("100", self._site.asterisk.sip_port)
        return Telling(name, title, began, began_unix, leg)

    async def _reach_agent(self, telling: Telling, within_s: float) -> None:
        telling.agent_leg = await self._agent.next_call(within_s)
        await telling.agent_leg.answered()

    async def _talk_unrecorded(self, telling: Telling) -> None:
        await self._reach_agent(telling, within_s=10)
        assert telling.agent_leg is not None
        await telling.agent_leg.until_heard(1.5)
        await telling.leg.hang_up()
        await telling.agent_leg.ended()
        telling.claims.append(
            party_heard(telling.agent_leg.heard_pcm(), self._caller.schedule, telling.began)
        )

    async def _written_down(self, telling: Telling) -> None:
        """Wait for the call's rows, take them, and check the whole log."""
        seen = self._seen

        def over(rows: list[dict[str, Any]]) -> bool:
            kinds = {row["kind"] for row in rows[seen:]}
            recorded = "recording_requested" in kinds
            return "call_ended" in kinds and (not recorded or "spool_removed" in kinds)

        rows = await self._site.rows_until(over, 15.0)
        telling.rows = [row for row in rows[seen:] if row["call"]]
        self._seen = len(rows)
        verdict = await asyncio.to_thread(verify, self._site.store)
        telling.verified = verdict.intact
        telling.claims.append(
            Claim("the log verifies", verdict.intact, f"{verdict.rows} rows, tree intact")
        )
        decided = [row["detail"] for row in telling.rows if row["kind"] == "decision"]
        telling.claims.append(
            Claim("there is exactly one decision", len(decided) == 1, f"{len(decided)}")
        )
        telling.decision, telling.reason = decided[0]["status"], decided[0]["reason"]
        closed = [row["detail"] for row in telling.rows if row["kind"] == "recording_closed"]
        if closed:
            telling.recording = self._site.recordings / f"{closed[0]['recording']}.wav.age"

    def _listen(self, telling: Telling) -> None:
        """Read what was heard and what was kept back from the audio."""
        ended = time.monotonic()
        telling.notice = NoticeHeard.of(self._search, telling.leg.heard_pcm())
        if telling.recording is not None:
            schedules = {"caller": self._caller.schedule, "agent": self._agent.schedule}
            with opened(telling.recording, self._officer) as (wav, telling.sha256):
                telling.capture = Capture.read(wav, schedules, self._search, telling.began, ended)
        telling.moments = list(_moments(telling))

    # -- claims --------------------------------------------------------------------------

    def _notice(self, telling: Telling) -> NoticeHeard:
        assert telling.notice is not None
        return telling.notice

    def _recorded(self, telling: Telling) -> list[Claim]:
        if telling.capture is None or telling.agent_leg is None:
            return [Claim("there is a recording", False, "none")]
        bridged_s = telling.leg.times["ended"] - telling.agent_leg.times["confirmed"]
        missing_s = abs(telling.capture.length_s - bridged_s)
        return [
            nothing_before_notice(telling.capture, self._notice(telling)),
            notice_not_recorded(telling.capture),
            *parties_recorded(telling.capture, ("caller", "agent"), least_s=bridged_s - 0.5),
            Claim(
                "the recording is as long as the talk",
                missing_s < 0.3,
                f"{telling.capture.length_s:.2f} s of {bridged_s:.2f} s",
            ),
            Claim("the spool is empty again", not self._site.spooled(), "0 files"),
            self._sealed(telling),
        ]

    def _sealed(self, telling: Telling) -> Claim:
        """What lies in the vault is in the age format, and holds what was closed."""
        assert telling.recording is not None
        name = "only the officer's key opens the recording"
        (closed,) = [row["detail"] for row in telling.rows if row["kind"] == "recording_closed"]
        there = [path.name for path in self._site.recordings.iterdir()]
        sealed = telling.recording.read_bytes().startswith(b"age-encryption.org/v1\n")
        holds = sealed and there == [telling.recording.name] and telling.sha256 == closed["sha256"]
        return Claim(name, holds, f"{telling.recording.stat().st_size:,} bytes, sealed")

    def _nothing_kept(self, telling: Telling) -> Claim:
        """Nothing new in the vault, nothing at all in the spool."""
        kept = {path.name for path in self._site.recordings.glob("r-*")}
        own = {f"r-{row['call'][2:]}-1.wav.age" for row in telling.rows}
        left = self._site.spooled() + sorted(kept & own)
        if not telling.rows:  # nobody wrote about it: then only the first call may have left one
            left += sorted(kept)[1:]
        return Claim("nothing was kept", not left, ", ".join(left) or "no file")

    def _decided(self, telling: Telling, status: str, reason: str) -> Claim:
        said = (telling.decision, telling.reason)
        return Claim("the decision says so", said == (status, reason), f"{said[0]}, {said[1]}")

    def _cdr(self, telling: Telling) -> list[str]:
        """``CDR(userfield)`` of the calls that began after this one was dialled."""
        began = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(telling.began_unix - 1))
        return [line[-1] for line in self._site.cdrs() if line[9] >= began]

    async def _until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not holds():  # noqa: ASYNC110 - a file of another process
                await asyncio.sleep(0.02)


def _how_long(notice: NoticeHeard) -> str:
    if notice.started_at is None or notice.ended_at is None:
        return "none of it was heard"
    return f"{notice.ended_at - notice.started_at:.2f} s of it were heard"


def _moments(telling: Telling) -> Any:
    """What the telephones and the recording tell, in seconds since the INVITE."""
    times = telling.leg.times

    def since(clock: float) -> float:
        return clock - telling.began

    yield since(times["invite"]), "the caller dials"
    if "answered" in times:
        yield since(times["answered"]), "Asterisk answers"
    notice = telling.notice
    if notice is not None and notice.started_at is not None and notice.ended_at is not None:
        yield since(notice.started_at), "the caller hears the notice begin"
        end = "the notice has been heard to its end" if notice.completed else "it is cut short"
        yield since(notice.ended_at), end
    if telling.agent_leg is not None:
        yield since(telling.agent_leg.times["confirmed"]), "the agent answers; they talk"
    capture = telling.capture
    if capture is not None and capture.first_sample_at and capture.last_sample_at:
        yield since(capture.first_sample_at), "the oldest sample in the recording"
        yield since(capture.last_sample_at), "the youngest sample in the recording"
    if "ended" in times:
        yield since(times["ended"]), "the caller hangs up"
    for row in telling.rows:
        if row["kind"] in {"decision", "recording_growing", "recording_closed"}:
            yield _at(row) - telling.began_unix, f"row {row['seq']}: {row['kind']}"


def _at(row: dict[str, Any]) -> float:
    from asterisk_compliance.domain.audit.encoding import milliseconds

    return milliseconds(row["at"]) / 1_000


async def play(output: Path, language: str, talk_s: float) -> list[Telling]:
    """Place the four calls; leave everything they made in ``output``."""
    officer, recipient = make_officer(output)
    other = "ja" if language == "en" else "en"
    async with AsyncExitStack() as stack:
        agent = await stack.enter_async_context(await Phone.open("agent", AGENT))
        caller = await stack.enter_async_context(await Phone.open("caller", CALLER))
        site = await Site.open(
            {"agent": agent.port},
            extensions=EXTENSIONS.format(language=language),
            policies=POLICIES.format(first=language, second=other),
            dialplan_s=20.0,
            install_prompts=install_prompts,
            vault=f'recipients = ["{recipient}"]',
        )
        await stack.enter_async_context(site)
        demo = Demo(site, caller, agent, NoticeSearch(shipped_audio(language)), officer)
        tellings = [
            await demo.inbound(talk_s),
            await demo.hangup(),
            await demo.missing_prompt(),
            await demo.service_stopped(),
        ]
        leave_behind(site, output)
    inbound = tellings[0]
    inbound.claims.append(await asyncio.to_thread(export_evidence, output, inbound.rows[0]["call"]))
    return tellings


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="./scripts/demo", description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("demo-output"), metavar="DIR")
    parser.add_argument("--language", choices=("en", "ja"), default="en")
    parser.add_argument("--talk", type=float, default=4.0, metavar="S", help="seconds of talk")
    options = parser.parse_args(arguments)
    output: Path = options.out.absolute()
    if not make_output(output):
        print(f"error: {output} is not a demo's; name another with --out", file=sys.stderr)
        return 2
    try:
        build = obtain(lambda said: print(said, file=sys.stderr))
    except NoAsterisk as error:
        print(f"error: {error}", file=sys.stderr)
        return 3
    print(f"Asterisk {build.version}: four calls, about half a minute", file=sys.stderr)
    tellings = asyncio.run(play(output, options.language, options.talk))
    return report(tellings, output, build.version)


if __name__ == "__main__":
    sys.exit(main())
