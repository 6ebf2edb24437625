"""One of ``examples/``: its files as they are, in a real Asterisk, and the calls it describes.

::

    PYTHONPATH=tests python -m lab.example examples/queue

An administrator copies ``extensions.conf``, other files of Asterisk's, and ``policies.toml``.
``scenario.toml`` says who has which telephone, what they do, and what must come of it. Telephones,
ports, paths and secrets are the lab's. Each prompt is a second of a sound of its own; the words of
those that ship are written out, because nobody knows them by these sounds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
import time
import tomllib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from asterisk_compliance.shipped import catalogue
from lab.example_judge import Judge, Outcome
from lab.hearing import Claim
from lab.leg import CallFailed, Leg
from lab.prompt import write_notice
from lab.rootfs import NoAsterisk
from lab.sip import Phone
from lab.site import Site
from lab.tones import AGENT, AGENT2, CALLER, OTHER

VOICES = {"customer": CALLER, "agent": AGENT, "agent2": AGENT2, "outside": OTHER}
PROMPT_S = 1.0
_WAIT_S = 10.0
_POLL_S = 0.02
_KEY_S = 0.06


class Telephone(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which endpoint of the dialplan somebody has, and the context of his own calls."""

    endpoint: str
    context: str


class Call(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What people do, line by line (:meth:`Example.perform`), and what must come of it."""

    about: str
    script: tuple[str, ...]
    outcome: Outcome


class Scenario(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A ``scenario.toml``.

    Attributes:
        phones: By the person: one of :data:`VOICES`.
        findings: What ``dialplan check`` says of this dialplan, and the README explains.
        sounds: Sounds of the site's own that the dialplan plays.
    """

    call: tuple[Call, ...]
    phones: Mapping[str, Telephone]
    findings: tuple[str, ...] = ()
    sounds: tuple[str, ...] = ()

    @classmethod
    def read(cls, directory: Path) -> Scenario:
        raw = tomllib.loads((directory / "scenario.toml").read_text(encoding="utf-8"))
        return msgspec.convert(raw, cls)


def files(directory: Path) -> dict[str, str]:
    """The files of Asterisk's that the example brings, by name."""
    return {path.name: path.read_text("utf-8") for path in sorted(directory.glob("*.conf"))}


def prompts(policies: str) -> list[str]:
    """Every prompt that these policies could play."""
    named = set(_prompts(tomllib.loads(policies)))
    return sorted({"not-recorded", "refused", "required-here", *named})


def with_words(policies: str) -> str:
    """The policies, with the words of each notice whose prompt ships."""
    shipped = catalogue.shipped_prompts()

    def said(found: re.Match[str]) -> str:
        prompt = shipped.get((found["prompt"], found["language"]))
        return found[0] + (f"\ntext = {json.dumps(prompt.text)}" if prompt else "")

    pattern = r'(?m)^\[notice\.wording\.(?P<language>\w+)\]\nprompt = "(?P<prompt>[^"]+)"$'
    return re.sub(pattern, said, policies)


def _prompts(table: Any) -> Iterator[str]:
    """What stands under ``prompt`` and ``introduction``, at any depth."""
    if isinstance(table, list):
        for item in table:
            yield from _prompts(item)
    elif isinstance(table, dict):
        for name, value in table.items():
            if name in {"prompt", "introduction"} and isinstance(value, str):
                yield value
            else:
                yield from _prompts(value)


@dataclass(slots=True)
class Example:
    """A running example.

    Attributes:
        legs: The newest call of each person.
        say: Told of everything that is done and found.
    """

    scenario: Scenario
    site: Site
    phones: Mapping[str, Phone]
    judge: Judge
    say: Callable[[str], object]
    legs: dict[str, Leg] = field(default_factory=dict)
    _seen: Counter[str] = field(default_factory=Counter)
    _calls: int = 0

    @classmethod
    @asynccontextmanager
    async def open(
        cls, directory: Path, say: Callable[[str], object] = lambda _: None
    ) -> AsyncIterator[Example]:
        """Telephones, Asterisk with the example's files, and the service."""
        scenario = Scenario.read(directory)
        conf = files(directory)
        policies = (directory / "policies.toml").read_text(encoding="utf-8")
        names = prompts(policies)

        def install(sounds: Path) -> None:
            for seed, name in enumerate([*names, *scenario.sounds], 1):
                for language in ("en", "ja"):
                    (sounds / language).mkdir(exist_ok=True)
                    write_notice(sounds / language / f"{name}.wav", PROMPT_S, seed)

        async with AsyncExitStack() as stack:
            phones = {}
            for person, telephone in scenario.phones.items():
                phone = await Phone.open(telephone.endpoint, VOICES[person])
                phones[person] = await stack.enter_async_context(phone)
                phone.answer_after = None
                phone.lines = 2
            shipped = catalogue.dialplan() / "compliance-features.conf"
            site = await Site.open(
                {phone.name: phone.port for phone in phones.values()},
                contexts={one.endpoint: one.context for one in scenario.phones.values()},
                extensions=conf.pop("extensions.conf"),
                extra={shipped.name: shipped.read_text("utf-8")} | conf,
                policies=with_words(policies),
                install_prompts=install,
                dialplan_s=30.0,
            )
            await stack.enter_async_context(site)
            judge = Judge(site, phones, names, scenario.sounds)
            yield cls(scenario, site, phones, judge, say)

    async def place(self, call: Call) -> list[Claim]:
        """Everybody does what the call says; what was claimed, and whether it holds."""
        self.say(f"\n{call.about}")
        began, before = time.monotonic(), len(self.site.rows())
        self.legs.clear()
        self._seen = Counter(row["kind"] for row in self.site.rows())
        self._calls += len(call.outcome.decisions)
        claims = [claim async for claim in self._play(call.script)]
        rows = self.site.rows()[before:]
        claims += await asyncio.to_thread(self.judge.claims, call.outcome, self.legs, rows, began)
        for claim in claims:
            self.say(f"    {'ok   ' if claim.ok else 'WRONG'} {claim.name}: {claim.measured}")
        return claims

    async def _play(self, script: Sequence[str]) -> AsyncIterator[Claim]:
        """Perform each line, and wait for the end of everything; claims of what did not happen."""
        for line in script:
            self.say(f"  {line}")
            try:
                await self.perform(line)
            except (TimeoutError, AssertionError, CallFailed, KeyError) as error:
                yield Claim(line, False, f"it did not happen: {type(error).__name__}")
                for leg in self.legs.values():
                    leg.abandon()
                return
        try:
            await self.site.until_ended(self._calls)
        except AssertionError as error:
            yield Claim("every call is dealt with", False, str(error).partition("\n")[0])

    async def perform(self, line: str) -> None:
        """One line of a script."""
        match line.split():
            case ["all", "talk", seconds, "s"]:
                await self._talk(float(seconds))
            case ["the", "log", "says", kind]:
                self._seen[kind] += 1
                await self.site.rows_until(
                    lambda rows: [r["kind"] for r in rows].count(kind) >= self._seen[kind]
                )
            case ["the", "service", "stops"]:
                await self.site.service.stop()
            case ["the", "service", "starts"]:
                await self.site.service.start()
            case [who, *what]:
                await self._do(who, what)

    async def _do(self, who: str, what: list[str]) -> None:
        match what:
            case ["dials", number]:
                self.legs[who] = await self.phones[who].dial(number, self.site.asterisk.sip_port)
            case ["answers"]:
                self.legs[who] = leg = await self.phones[who].next_call(_WAIT_S)
                leg.answer()
                await leg.answered()
            case ["listens", seconds, "s"]:
                await self.legs[who].until_heard(float(seconds))
            case ["presses", keys]:
                await press(self.legs[who], keys)
            case ["transfers", "to", number]:
                assert await self.legs[who].transfer(number) == 200
            case ["hangs", "up"]:
                await self.legs[who].hang_up()
            case ["is", "turned", "away"]:
                await self.legs[who].ended()
                assert self.legs[who].status == 486
            case _:
                raise ValueError(f"nobody knows how to do this: {who} {' '.join(what)}")

    async def _talk(self, seconds: float) -> None:
        """Everybody who is connected hears so much."""
        legs = [leg for leg in self.legs.values() if not leg.is_over]
        for leg in legs:
            await leg.answered()
        async with asyncio.TaskGroup() as group:
            for leg in legs:
                group.create_task(leg.until_heard(seconds))


async def press(leg: Leg, keys: str) -> None:
    """Press keys, and wait until the last was let go."""
    for key in keys:
        leg.send_digit(key)
    async with asyncio.timeout(_WAIT_S):
        while leg.media.is_saying:  # noqa: ASYNC110 - a frame every 20 ms
            await asyncio.sleep(_POLL_S)
    await asyncio.sleep(_KEY_S)  # the last packet is on its way


async def run(directory: Path, say: Callable[[str], object]) -> bool:
    """Place the calls of an example, up to the first that is not as it says; whether all are."""
    async with Example.open(directory, say) as example:
        for call in example.scenario.call:
            if not all(claim.ok for claim in await example.place(call)):
                return False
    return True


def main() -> int:
    parser = argparse.ArgumentParser(prog="lab.example", description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=Path, help="such as examples/queue")
    directory = parser.parse_args().directory
    if not (directory / "scenario.toml").is_file():
        parser.error(f"{directory} has no scenario.toml")
    try:
        ok = asyncio.run(run(directory, print))
    except NoAsterisk as error:
        sys.stderr.write(f"error: {error}\n")
        return 3
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
