"""Calls that ``check --self-test`` places: prompts, a transfer, the canary.

They only enter the routine ``compliance-check`` of the rendered dialplan, on Local channels, so no
telephone rings. ARI is used over HTTP, so the service keeps its Stasis application. The service
does not know these calls, and their files have names that are not ours.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import uuid
from collections.abc import AsyncIterator, Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePath

from asterisk_compliance.app.calls.channel_control import SEGMENT_DIGIT, SEGMENT_DIGIT_MS
from asterisk_compliance.app.checks.finding import OperatorFinding, SiteFindingId, found
from asterisk_compliance.app.checks.live.self_test_agents import VOICES, Agent, agents, heard_s
from asterisk_compliance.app.dialplan.variables import (
    CHECK_EVENT,
    CHECK_VARIABLE,
    CHECKED_VARIABLE,
    SEGMENT_VARIABLE,
)
from asterisk_compliance.app.shared.service_account import ServiceAccount
from asterisk_compliance.asterisk.ami.probe import AmiProbe
from asterisk_compliance.asterisk.ari import requests as ari_requests
from asterisk_compliance.asterisk.ari.transport import HttpTransport
from asterisk_compliance.config.settings import AsteriskSettings
from asterisk_compliance.domain.asterisk.call_records import CHECK_CONTEXT
from asterisk_compliance.errors import AsteriskError
from asterisk_compliance.ids import ChannelId
from asterisk_compliance.storage.recordings.assembly import is_closed

ANSWER_S = 2.0
"""Until the dialplan has answered what it was asked, or reached an agent."""
TALK_S = 0.5
"""How long the last agent talks, before and after the recording begins anew."""
SEGMENT_S = 0.4
"""Until it has begun anew: a digit of 80 ms, and a wait."""
CLOSE_S = 2.0
"""Until Asterisk has closed the files of a call that is over."""
MOST_PROMPTS = 200
_POLL_S = 0.02
_LEAST_HEARD_S = 0.2
_EVENTS = (
    *("BridgeEnter", "BridgeLeave", "DialBegin", "DialEnd", "Hangup"),
    *("MixMonitorStart", f"UserEvent {CHECK_EVENT}"),
)
"""What a call with an agent brings, where the user is sent what the service uses."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One Asterisk, and how it is asked.

    Attributes:
        address: Of it in the configuration.
        ami: ``None`` where there is none, or it could not be asked.
        account: The service's user, if he is known.
    """

    asterisk: AsteriskSettings
    address: str
    ari: HttpTransport
    ami: AmiProbe | None
    account: ServiceAccount | None


# -- prompts -----------------------------------------------------------------------------------


async def prompt_findings(trial: Trial, media: Iterable[str]) -> AsyncIterator[OperatorFinding]:
    """Whether Asterisk finds the same prompts as the configuration: as long, and WAV.

    One that is not answered in time is the last that is asked for.
    """
    sounds = trial.asterisk.sounds
    for one in sorted(set(media))[:MOST_PROMPTS]:
        name = PurePath(one.removeprefix("sound:")).relative_to(sounds)
        here = trial.asterisk.sounds_path / f"{name}.wav"
        said = await _looked_up(trial, str(name))
        if not said:
            what = f"compliance-check does not answer, asked for {name}"
            yield found(SiteFindingId.SELF_TEST_IMPOSSIBLE, trial.address, what)
            return
        if said != f"size {here.stat().st_size} RIFF":
            there = f"{sounds / name}.wav"
            what = f"Asterisk does not find the prompt {there} as it is here"
            yield found(SiteFindingId.PROMPT_NOT_PLAYABLE, f"{trial.address}.sounds", what)


async def _looked_up(trial: Trial, name: str) -> str:
    """What the dialplan says of a prompt; empty if it says nothing in time."""
    speaker, caller = await _place(trial, "prompt", name)
    try:
        async with asyncio.timeout(ANSWER_S):
            while not (said := await _variable(trial, caller)):  # noqa: ASYNC110 - of Asterisk
                await asyncio.sleep(_POLL_S)
    except TimeoutError:
        return ""
    finally:
        await _hang_up(trial, speaker)
    return said.strip()


async def _variable(trial: Trial, channel: ChannelId) -> str:
    return await trial.ari.send(ari_requests.get_variable(channel, CHECKED_VARIABLE)) or ""


async def _place(
    trial: Trial, exten: str, asked: str, formats: str = ""
) -> tuple[ChannelId, ChannelId]:
    """The half that speaks, and the one that executes ``exten``.

    Raises:
        AsteriskError: Asterisk does not place it.
    """
    speaker, caller = ChannelId(f"check-{uuid.uuid4()}"), ChannelId(f"check-{uuid.uuid4()}")
    request = ari_requests.originate_local(
        speaker,
        caller,
        place=f"{exten}@{CHECK_CONTEXT}",
        then=f"voice@{CHECK_CONTEXT}",
        variables={CHECK_VARIABLE: asked},
        formats=formats,
    )
    await trial.ari.send(request)
    return speaker, caller


async def _hang_up(trial: Trial, channel: ChannelId) -> None:
    """Its other half ends with it; what was lost of this ends by the dialplan's own limits."""
    with suppress(AsteriskError):
        await trial.ari.send(ari_requests.hang_up(channel))


# -- a transfer --------------------------------------------------------------------------------


