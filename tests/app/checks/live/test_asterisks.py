"""What the doctor makes of answers; that real ones are like these, ``e2e/test_doctor.py`` shows."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest

from asterisk_compliance.app.checks.finding import SiteFindingId as It
from asterisk_compliance.app.checks.live import ari as ari_module
from asterisk_compliance.app.checks.live import asterisks as live_module
from asterisk_compliance.app.checks.live.ami import ACTIONS, rights, unfiltered
from asterisk_compliance.app.checks.live.ari import ari_findings, service_findings
from asterisk_compliance.asterisk.ari.address import AriAddress
from asterisk_compliance.asterisk.ari.transport import AriAnswer, AriRequest
from asterisk_compliance.domain.asterisk.modules import ARI_MODULES
from asterisk_compliance.errors import RequestRefused, StoreUnavailable
from sample_settings import settings

ADDRESS = AriAddress("http://127.0.0.1:8088/ari", "compliance", "user", "password")
MODULES = (
    "["
    + ",".join(f'{{"name":"{name}.so","status":"Running"}}' for name in (*ARI_MODULES, "cdr_csv"))
    + "]"
)
WELL = {
    "info": (200, '{"system": {"version": "22.10.1"}}'),
    "modules": (200, MODULES),
    "application": (200, "{}"),
    "change": (404, ""),
}


class Ari:
    """Answers each request as it is told to."""

    def __init__(self, **answers: tuple[int, str]) -> None:
        self.answers = {**WELL, **answers}

    def send(self, request: AriRequest[Any]) -> asyncio.Future[Any]:
        future = asyncio.get_running_loop().create_future()
        status, body = self.answers[request.name]
        if status == 404 and request.missing is not None:
            future.set_result(request.missing())
        elif status >= 300:
            future.set_exception(RequestRefused(request.name, status))
        else:
            future.set_result(request.read(AriAnswer(status, body)))
        return future


async def asked(serves: bool | None = True, **answers: tuple[int, str]) -> dict[str, str]:
    ari = cast("Any", Ari(**answers))
    return {
        str(one.id): one.what
        async for one in ari_findings(ari, ADDRESS, "asterisk[1].ari", set(), serves=serves)
    }


async def test_an_asterisk_that_is_well() -> None:
    assert await asked() == {}


@pytest.mark.parametrize(
    ("version", "which"), [("16.16.0", It.ASTERISK_TOO_OLD), ("20.13.2", It.ASTERISK_OLDER)]
)
async def test_an_older_asterisk(version: str, which: str) -> None:
    found = await asked(info=(200, f'{{"system": {{"version": "{version}"}}}}'))
    assert list(found) == [which]
    assert version in found[which]


async def test_a_service_that_runs_and_has_not_registered_its_application() -> None:
    assert list(await asked(application=(404, ""))) == [It.APPLICATION_MISSING]
    assert await asked(serves=False, application=(404, "")) == {}
    assert await asked(serves=None, application=(404, "")) == {}


async def test_refusals_are_told_apart() -> None:
    assert list(await asked(info=(401, ""))) == [It.ARI_REFUSES]
    assert list(await asked(info=(503, ""))) == [It.ARI_UNREACHABLE]
    assert list(await asked(change=(403, ""))) == [It.ARI_READ_ONLY]


async def test_without_the_module_that_names_modules_nothing_is_claimed_of_the_others() -> None:
    found = await asked(modules=(404, ""))
    assert list(found) == [It.MODULE_MISSING]
    assert "res_ari_asterisk" in found[It.MODULE_MISSING]
    assert list(await asked(modules=(200, MODULES.replace("cdr_csv", "app_cdr")))) == [
        It.CALL_RECORDS_OFF
    ]


async def test_what_the_service_says_of_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[Any] = [None, {"reasons": []}, {"reasons": ["AMI_DOWN pbx1", "STORE_HANGS"]}]
    monkeypatch.setattr(ari_module, "ask", lambda *asked: answers.pop(0))
    serves, (down,) = await service_findings(settings())
    assert (serves, down.id) == (False, It.SERVICE_DOWN)
    assert await service_findings(settings()) == (True, [])
    serves, unwell = await service_findings(settings())
    assert serves
    assert [(one.id, one.what) for one in unwell] == [
        (It.SERVICE_UNWELL, "it says AMI_DOWN pbx1"),
        (It.SERVICE_UNWELL, "it says STORE_HANGS"),
    ]

    def denied(*asked: object) -> None:
        raise StoreUnavailable("Permission denied", hint="ask as root")

    monkeypatch.setattr(ari_module, "ask", denied)
    serves, (unknown,) = await service_findings(settings())
    assert (serves, unknown.id, unknown.todo) == (None, It.SERVICE_DOWN, "ask as root")


ENOUGH = {**{name: frozenset({"call", "reporting"}) for name in ACTIONS}, "Ping": frozenset[str]()}


def test_rights_that_are_enough_and_no_more() -> None:
    assert list(rights(ENOUGH, "ami")) == []


def test_an_action_that_is_not_there_is_a_right_that_is_missing() -> None:
    less = {name: needs for name, needs in ENOUGH.items() if name != "PlayDTMF"}
    (one,) = rights(less, "ami")
    assert (one.id, one.what) == (It.AMI_RIGHTS_MISSING, "the user may not send PlayDTMF")


def test_what_the_right_call_does_not_permit_is_a_right_too_many() -> None:
    more = {"Command": frozenset({"command"}), "ModuleLoad": frozenset({"system"})}
    (one,) = rights({**ENOUGH, **more}, "ami")
    assert one.id is It.AMI_RIGHTS_TOO_MANY
    assert "write = command,system" in one.what
    assert "Command, ModuleLoad" in one.what
    (unsure,) = rights({**ENOUGH, "Both": frozenset({"config", "system"})}, "ami")
    assert "more than call" in unsure.what


def test_only_events_that_nobody_uses_are_too_many() -> None:
    used = ["BridgeEnter", "Hangup", "UserEvent ComplianceCheck", "UserEvent CompliancePause"]
    assert list(unfiltered(used, "ami")) == []
    (one,) = unfiltered([*used, "VarSet", "UserEvent Theirs", "x\r\nAction: Evil"], "ami")
    assert one.id is It.AMI_UNFILTERED
    assert one.what.endswith(": UserEvent Theirs, VarSet")
    (many,) = unfiltered([f"Event{number}" for number in range(9)], "ami")
    assert many.what.endswith("Event5, …")


# -- the canary --------------------------------------------------------------------------------


def test_a_canary_that_ends_is_asked_for_until_it_did(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[dict[str, str]] = []
    outcomes = ["", "", "NO_FILE"]

    def ask(path: Path, verb: str, arguments: dict[str, str]) -> dict[str, str]:
        seen.append(arguments)
        return {"outcome": outcomes.pop(0)}

    monkeypatch.setattr(live_module, "ask", ask)
    monkeypatch.setattr(live_module, "_CANARY_POLL_S", 0.0)
    configuration: Any = type("Configuration", (), {"settings": settings()})
    assert live_module._fly(configuration, "pbx1", "inbound") == "NO_FILE"
    assert len({one["id"] for one in seen}) == 1
    assert {(one["node"], one["policy"]) for one in seen} == {("pbx1", "inbound")}


@pytest.mark.parametrize(
    ("outcome", "which"),
    [
        ("passed", None),
        ("skipped", It.SELF_TEST_IMPOSSIBLE),
        ("", It.CANARY_FAILED),
        ("NO_FILE", It.CANARY_FAILED),
    ],
)
def test_what_an_outcome_means(
    monkeypatch: pytest.MonkeyPatch, outcome: str, which: str | None
) -> None:
    monkeypatch.setattr(live_module, "_fly", lambda *asked: outcome)
    monkeypatch.setattr(live_module, "_policy", lambda *asked: "inbound")
    found = live_module._canary(cast("Any", None), "pbx1")
    assert [one.id for one in found] == ([which] if which else [])


def test_a_canary_needs_a_policy_that_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_module, "_policy", lambda *asked: None)
    (one,) = live_module._canary(cast("Any", None), "pbx1")
    assert (one.id, one.address) == (It.SELF_TEST_IMPOSSIBLE, "policy")
