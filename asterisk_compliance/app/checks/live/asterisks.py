"""Asks every configured Asterisk, and the service, how they are, for ``check``.

Each question has a time limit, and an Asterisk that does not answer one is not asked again. The
login is the service's own, and no secret appears in a finding.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Iterator
from contextlib import AsyncExitStack

from asterisk_compliance.app.checks.finding import OperatorFinding, SiteFindingId, found
from asterisk_compliance.app.checks.live.ami import ami_findings, unfiltered
from asterisk_compliance.app.checks.live.ari import (
    ari_findings,
    loopback_findings,
    service_findings,
)
from asterisk_compliance.app.checks.live.canary import PASSED, SKIPPED
from asterisk_compliance.app.checks.live.self_test import Trial, prompt_findings, transfer_findings
from asterisk_compliance.app.dialplan.rendering import render_for, rendering_of
from asterisk_compliance.app.policy.configuration import Configuration
from asterisk_compliance.app.shared.control_socket import ask
from asterisk_compliance.app.shared.service_account import service_account
from asterisk_compliance.asterisk.ami.client import AmiAddress, AmiLimits
from asterisk_compliance.asterisk.ami.probe import AmiProbe, logged_in
from asterisk_compliance.asterisk.ari.address import AriAddress, AriLimits
from asterisk_compliance.asterisk.ari.transport import HttpTransport, plain_http
from asterisk_compliance.config.settings import AsteriskSettings
from asterisk_compliance.config.values import SecretSetting
from asterisk_compliance.domain.asterisk.modules import needed_by
from asterisk_compliance.domain.policy.notice import CaptureFrom, Consent
from asterisk_compliance.errors import (
    AsteriskError,
    AsteriskUnavailable,
    ComplianceError,
    RequestRefused,
)

ANSWER_S = 3.0
"""Until one question is answered."""
LISTEN_S = 0.5
"""How long events are listened to; a user who logs in causes some, where nothing filters them."""
CANARY_MORE_S = 5.0
"""Beyond ``canary.within_s``: another one may be under way."""
_CANARY_POLL_S = 0.25


async def live_findings(configuration: Configuration, *, self_test: bool) -> list[OperatorFinding]:
    """What is wrong now, in the order in which it was seen.

    Args:
        configuration: Right, with its prompts.
        self_test: Place calls too.
    """
    settings = configuration.settings
    serves, findings = await service_findings(settings)
    findings += loopback_findings(settings)
    async with asyncio.TaskGroup() as tasks:
        flies = tasks.create_task(_canaries(configuration)) if self_test and serves else None
        for number, asterisk in enumerate(settings.asterisk, 1):
            look = _Look(configuration, asterisk, f"asterisk[{number}]", serves=serves)
            await look.run(self_test=self_test)
            findings += look.findings
    return findings + (flies.result() if flies else [])


class _Look:
    """At one Asterisk, by every wire that it has.

    Attributes:
        findings: So far.
    """

    def __init__(
        self,
        configuration: Configuration,
        asterisk: AsteriskSettings,
        address: str,
        *,
        serves: bool | None,
    ) -> None:
        self.findings: list[OperatorFinding] = []
        self._configuration = configuration
        self._asterisk = asterisk
        self._address = address
        self._serves = serves
        settings = configuration.settings
        self._dialplan = render_for(settings, asterisk, str(configuration.source))
        beeps = {one.terms.beep_s for one in settings.policy}
        beeps |= {one.terms.beep_s for one in settings.every_rule}
        self._modules = needed_by(self._dialplan, tones=bool(beeps - {None}))

    async def run(self, *, self_test: bool) -> None:
        async with AsyncExitStack() as wires:
            ari = await self._ari(wires)
            ami = await self._ami(wires)
            if self_test:
                await self._self_test(ari, ami)
            if ami is not None:
                await asyncio.sleep(LISTEN_S)
                self.findings += unfiltered(ami.events, f"{self._address}.ami")

    async def _ari(self, wires: AsyncExitStack) -> HttpTransport | None:
        """How it can be asked more, if it can."""
        settings, where = self._asterisk.ari, f"{self._address}.ari"
        password = self._secret(settings, where)
        if settings is None or password is None:
            return None
        address = AriAddress(settings.url, settings.application, settings.user, password)
        limits = AriLimits(connect_s=ANSWER_S, request_s=ANSWER_S)
        ari = await wires.enter_async_context(plain_http(address, limits))
        try:
            async for one in ari_findings(ari, address, where, self._modules, serves=self._serves):
                self.findings.append(one)
        except AsteriskError as error:
            self._add(SiteFindingId.ARI_UNREACHABLE, where, str(error))
        return ari

    async def _ami(self, wires: AsyncExitStack) -> AmiProbe | None:
        settings, where = self._asterisk.ami, f"{self._address}.ami"
        secret = self._secret(settings, where)
        if settings is None or secret is None:
            return None
        address = AmiAddress(settings.host, settings.port, settings.user, secret)
        limits = AmiLimits(connect_s=ANSWER_S, action_s=ANSWER_S)
        try:
            probe = await wires.enter_async_context(logged_in(address, limits))
            async for one in ami_findings(probe, where, rendering_of(self._dialplan)):
                self.findings.append(one)
        except RequestRefused:
            self._add(SiteFindingId.AMI_REFUSES, where, f"AMI refuses {settings.user}")
        except AsteriskUnavailable as error:
            self._add(SiteFindingId.AMI_UNREACHABLE, where, str(error))
        else:
            return probe
        return None

    async def _self_test(self, ari: HttpTransport | None, ami: AmiProbe | None) -> None:
        where = self._address
        if ari is None or any(one.id in _NO_CALLS for one in self.findings):
            what = "no call can be placed before ARI and the routines are as they must be"
            self._add(SiteFindingId.SELF_TEST_IMPOSSIBLE, where, what)
            return
        account = service_account(self._configuration.settings)
        trial = Trial(self._asterisk, where, ari, ami, account)
        try:
            async for finding in prompt_findings(trial, self._media()):
                self.findings.append(finding)
            async for finding in transfer_findings(trial):
                self.findings.append(finding)
        except AsteriskError as error:
            self._add(SiteFindingId.SELF_TEST_IMPOSSIBLE, where, str(error))

    def _secret(self, login: SecretSetting | None, where: str) -> str | None:
        try:
            return None if login is None else login.secret().get_secret_value()
        except ValueError as error:
            self._add(SiteFindingId.SECRET_UNUSABLE, where, str(error))
            return None

    def _add(self, which: SiteFindingId, where: str, what: str) -> None:
        self.findings.append(found(which, where, what))

    def _media(self) -> Iterator[str]:
        """Everything that a call can hear."""
        node = self._asterisk.node
        policies = self._configuration.policies[node]
        for entry in policies.registered:
            yield entry.wording.media
        for plan in policies.plans.values():
            for prompts in (*plan.announcements.values(), plan.introduction or {}):
                yield from (prompt.media for prompt in prompts.values())
        for said in self._configuration.hearing.get(node, {}).values():
            yield from (one.media for one in (said.code, said.wrong, said.begins, said.ends))


_NO_CALLS = frozenset(
    {
        SiteFindingId.ARI_UNREACHABLE,
        SiteFindingId.ARI_REFUSES,
        SiteFindingId.ARI_READ_ONLY,
        SiteFindingId.ROUTINES_NOT_LOADED,
        SiteFindingId.ROUTINES_OUTDATED,
    }
)
"""Findings after which a call of ours would go nowhere, or into something else."""


# -- the canary --------------------------------------------------------------------------------


async def _canaries(configuration: Configuration) -> list[OperatorFinding]:
    """The service places a call of its own on each Asterisk, through everything that it does."""
    nodes = [one.node for one in configuration.settings.asterisk if one.ari is not None]
    return [one for node in nodes for one in await asyncio.to_thread(_canary, configuration, node)]


def _canary(configuration: Configuration, node: str) -> list[OperatorFinding]:
    policy = _policy(configuration, node)
    if policy is None:
        what = "every policy asks for a key, or records on demand: no synthetic call fits"
        return [found(SiteFindingId.SELF_TEST_IMPOSSIBLE, "policy", what)]
    where = f"policy {policy}, {node}"
    try:
        outcome = _fly(configuration, node, policy)
    except ComplianceError as error:
        return [found(SiteFindingId.SELF_TEST_IMPOSSIBLE, where, str(error), error.hint)]
    if outcome == PASSED:
        return []
    if outcome == SKIPPED:
        what = "the service is too busy for a synthetic call: real ones come first"
        return [found(SiteFindingId.SELF_TEST_IMPOSSIBLE, where, what, "try again later")]
    what = f"a synthetic call through the service failed: {outcome or 'it never ended'}"
    return [found(SiteFindingId.CANARY_FAILED, where, what)]


def _policy(configuration: Configuration, node: str) -> str | None:
    """The canary's own, else the first that needs no key and records by itself."""
    if configuration.settings.canary.policy:
        return configuration.settings.canary.policy
    fit = (
        name
        for name, policy in configuration.policies[node].by_name.items()
        if policy.consent is not Consent.OPT_IN and policy.capture is not CaptureFrom.ON_DEMAND
    )
    return next(fit, None)


def _fly(configuration: Configuration, node: str, policy: str) -> str:
    """How it ended; empty if it did not in time."""
    settings = configuration.settings
    asked = {"node": node, "policy": policy, "id": str(uuid.uuid4())}
    until = time.monotonic() + settings.canary.within_s + CANARY_MORE_S
    while time.monotonic() < until:
        answer = ask(settings.service.socket, "canary", asked)
        if answer is None or answer["outcome"]:
            return "" if answer is None else str(answer["outcome"])
        time.sleep(_CANARY_POLL_S)
    return ""
