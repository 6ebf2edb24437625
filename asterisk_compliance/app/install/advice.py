"""What the administrator must add to Asterisk's files, and what to reload afterwards. Pure.

Only missing parts are listed: a site that is wired completely gets no advice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from asterisk_compliance.app.install.asterisk import (
    APPLICATION_MAP,
    OURS,
    FoundAsterisk,
    Listener,
)
from asterisk_compliance.app.install.places import InstallPaths
from asterisk_compliance.app.install.plan import FileState, InstallPlan
from asterisk_compliance.app.install.wanted import RETENTION_TIMER, SERVICE
from asterisk_compliance.config.settings import AsteriskSettings, Settings
from asterisk_compliance.domain.asterisk.modules import ARI_MODULES, needed_by, not_running

_RELOADS: Final = {
    "http.conf": "module reload http",
    "ari.conf": "module reload res_ari",
    "manager.conf": "manager reload",
    "features.conf": "module reload features",
    "extensions.conf": "dialplan reload",
    "cdr.conf": "module reload cdr_csv",
}
_END: Final = "at its end"


@dataclass(frozen=True, slots=True)
class Addition:
    """Lines that a file of Asterisk's needs.

    Attributes:
        name: Of Asterisk's own file, which ``file`` is or is included in.
        where: In which section, or ``at its end``.
    """

    name: str
    file: Path
    where: str
    lines: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True)
class Advice:
    """What is left to do by hand.

    Attributes:
        dialplan: What stands before a call is connected; nothing where it does somewhere.
        commands: To be run then, in this order.
        warnings: What should be known at once.
    """

    additions: tuple[Addition, ...]
    dialplan: tuple[str, ...]
    commands: tuple[str, ...]
    warnings: tuple[str, ...]


def advice(
    settings: Settings,
    asterisk: AsteriskSettings,
    found: FoundAsterisk,
    places: InstallPaths,
    plan: InstallPlan,
) -> Advice:
    additions = tuple(_additions(asterisk, found))
    return Advice(
        additions,
        () if found.wiring.routines else tuple(_dialplan(settings)),
        tuple(_commands(additions, found, places, plan)),
        tuple(_warnings(settings, asterisk, found, plan)),
    )


def _additions(asterisk: AsteriskSettings, found: FoundAsterisk) -> Iterator[Addition]:
    if asterisk.ari is not None:
        if lines := _switched_on(found.http):
            yield _addition("http.conf", "[general]", found, lines, "ARI is reached over HTTP")
        if not found.ari_enabled:
            yield _addition("ari.conf", "[general]", found, ("enabled = yes",), "ARI is off")
        yield from _include("ari.conf", _END, found, "the service's user of ARI")
    if asterisk.ami is not None:
        if not found.ami.enabled:
            lines = _switched_on(found.ami)
            yield _addition("manager.conf", "[general]", found, lines, "AMI is off")
        yield from _include("manager.conf", _END, found, "the service's user of AMI")
    if asterisk.segments:
        there = found.has_application_map
        where = f"below [{APPLICATION_MAP}]" if there else _END
        head = () if there else (f"[{APPLICATION_MAP}]",)
        yield from _include("features.conf", where, found, "feature codes", head)
    yield from _include("extensions.conf", _END, found, "our routines")
    if not found.has_records and found.events is None:
        lines = ("[csv]", "loguniqueid = yes", "loguserfield = yes")
        yield _addition("cdr.conf", _END, found, lines, "CDRs tell of calls that never reach us")
    elif found.has_records and not found.has_unique_ids:
        why = "CDRs must say which call they are about"
        yield _addition("cdr.conf", "[csv]", found, ("loguniqueid = yes",), why)


def _switched_on(listener: Listener) -> tuple[str, ...]:
    """HTTP has no address of its own, and AMI takes every one."""
    enable = () if listener.enabled else ("enabled = yes",)
    bind = () if listener.address else ("bindaddr = 127.0.0.1",)
    return (*enable, *bind)


def _include(
    name: str, where: str, found: FoundAsterisk, why: str, head: Sequence[str] = ()
) -> Iterator[Addition]:
    if OURS[name] not in found.wiring.includes:
        yield _addition(name, where, found, (*head, f"#include {OURS[name]}"), why)


def _addition(
    name: str, where: str, found: FoundAsterisk, lines: tuple[str, ...], why: str
) -> Addition:
    file = found.etc_here / found.custom.get(name, name)
    return Addition(name, file, where, lines, why)


def _dialplan(settings: Settings) -> Iterator[str]:
    """Asterisk's channels speak English, unless somebody says otherwise."""
    policy = settings.policy[0]
    if (language := policy.languages[0]) != "en":
        yield f"same => n,Set(CHANNEL(language)={language})"
    yield f"same => n,Gosub(compliance-notice,s,1({policy.name}))"


def _commands(
    additions: Sequence[Addition], found: FoundAsterisk, places: InstallPaths, plan: InstallPlan
) -> Iterator[str]:
    written = {step.wanted.path: step.state for step in plan.work}
    changed = {one.name for one in additions}
    changed |= {name for name, ours in OURS.items() if found.etc_here / ours in written}
    for name, command in _RELOADS.items():
        if name in changed:
            yield f"asterisk -rx '{command}'"
    units = {state for path, state in written.items() if path.parent == places.site.units}
    if units:
        yield "systemctl daemon-reload"
    if FileState.NEW in units:
        yield f"systemctl enable --now {SERVICE} {RETENTION_TIMER}"
    elif units:
        yield f"systemctl restart {SERVICE}"


def _warnings(
    settings: Settings, asterisk: AsteriskSettings, found: FoundAsterisk, plan: InstallPlan
) -> Iterator[str]:
    if settings.vault.encryption == "off":
        yield (
            "recordings are NOT ENCRYPTED: whoever gets at this disk can hear them. Make the"
            " officer's key (init --keys-only --identity FILE), and name it in [vault]"
        )
    for name, login in (("ari.conf", asterisk.ari), ("manager.conf", asterisk.ami)):
        if login and (place := found.users.get(f"{name} {login.user}")):
            yield f"{place}: a user [{login.user}] is there already: take one of the two out"
    listeners = {"manager.conf": found.ami}
    if found.http.address:
        listeners["http.conf"] = found.http
    for name, listener in listeners.items():
        if listener.enabled and not listener.is_local:
            yield f"{name}: other hosts can connect: bindaddr = 127.0.0.1, unless they have to"
    if found.modules and (missing := _missing_modules(settings, found, plan)):
        yield f"Asterisk lacks modules, or is told not to load them: {', '.join(missing)}"
    if not settings.rules.presets:
        yield "no rules of a country are turned on: presets in [rules], docs/policies.md"


def _missing_modules(settings: Settings, found: FoundAsterisk, plan: InstallPlan) -> list[str]:
    routines = found.etc_here / OURS["extensions.conf"]
    text = next(step.wanted.content for step in plan.steps if step.wanted.path == routines)
    tones = any(policy.beep_s for policy in settings.policy)
    needed = {*ARI_MODULES, *needed_by((text or b"").decode(), tones=tones)}
    return list(not_running(needed, dict.fromkeys(found.modules, "Running")))