async def transfer_findings(trial: Trial) -> AsyncIterator[OperatorFinding]:
    """Three agents in one recorded call, and the recording begun anew under the last."""
    where = trial.address
    call = secrets.token_hex(8)
    before = dict(trial.ami.events) if trial.ami else {}
    async with agents(VOICES) as talking:
        asked = "-".join([call, *(str(agent.port) for agent in talking)])
        speaker, caller = await _place(trial, "transfer", asked, formats="ulaw")
        try:
            silent = await _first_unreached(talking)
            if silent is None:
                await _begin_anew(trial, caller, call)
        finally:
            await _hang_up(trial, speaker)
    spool = trial.asterisk.spool_path
    files = [spool / f"{part}-tx.wav" for part in (f"r-{call}-1", f"r-{call}-2")]
    await _closed(files)
    seen = [*_spooled(trial, files[0])]
    if silent is None:
        seen += _transferred(trial, *files)
        seen += _events(trial.ami, before, f"{where}.ami") if trial.ami else ()
    else:
        what = f"agent {silent + 1} of three heard nothing from Asterisk"
        todo = "does Asterisk run on this host, and chan_rtp with res_rtp_multicast in it?"
        seen.append(found(SiteFindingId.SELF_TEST_IMPOSSIBLE, where, what, todo))
    for finding in [*seen, *_removed(trial, [*files, *map(_other, files)])]:
        yield finding


async def _first_unreached(talking: list[Agent]) -> int | None:
    """Which agent Asterisk did not reach in time; ``None`` if all were, and the last one talked."""
    for number, agent in enumerate(talking):
        try:
            async with asyncio.timeout(ANSWER_S):
                await agent.reached.wait()
        except TimeoutError:
            return number
    await asyncio.sleep(TALK_S)
    return None


async def _begin_anew(trial: Trial, caller: ChannelId, call: str) -> None:
    """As the service does it after a transfer
    (:mod:`~asterisk_compliance.app.calls.channel_control`).
    """
    if trial.ami is None or not trial.asterisk.segments:
        return
    await trial.ami.setvar(caller, SEGMENT_VARIABLE, f"r-{call}-2-mt")
    await trial.ami.press(caller, SEGMENT_DIGIT, SEGMENT_DIGIT_MS)
    await asyncio.sleep(SEGMENT_S + TALK_S)


async def _closed(files: Collection[Path]) -> None:
    """Until the headers say how long the files are; they do when Asterisk has closed them."""
    with suppress(TimeoutError):
        async with asyncio.timeout(CLOSE_S):
            while not all(is_closed(one) for one in files if one.exists()):  # noqa: ASYNC110
                await asyncio.sleep(_POLL_S)


def _spooled(trial: Trial, file: Path) -> Iterator[OperatorFinding]:
    where = f"{trial.address}.spool"
    if not file.exists():
        there = trial.asterisk.spool
        what = f"Asterisk recorded a call into {there}, and nothing is in {file.parent}"
        yield found(SiteFindingId.SPOOL_ELSEWHERE, where, what)
    elif trial.account is not None and not trial.account.may(file, os.R_OK):
        mode = file.stat().st_mode & 0o777
        what = f"the service's user cannot read what Asterisk writes ({mode:o}): its umask?"
        yield found(SiteFindingId.SERVICE_MAY_NOT, where, what)


def _transferred(trial: Trial, first: Path, second: Path) -> Iterator[OperatorFinding]:
    """What each agent is heard of, and what that says."""
    if not first.exists():
        return
    where = trial.address
    in_first = [heard_s(first, voice.hz) >= _LEAST_HEARD_S for voice in VOICES]
    if not all(in_first[:2]):
        what = "a call was recorded, and the agents who talked in it are not in the file"
        yield found(SiteFindingId.SELF_TEST_FAILED, where, what)
        return
    segments, asked = trial.asterisk.segments, trial.ami is not None
    begun = second.exists()
    if segments and asked and not begun:
        what = "the digit that begins a recording anew does nothing: features.conf is not wired"
        yield found(SiteFindingId.SEGMENTS_NOT_WIRED, f"{where}.segments", what)
    if in_first[2]:
        return
    lost = "this Asterisk leaves the new agent out of a recording after half of all transfers"
    if begun and heard_s(second, VOICES[2].hz) >= _LEAST_HEARD_S:
        what = f"{lost}; a new segment has him again"
        yield found(SiteFindingId.TRANSFER_HEALED, where, what)
    else:
        why = "" if segments else ", and segments = false"
        yield found(SiteFindingId.TRANSFER_LOSES_AUDIO, where, f"{lost}{why}")


def _removed(trial: Trial, files: Iterable[Path]) -> Iterator[OperatorFinding]:
    for file in files:
        try:
            file.unlink(missing_ok=True)
        except OSError as error:
            what = f"{file} cannot be deleted: {error.strerror}"
            yield found(SiteFindingId.SPOOL_NOT_DELETABLE, f"{trial.address}.spool", what)


def _other(file: Path) -> Path:
    return file.with_name(file.name.replace("-tx.", "-rx."))


def _events(ami: AmiProbe, before: dict[str, int], where: str) -> Iterator[OperatorFinding]:
    missing = [name for name in _EVENTS if ami.events[name] <= before.get(name, 0)]
    if missing:
        what = f"of a call that was placed nobody told {', '.join(missing)}"
        yield found(SiteFindingId.AMI_EVENTS_MISSING, where, what)
